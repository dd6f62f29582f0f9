"""The label store that holds nuclei, cells and cytoplasm: made, written window by window."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import zarr

from libcell.data import digests, images, labels
from libcell.data.image import About
from libcell.data.images import Source
from libcell.errors import DataError

NAMES = ("nuclei", "cells", "cytoplasm")


@dataclass(frozen=True)
class Trio:
    """One field's pyramids, of each compartment."""

    levels: dict[str, list[zarr.Array]]

    def write(self, t: int, y0: int, x0: int, parts: tuple[np.ndarray, ...]) -> str:
        """Write the compartments (Z,h,w) of a shard, in the order of NAMES; their digest."""
        for name, part in zip(NAMES, parts):
            images.write_region(self.levels[name], t, 0, y0, x0, part, mean=False)
        return digests.of_bytes(b"".join(np.ascontiguousarray(p).tobytes() for p in parts))


def create(root: Path, source: Source, about: About, link: str | None = None) -> Trio:
    """Empty compartments for the field of view of a label store."""
    metadata, name = labels.field_keys(source)
    like = replace(about, group=source.group or "", metadata=metadata, name=name)
    return Trio(labels.create(root, like, list(NAMES), link))


def compartment(source: Source, given: str | None, flag: str, usual: str) -> str:
    """The one that is meant: as given, else the usual one, else the only one. DataError where
    that leaves a choice."""
    there = labels.compartments_at(source)
    if given is None and usual not in there and len(there) > 1:
        raise DataError(f"{source.where}: has {', '.join(there)}; say which ({flag})")
    if given is None:
        return usual if usual in there else there[0]
    return given
