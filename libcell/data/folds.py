"""Who of a model's folds answers for which row."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.errors import reading

Answers = dict[str, np.ndarray]  # float64 (m, k) each: chances, and whatever else is asked for


def gather(
    card: Mapping[str, Any], rows: pa.Table, ask: Callable[[str, np.ndarray], Answers]
) -> Answers:
    """What a model says of keyed `rows`. `ask(member, places)` asks one member of it, "" where it
    has none, about the rows at `places`, ascending.

    Of several folds, the one that was tested on a row's group answers; where none was, all do,
    and what they say is averaged.
    """
    members: Mapping[str, list[str]] = card["split"].get("members", {})
    every = np.arange(rows.num_rows)
    if not members:
        return ask("", every)
    with reading("the model's card", "its folds are none"):
        own = _tester(members, rows, card["split"]["by"])
    said: dict[str, np.ndarray] = {}
    for member in members:
        places = np.flatnonzero((own == member) | (own == ""))
        weight = np.where(own[places] == "", 1 / len(members), 1.0)[:, None]
        for key, found in ask(member, places).items():
            total = said.setdefault(key, np.zeros((len(every), found.shape[1])))
            total[places] += weight * found
    return said


def _tester(members: Mapping[str, list[str]], rows: pa.Table, by: list[str]) -> np.ndarray:
    """Text (n,): the member that was tested on each row's group, "" for new groups."""
    place = {group: name for name, groups in members.items() for group in groups}
    if any(c not in rows.column_names for c in by):
        return np.full(rows.num_rows, "", dtype=object)
    columns = [matrix.column_text(rows, c, "group") for c in by]
    return np.array([place.get("/".join(map(str, row)), "") for row in zip(*columns)],
                    dtype=object)
