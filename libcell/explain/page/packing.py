"""The points of a plane as one short text: JSON, deflated, in base64; the browser unpacks it."""

import base64
import json
import zlib
from typing import Any

import numpy as np

from libcell.explain.page.sections import Column, Plane

DIGITS = 4  # of a position, relative to the plane's span: a tenth of a pixel


def packed(plane: Plane) -> str:
    """What `templates/plane.js` reads."""
    low, span = _span(plane.positions)
    whole = np.rint((plane.positions - low) / span * 10**DIGITS).astype(int)
    value = {
        "ids": _front_coded(plane.ids),
        "x": whole[:, 0].tolist(), "y": whole[:, 1].tolist(), "steps": 10**DIGITS,
        "low": low.tolist(), "span": span.tolist(),
        "drawn": plane.drawn.tolist(),
        "columns": [_column(c) for c in plane.columns],
        "density": plane.density.tolist() if plane.density is not None else None,
    }
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _span(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least position (2,) and extent (2,), which is never 0."""
    low = positions.min(axis=0)
    span = positions.max(axis=0) - low
    return low, np.where(span > 0, span, 1.0)


def _front_coded(ids: list[str]) -> list[Any]:
    """Texts as [letters shared with the one before, the rest], one after the other."""
    found: list[Any] = []
    before = ""
    for text in ids:
        shared = 0
        for a, b in zip(before, text):
            if a != b:
                break
            shared += 1
        found += [shared, text[shared:]]
        before = text
    return found


def _column(column: Column) -> dict[str, Any]:
    if column.labels is not None:
        return {"name": column.name, "labels": column.labels, "values": column.values.tolist()}
    values = [float(f"{v:.5g}") if np.isfinite(v) else None for v in column.values.tolist()]
    return {"name": column.name, "labels": None, "values": values}


def density(positions: np.ndarray, cells: int) -> np.ndarray:
    """Points (n, 2) counted in a grid int (cells, cells) over their span; rows are the second
    axis, from below."""
    low, span = _span(positions)
    place = np.minimum(((positions - low) / span * cells).astype(int), cells - 1)
    counts = np.bincount(place[:, 1] * cells + place[:, 0], minlength=cells * cells)
    return counts.reshape(cells, cells)
