"""The checks of explanations as table `scores`."""

from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import tables
from libcell.explain.checks.verdict import Needs


def table(judged: dict[str, Any], agreement: np.ndarray, needs: Needs, n: int) -> pa.Table:
    """Table `scores`: `label` is the explanation, `group` the region or the other explanation."""
    rows: list[tuple[str, Any, str | None, str | None]] = [
        (f"probability_{name}", (value, None, None, n), None, None) for name, value in
        (("whole", needs.whole), ("without_background", needs.without_background),
         ("without_object", needs.without_object))]
    for name, (found, _, _) in judged.items():
        rows += [("faithfulness_gain", found.gain, name, None),
                 ("likeness_after_forgetting", found.forgets, name, None)]
        rows += [(metric, figure, name, region)
                 for metric, figures in (("energy", found.energy), ("area", found.areas),
                                         ("density", found.density), ("pointing", found.peak))
                 for region, figure in figures.items()]
    names = list(judged)
    rows += [("agreement", (agreement[i, j], None, None, n), names[i], names[j])
             for i in range(len(names)) for j in range(i + 1, len(names))]
    values = [[_number(v) for v in figure[:3]] for _, figure, _, _ in rows]
    return tables.from_columns("scores", {
        "metric": [r[0] for r in rows], "value": [v[0] for v in values],
        "low": [v[1] for v in values], "high": [v[2] for v in values],
        "n": [r[1][3] for r in rows], "split": [None] * len(rows),
        "label": [r[2] for r in rows], "group": [r[3] for r in rows]})


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)
