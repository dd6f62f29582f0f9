"""PNG, JPEG and BMP through Pillow. Palettes become RGB; alpha is left out."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from libcell.data.image import ALL, About
from libcell.data.readers.samples import sample_names
from libcell.errors import DataError, reading

Pillow.MAX_IMAGE_PIXELS = None  # whole-slide exports are larger than Pillow's guess at a bomb
MAX_PIXELS = 2**31
DENSEST = 4096  # pixels that a byte of a file may stand for; PNG comes to 1032 of one colour
MODES = {"1": "L", "P": "RGB", "LA": "L", "RGBA": "RGB", "CMYK": "RGB", "YCbCr": "RGB",
         "PA": "RGB"}
DTYPES = {"I;16": np.uint16, "I;16B": np.uint16, "I": np.int32, "F": np.float32}


class Picture:
    """One flat picture; see the protocol `Image`. Decoded whole at the first read."""

    def __init__(self, path: Path, mode: str, width: int, height: int):
        self._path = path
        self._pixels: np.ndarray | None = None
        shown = MODES.get(mode, mode)
        channels = sample_names(3 if shown == "RGB" else 1)
        self.about = About(
            where=str(path),
            group="",
            name=path.stem,
            shape=(1, len(channels), 1, height, width),
            dtype=np.dtype(DTYPES.get(shown, np.uint8)),
            channels=channels,
            row_chunk=height,
        )

    def read(
        self, t: int = 0, c: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
    ) -> np.ndarray:
        """One channel as (1,Y,X), native dtype."""
        if self._pixels is None:
            self._pixels = self._decode()
        return self._pixels[c : c + 1, y, x]

    def _decode(self) -> np.ndarray:
        with reading(self._path, "cannot be decoded"), Pillow.open(self._path) as picture:
            mode = MODES.get(picture.mode)
            values = np.asarray(picture.convert(mode) if mode else picture)
        flat = values[..., np.newaxis] if values.ndim == 2 else values
        return np.ascontiguousarray(np.moveaxis(flat, -1, 0)).astype(self.about.dtype, copy=False)


def open_file(path: Path) -> list[Picture]:
    """The picture in a file, its header checked."""
    with reading(path, "not a readable picture"), Pillow.open(path) as picture:
        width, height = picture.size
        samples = width * height * len(picture.getbands())
        if samples > MAX_PIXELS:
            raise DataError(f"{path}: {width} x {height} pixels are more than a picture holds")
        if samples > DENSEST * max(path.stat().st_size, 1):
            raise DataError(f"{path}: {width} x {height} pixels cannot be in "
                            f"{path.stat().st_size} bytes")
        return [Picture(path, picture.mode, width, height)]
