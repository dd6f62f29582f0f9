"""Frames to a file as they come: GIF by Pillow, MP4 by the ffmpeg of imageio-ffmpeg."""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import GifImagePlugin, Image

from libcell.errors import Unavailable

EXTRA = "MP4 needs imageio-ffmpeg (pip install 'libcell[movies]'), or take --movie gif"


def has_mp4() -> bool:
    """Whether MP4 can be written here."""
    from importlib.util import find_spec

    return find_spec("imageio_ffmpeg") is not None


def write_gif(
    path: Path, frames: Iterable[np.ndarray], palette: np.ndarray, fps: float
) -> int:
    """`frames` (Y, X) uint8 are places in the `palette` (256, 3). Returns their number.

    Pillow's own `save_all` holds all frames until the end.
    """
    count = 0
    with path.open("wb") as file:
        for frame in frames:
            if not count:
                height, width = frame.shape
                file.write(struct.pack("<6sHHBBB", b"GIF89a", width, height, 0xF7, 0, 0))
                file.write(palette.tobytes())
                file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # for ever
            picture = Image.fromarray(frame)
            for part in GifImagePlugin.getdata(picture, duration=round(1000 / fps), interlace=0):
                file.write(part)
            count += 1
        file.write(b";")
    return count


def write_mp4(
    path: Path, frames: Iterable[np.ndarray], palette: np.ndarray, fps: float
) -> int:
    """H.264; rows and columns must be even. Unavailable without the extra."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise Unavailable(EXTRA) from error
    count = 0
    waiting = iter(frames)
    first = next(waiting, None)
    if first is None:
        return 0
    writer = imageio_ffmpeg.write_frames(
        path, first.shape[::-1], fps=fps, macro_block_size=2, quality=7,
        output_params=["-fflags", "+bitexact", "-flags:v", "+bitexact"])
    writer.send(None)
    try:
        for frame in _all(first, waiting):
            writer.send(palette[frame].tobytes())
            count += 1
    finally:
        writer.close()
    return count


def _all(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest
