"""What every image is to the commands, whatever file it came from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from libcell.errors import DataError

ALL = slice(None)
Span = slice | int


class Image(Protocol):
    """One field of view, axes T,C,Z,Y,X; pixels are read when asked for."""

    @property
    def about(self) -> "About": ...

    def read(
        self, t: int = 0, c: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
    ) -> np.ndarray:
        """One channel of one frame as (Z,Y,X), native dtype."""
        ...


@dataclass(frozen=True)
class About:
    """Shape (T,C,Z,Y,X), dtype and names of an image.

    `where` names it in messages; `group` is its place in its store, '' for the root;
    `pixel_size_um` is (z,y,x), None where the file does not tell; `row_chunk` is how many rows
    the cheapest read decodes.
    """

    where: str
    group: str
    name: str
    shape: tuple[int, int, int, int, int]
    dtype: np.dtype
    channels: tuple[str, ...]
    pixel_size_um: tuple[float, float, float] | None = None
    row_chunk: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)

    def channel(self, wanted: str) -> int:
        """Index of a channel given by name, or by number from 1. DataError if there is none."""
        if wanted in self.channels:
            return self.channels.index(wanted)
        if wanted.isdigit() and 1 <= int(wanted) <= len(self.channels):
            return int(wanted) - 1
        names = ", ".join(self.channels)
        raise DataError(
            f"{self.where}: channel {wanted!r} not found; it has {names} "
            f"(use -c {_shell(self.channels[0])})"
        )

    @property
    def keys(self) -> dict[str, Any]:
        """The key columns of this image and the user's own, for tables."""
        base = {"Metadata_Plate": None, "Metadata_Well": None, "Metadata_Site": None}
        return base | {"Metadata_Image": self.group or self.name} | self.metadata


def _shell(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else f"'{name}'"


def object_ids(image: str, t: int, compartment: str, labels: Sequence[int]) -> list[str]:
    """`image:t:compartment:label` for each label; the key of every table."""
    stem = f"{image}:t{t}:{compartment}:"
    return [f"{stem}{label}" for label in labels]
