"""Which nucleus belongs to which cell, and the labels that both then share."""

from dataclasses import dataclass

import numpy as np

from libcell.segment.kernels.matching import Pairs

LONE_NUCLEI = ("drop", "keep", "grow")
LONE_CELLS = ("drop", "keep")
SEVERAL = ("join", "largest", "drop")


@dataclass(frozen=True)
class PairingParams:
    """share        part of a nucleus that must lie in its cell
    lone_nuclei  nuclei without a cell: drop; keep (their own outline is their cell); grow (the
                 same, grown by `grow_px`, not into other cells)
    lone_cells   cells without a nucleus: drop, keep
    several      nuclei of one cell: join (all get the cell's number), largest (it alone stays),
                 drop (the cell goes, and they with it)
    """

    share: float = 0.5
    lone_nuclei: str = "drop"
    lone_cells: str = "drop"
    several: str = "join"
    grow_px: float = 0.0


@dataclass(frozen=True)
class Pairing:
    """New labels by old label, uint32, 0 for what is dropped: `nuclei` and `cells`. Those above
    `with_cell` are nuclei that are their own cell. `counts` tells what was found."""

    nuclei: np.ndarray
    cells: np.ndarray
    with_cell: int
    counts: dict[str, int]


def pair(pairs: Pairs, params: PairingParams) -> Pairing:
    """From the overlaps of nuclei (`truth`) and cells (`found`) of a whole frame.

    A nucleus belongs to the cell that holds most of it (of equals that with the lower label), if
    that is at least `share` of it. Labels are 1..N: cells in their order, then lone nuclei.
    """
    areas = _areas(pairs.truth, pairs.pixels)
    nuclei = np.flatnonzero(areas)
    cells = np.unique(pairs.found[pairs.found > 0])
    owner = _owners(pairs, areas, params.share)
    nuclei_in = np.bincount(owner[nuclei][owner[nuclei] > 0],
                            minlength=int(cells.max(initial=0)) + 1)
    several = cells[nuclei_in[cells] > 1]
    empty = cells[nuclei_in[cells] == 0]
    lone = nuclei[owner[nuclei] == 0]
    counts = {"paired": int((nuclei_in > 0).sum()), "nuclei_without_cell": len(lone),
              "cells_without_nucleus": len(empty), "cells_with_several_nuclei": len(several)}
    if params.several == "drop":
        cells = np.setdiff1d(cells, several)
    if params.lone_cells == "drop":
        cells = np.setdiff1d(cells, empty)
    new_cells = np.zeros(int(pairs.found.max(initial=0)) + 1, np.uint32)
    new_cells[cells] = np.arange(1, len(cells) + 1)
    new_nuclei = new_cells[owner]
    if params.several == "largest":
        _keep_largest(new_nuclei, areas)
    if params.lone_nuclei != "drop":
        lone = lone[_free(pairs, new_cells, len(areas))[lone]]
        new_nuclei[lone] = np.arange(len(cells) + 1, len(cells) + len(lone) + 1)
    return Pairing(new_nuclei, new_cells, len(cells), counts)


def _free(pairs: Pairs, new_cells: np.ndarray, length: int) -> np.ndarray:
    """Which nuclei (by label) have a pixel that is in no cell: else nothing of them would stay."""
    free = np.zeros(length, bool)
    free[pairs.truth[new_cells[pairs.found] == 0]] = True
    return free


def _areas(labels: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Pixels by label; the background counts none."""
    areas = np.bincount(labels, weights=pixels, minlength=1).astype(np.int64)
    areas[0] = 0
    return areas


def _owners(pairs: Pairs, areas: np.ndarray, share: float) -> np.ndarray:
    """The cell of each nucleus by its label, 0 where it has none."""
    inside = (pairs.truth > 0) & (pairs.found > 0)
    nucleus, cell, pixels = pairs.truth[inside], pairs.found[inside], pairs.pixels[inside]
    order = np.lexsort((cell, -pixels, nucleus))
    nucleus, cell, pixels = nucleus[order], cell[order], pixels[order]
    first = np.unique(nucleus, return_index=True)[1]
    enough = first[pixels[first] >= share * areas[nucleus[first]]]
    owner = np.zeros(len(areas), np.int64)
    owner[nucleus[enough]] = cell[enough]
    return owner


def _keep_largest(new_nuclei: np.ndarray, areas: np.ndarray) -> None:
    """Of nuclei with one new label only the largest keeps it, the first of equals."""
    order = np.lexsort((np.arange(len(areas)), -areas))
    order = order[new_nuclei[order] > 0]
    kept = order[np.unique(new_nuclei[order], return_index=True)[1]]
    labels = new_nuclei[kept]
    new_nuclei[:] = 0
    new_nuclei[kept] = labels


def compartments(
    nuclei: np.ndarray, cells: np.ndarray, found: Pairing, grown: np.ndarray | None, extend: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nuclei, cells and cytoplasm (Z,Y,X) uint32 of a window from its old labels.

    What of a nucleus lies outside its cell is cut off, or (`extend`) added to the cell where no
    other cell is; it never takes another cell's pixels. `grown` are the lone nuclei's new labels
    grown over a window (see `growing`), None where they are not grown.
    """
    new_nuclei = found.nuclei[nuclei]
    new_cells = found.cells[cells]
    own = new_nuclei > (0 if extend else found.with_cell)
    taken = own & (new_cells == 0)
    new_cells = np.where(taken, new_nuclei, new_cells)
    if grown is not None:
        new_cells = np.where(new_cells == 0, grown, new_cells)
    new_nuclei = np.where(new_nuclei == new_cells, new_nuclei, 0)
    return new_nuclei, new_cells, np.where(new_nuclei == 0, new_cells, 0)


def lone_nuclei(nuclei: np.ndarray, found: Pairing) -> np.ndarray:
    """New labels of the lone nuclei of a window, 0 elsewhere."""
    new = found.nuclei[nuclei]
    return np.where(new > found.with_cell, new, 0)
