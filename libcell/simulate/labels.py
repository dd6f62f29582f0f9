"""Label images of cells: each in its own window, neighbours cut where they would overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from libcell.simulate.cells import Cell

CROSS = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True)
class View:
    """One cell's window of the field: `box` slices the image, the arrays are of its shape.

    dy (Y,1) and dx (1,X) are px from the nucleus' centre; q is the relative radius (1 at the
    outline), depth the px inside it, of nucleus and body; of a nucleus that splits, *_apart
    are those of its two masses, without the gap.
    """

    cell: Cell
    box: tuple[slice, slice]
    dy: np.ndarray
    dx: np.ndarray
    nucleus_q: np.ndarray
    nucleus_depth: np.ndarray
    apart_q: np.ndarray
    apart_depth: np.ndarray
    body_q: np.ndarray
    body_depth: np.ndarray


def view(cell: Cell, shape: tuple[int, int]) -> View:
    """The window of a cell whose centre lies in the image."""
    reach = max(cell.nucleus.reach_px, cell.body.reach_px + int(max(map(abs, cell.body_shift))) + 1)
    y0, x0 = max(round(cell.y) - reach, 0), max(round(cell.x) - reach, 0)
    y1, x1 = min(round(cell.y) + reach + 1, shape[0]), min(round(cell.x) + reach + 1, shape[1])
    dy, dx = np.arange(y0, y1)[:, None] - cell.y, np.arange(x0, x1)[None] - cell.x
    nucleus = cell.nucleus.measure(dy, dx)
    apart = cell.nucleus.measure(dy, dx, apart=True) if cell.nucleus.split_px else nucleus
    body = cell.body.measure(dy - cell.body_shift[0], dx - cell.body_shift[1])
    return View(cell, (slice(y0, y1), slice(x0, x1)), dy, dx, *nucleus, *apart, *body)


def paint_labels(
    views: Sequence[View], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Nuclei and cells (Y,X) uint32; the label is 1 + the place in `views`.

    Each object is one piece (4 neighbours), each cell holds its nucleus. A pixel that two
    cells claim goes to the one of which it is more central.
    """
    nuclei, bodies = np.zeros((2, *shape), np.uint32)
    nearest_nucleus, nearest_body = np.ones((2, *shape))
    for label, v in enumerate(views, start=1):
        _claim(nuclei[v.box], nearest_nucleus[v.box], v.nucleus_q, label)
        _claim(bodies[v.box], nearest_body[v.box], v.body_q, label)
    for label, v in enumerate(views, start=1):
        _keep_one_piece(nuclei[v.box], label)
    np.copyto(bodies, nuclei, where=nuclei > 0)
    for label, v in enumerate(views, start=1):
        _keep_one_piece(bodies[v.box], label, nuclei[v.box] == label)
    return nuclei, bodies


def _claim(canvas: np.ndarray, nearest: np.ndarray, q: np.ndarray, label: int) -> None:
    mine = q < nearest
    canvas[mine] = label
    nearest[mine] = q[mine]


def _keep_one_piece(canvas: np.ndarray, label: int, core: np.ndarray | None = None) -> None:
    """Of a label cut in pieces keep the one that holds `core`, else the largest."""
    pieces, n = ndimage.label(canvas == label, CROSS)
    if n > 1:
        sizes = np.bincount(pieces[core] if core is not None else pieces[pieces > 0])
        canvas[(pieces > 0) & (pieces != int(sizes.argmax()))] = 0


def relabel(labels: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Labels 1..n replaced by ids (n,), background kept; uint32."""
    table = np.concatenate([[0], ids]).astype(np.uint32)
    changed: np.ndarray = table[labels]
    return changed
