"""A label store's frames with the pixels below them, as a network of associations sees them."""

from collections.abc import Iterator
from pathlib import Path

from libcell.data import images, labels
from libcell.data.images import Source
from libcell.track.associated.network import Associations, Seen
from libcell.track.fields.frames import spacing_of
from libcell.track.kernels import ellipses


def seen(
    source: Source, compartment: str, image: Path, channel: str | None, network: Associations
) -> tuple[Iterator[Seen], int]:
    """Frames one by one, and how many there are."""
    about = labels.open_labels(source, compartment).about
    pictures = images.open_source(Source(image, source.group))
    labels.require_fit(about, pictures.about)
    place = pictures.about.channel(channel) if channel else 0
    spacing = spacing_of(source, compartment, None)

    def frames() -> Iterator[Seen]:
        for t in range(about.shape[0]):
            frame = labels.read_frame(source, compartment, t)
            objects = ellipses.measure(frame, spacing)
            yield network.see(t, objects, frame, pictures.read(t=t, c=place))

    return frames(), about.shape[0]
