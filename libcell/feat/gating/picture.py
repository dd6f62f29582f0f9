"""A picture of every gated distribution with its threshold, as one SVG file.

Drawn by a template, because a page for it with a plotting library inside would be a thousand
times as large; it opens in any browser and goes into a paper as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

import jinja2
import numpy as np
import pyarrow as pa

from libcell.feat.gating.rules import Gate, column

WIDTH, HEIGHT = 480, 170  # of a panel's plot, in SVG units
BINS = 80
OUTSIDE = 0.1  # percent on either side that may lie beyond the axis, or one speck sets the scale


def draw(table: pa.Table, gates: Sequence[Gate], groups: Sequence[str | None], log: bool) -> str:
    """SVG text: one panel per feature and group, with the share of objects that pass."""
    panels: dict[tuple[str, str | None], list[Gate]] = {}
    for gate in gates:
        panels.setdefault((gate.feature, gate.group), []).append(gate)
    every = np.array(groups, dtype=object)
    made = [_panel(column(table, feature), every, group, some, log)
            for (feature, group), some in panels.items()]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    text = resources.files("libcell.feat.gating").joinpath("templates", "gates.svg.j2")
    return environment.from_string(text.read_text("utf-8")).render(
        panels=made, w=WIDTH, h=HEIGHT)


def _panel(
    values: np.ndarray, every: np.ndarray, group: str | None, gates: Sequence[Gate], log: bool
) -> dict[str, Any]:
    rows = np.isfinite(values)
    if group is not None:
        rows &= every == group
    if log:
        rows &= values > 0
    shown = values[rows]
    bounds = [g.threshold for g in gates if not log or g.threshold > 0]
    low, high = _range(shown, bounds, log)
    scale = _scale(low, high, log)
    counts, edges = np.histogram(scale(shown.clip(low, high)), BINS, (0.0, 1.0))
    top = max(int(counts.max(initial=0)), 1)
    return {
        "title": gates[0].feature, "group": group, "n": len(shown),
        "bars": [(round(e * WIDTH, 2), round(c / top * HEIGHT, 2))
                 for e, c in zip(edges.tolist(), counts.tolist()) if c],
        "bar": round(WIDTH / BINS, 2), "top": top,
        "ticks": [(round(float(scale(np.array(t))) * WIDTH, 2), f"{t:g}")
                  for t in _ticks(low, high, log)],
        "gates": [_line(g, shown, round(float(scale(np.array(g.threshold))) * WIDTH, 2), k)
                  for k, g in enumerate(_once(gates))],
    }


def _once(gates: Sequence[Gate]) -> list[Gate]:
    """A gate that is asked of every class is one line."""
    alike: dict[tuple[str, float], list[Gate]] = {}
    for gate in gates:
        alike.setdefault((gate.operator, gate.threshold), []).append(gate)
    return [replace(some[0], gate=", ".join(g.gate for g in some)) for some in alike.values()]


def _line(gate: Gate, shown: np.ndarray, x: float, k: int) -> dict[str, Any]:
    passing = shown > gate.threshold if gate.operator == ">" else shown < gate.threshold
    share = passing.mean() if len(shown) else 0.0
    text = f"{gate.gate}: {gate.operator} {gate.threshold:.4g} ({gate.method}), {share:.0%}"
    return {"x": min(max(x, 0), WIDTH), "text": text, "y": 12 + 14 * k,
            "right": x < WIDTH / 2}


def _range(values: np.ndarray, bounds: Sequence[float], log: bool) -> tuple[float, float]:
    """What the axis spans: nearly all values, and every threshold; not 0 on a logarithmic one."""
    ends = [float(v) for v in bounds] or [1.0]
    if len(values):
        ends += np.percentile(values, (OUTSIDE, 100 - OUTSIDE)).tolist()
    low, high = min(ends), max(ends)
    if high > low:
        return low, high
    return (low / 2, low * 2) if log else (low - 0.5, low + 0.5)


def _scale(low: float, high: float, log: bool) -> Any:
    """From values to 0..1 along the axis."""
    if not log:
        return lambda v: (v - low) / (high - low)
    a, b = math.log(low), math.log(high)
    return lambda v: (np.log(np.maximum(v, low)) - a) / (b - a)


def _ticks(low: float, high: float, log: bool) -> list[float]:
    """Round values along the axis."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        digits = (1, 2, 5) if high > 20 * low else (1, 1.5, 2, 3, 4, 5, 7)
        every = [d * 10.0**p for p in powers for d in digits]
    else:
        step = 10 ** math.floor(math.log10((high - low) / 2))
        step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= 6)
        first = math.ceil(low / step)
        every = [step * (first + k) for k in range(8)]
    return [float(f"{v:.12g}") for v in every if low <= v <= high]
