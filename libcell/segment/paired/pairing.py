"""Nuclei and cells of one field of view brought together, frame by frame, window by window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests, labels
from libcell.data.images import SHARD, Source
from libcell.errors import DataError
from libcell.segment.kernels import growing, matching, pairing
from libcell.segment.kernels.pairing import Pairing, PairingParams
from libcell.segment.paired import store
from libcell.segment.tiles.cut import corners


@dataclass(frozen=True)
class Couple:
    """Where the nuclei and the cells of one field of view are."""

    nuclei: Source
    nuclei_name: str
    cells: Source
    cells_name: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (T,C,Z,Y,X) of both. DataError if they are not the same field of view."""
        ours = labels.open_labels(self.nuclei, self.nuclei_name).about
        theirs = labels.open_labels(self.cells, self.cells_name).about
        if ours.shape != theirs.shape:
            sizes = [" x ".join(str(n) for i, n in enumerate(a.shape) if i != 1)
                     for a in (ours, theirs)]
            raise DataError(f"{self.nuclei.where}: the nuclei are {sizes[0]} (T,Z,Y,X), the cells "
                            f"{self.cells.where} are {sizes[1]}; they must be the same field of "
                            "view")
        return ours.shape

    def read(
        self, t: int, y: slice = slice(None), x: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        """Nuclei and cells (Z,h,w) of a window of one frame."""
        return (labels.read_frame(self.nuclei, self.nuclei_name, t, y, x),
                labels.read_frame(self.cells, self.cells_name, t, y, x))


def pair_field(
    couple: Couple, root: Path, params: PairingParams, extend: bool
) -> dict[str, Any]:
    """One field of view: paired and written; counts over its frames."""
    shape = couple.shape
    about = labels.open_labels(couple.nuclei, couple.nuclei_name).about
    trio = store.create(root, couple.nuclei, about)
    content, objects = [], 0
    total: dict[str, int] = {}
    for t in range(shape[0]):
        windows = [(slice(y, y + SHARD), slice(x, x + SHARD)) for y, x in corners(shape[3:], SHARD)]
        overlaps = [matching.overlaps(*couple.read(t, *w)) for w in windows]
        found = pairing.pair(matching.merge(overlaps), params) if overlaps else None
        if found is None:
            continue
        objects += int(max(found.nuclei.max(initial=0), found.cells.max(initial=0)))
        total = {k: total.get(k, 0) + n for k, n in found.counts.items()}
        for y, x in windows:
            parts = _window(couple, t, y, x, found, params, extend)
            content.append(trio.write(t, y.start, x.start, parts))
    return {"n": objects, "digest": digests.of_json(content), "counts": total}


def _window(
    couple: Couple, t: int, y: slice, x: slice, found: Pairing, params: PairingParams, extend: bool
) -> tuple[np.ndarray, ...]:
    nuclei, cells = couple.read(t, y, x)
    grown = None
    if params.lone_nuclei == "grow":
        grown = _grown(couple, t, y, x, found, params.grow_px)
    return pairing.compartments(nuclei, cells, found, grown, extend)


def _grown(
    couple: Couple, t: int, y: slice, x: slice, found: Pairing, grow_px: float
) -> np.ndarray:
    """Lone nuclei (Z,h,w) grown; read with a halo as wide as they grow."""
    halo = int(np.ceil(grow_px))
    top, left = max(0, y.start - halo), max(0, x.start - halo)
    nuclei = labels.read_frame(couple.nuclei, couple.nuclei_name, t,
                               slice(top, y.stop + halo), slice(left, x.stop + halo))
    grown = growing.nearest(pairing.lone_nuclei(nuclei, found), grow_px)
    down, right = y.start - top, x.start - left
    return grown[:, down : down + y.stop - y.start, right : right + x.stop - x.start]
