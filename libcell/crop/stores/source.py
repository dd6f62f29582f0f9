"""The image and the labels of one field of view, and what a crop of them shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.crop.kernels import planes
from libcell.data import labels
from libcell.data import open as opening
from libcell.data.image import About, Image
from libcell.data.images import Source
from libcell.errors import DataError


@dataclass(frozen=True)
class Cutting:
    """How crops are cut: the same for all of a store.

    `images` is the image store that the labels belong to. `every` makes the mask all labelled
    pixels, not those of the crop's own label; `further` are compartments that have masks as well.
    `shown` and `around`: see `kernels.planes.ranges`.
    """

    images: str
    channels: tuple[str, ...] = ()
    pad: str = "zero"
    shown: str = "max"
    around: int = 0
    further: tuple[str, ...] = ()
    every: bool = False

    def image(self, source: Source) -> Image:
        """The image of a label store's field of view."""
        return opening.image(Source(Path(self.images), source.group))

    def numbers(self, about: About) -> list[int]:
        """Which channels of an image are wanted, in order."""
        return [about.channel(c) for c in self.channels] or list(range(len(about.channels)))


def compartment_of(source: Source, wanted: str | None) -> str:
    """The compartment that is asked for, or the first."""
    return wanted or labels.compartments_at(source)[0]


def describe(source: Source, compartment: str, cutting: Cutting) -> dict[str, Any]:
    """What a field of view looks like, as `store.common` compares it; JSON holds it.

    DataError if image and labels do not fit, or depth is asked of an image without.
    """
    image = cutting.image(source).about
    masks = labels.open_labels(source, compartment).about
    labels.require_fit(masks, image)
    for name in cutting.further:
        labels.require_fit(labels.open_labels(source, name).about, image)
    if cutting.around and image.shape[2] == 1:
        raise DataError(f"{source.where}: has one plane; --around needs more")
    channels = [image.channels[c] for c in cutting.numbers(image)]
    return {"compartment": compartment, "channels": planes.names(channels, cutting.around),
            "dtype": str(image.dtype),
            "pixel_size_um": list(image.pixel_size_um[1:]) if image.pixel_size_um else None}


def depth_of(source: Source, compartment: str, t: int, found: np.ndarray) -> np.ndarray:
    """`kernels.planes.depths` of the labels `found` of one frame, read plane by plane."""
    image = labels.open_labels(source, compartment)
    return planes.depths(found, (image.read(t=t, z=slice(z, z + 1))[0]
                                 for z in range(image.about.shape[2])))
