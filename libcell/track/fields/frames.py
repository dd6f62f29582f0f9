"""The objects of a label store's field of view, frame by frame."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from libcell.data import images, labels
from libcell.data.image import About
from libcell.data.images import Source
from libcell.track.kernels import ellipses
from libcell.track.kernels.ellipses import Objects

Spacing = tuple[float, float, float]


def spacing_of(source: Source, compartment: str, z_step: float | None) -> Spacing:
    """Size of a voxel (z, y, x) in x pixels, as the pixel size says; 1 where it says nothing."""
    return spacing(labels.open_labels(source, compartment).about, z_step)


def spacing(about: About, z_step: float | None) -> Spacing:
    """The same of an image."""
    size = about.pixel_size_um or (1.0, 1.0, 1.0)
    z, y, x = (s / size[2] if size[2] > 0 and s > 0 else 1.0 for s in size)
    return (z if z_step is None else z_step, y, x)


def measured(
    source: Source, compartment: str, spacing: Spacing, image: Path | None,
    channels: tuple[str, ...],
) -> Iterator[Objects]:
    """Objects of every frame, with their brightness if there is an image; holds one frame."""
    about = labels.open_labels(source, compartment).about
    pictures = images.open_source(Source(image, source.group)) if image else None
    chosen: list[int] = []
    if pictures:
        labels.require_fit(about, pictures.about)
        names = channels or pictures.about.channels
        chosen = [pictures.about.channel(c) for c in names]
    for t in range(about.shape[0]):
        frame = labels.read_frame(source, compartment, t)
        values = [pictures.read(t=t, c=c) for c in chosen] if pictures else []
        yield ellipses.measure(frame, spacing, np.stack(values) if values else None)
