"""One channel of an image by name, number, or as grey: what images of mixed kinds share."""

import numpy as np

from libcell.data.image import ALL, About, Image
from libcell.data.readers.samples import LUMA
from libcell.errors import DataError

GREY = "grey"


def require(about: About, wanted: str) -> None:
    """DataError unless the image has the channel, or can make grey."""
    if wanted != GREY or GREY in about.channels:
        about.channel(wanted)
    elif len(about.channels) not in (1, len(LUMA)):
        raise DataError(f"{about.where}: grey is made of 1 or 3 channels; it has "
                        f"{', '.join(about.channels)} (say which)")


def read(
    image: Image, wanted: str, t: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
) -> np.ndarray:
    """One channel (Z,Y,X), native dtype; `grey` is an image's only channel, or the luma of red,
    green and blue in the image's own dtype. DataError if there is no such channel."""
    about = image.about
    require(about, wanted)
    if wanted != GREY or GREY in about.channels:
        return image.read(t=t, c=about.channel(wanted), z=z, y=y, x=x)
    if len(about.channels) == 1:
        return image.read(t=t, z=z, y=y, x=x)
    total: np.ndarray | None = None
    for c, weight in enumerate(LUMA):
        part = np.float32(weight) * image.read(t=t, c=c, z=z, y=y, x=x)
        total = part if total is None else total + part
    assert total is not None
    return total if about.dtype.kind == "f" else np.rint(total).astype(about.dtype)
