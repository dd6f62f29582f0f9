"""Frames of the challenge as TIFF: one picture, or one page per plane."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from libcell.errors import DataError, MissingInput

Shape = tuple[int, int, int]


def measure(path: Path) -> tuple[Shape, np.dtype]:
    """Shape (Z,Y,X) and dtype of a frame, its pixels unread. DataError if it is none."""
    try:
        with tifffile.TiffFile(path) as file:
            _require_complete(path, file)
            return _shape(path, file), np.dtype(file.series[0].dtype)
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: not found") from error
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: not a readable TIFF ({error})") from error


def read(path: Path) -> np.ndarray:
    """Pixels (Z,Y,X) of a frame, native dtype."""
    try:
        with tifffile.TiffFile(path) as file:
            shape = _shape(path, file)
            pages = [np.asarray(s.asarray()).reshape(-1, *shape[1:]) for s in file.series]
            return pages[0] if len(pages) == 1 else np.concatenate(pages)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: cannot be decoded ({error})") from error


def _shape(path: Path, file: Any) -> Shape:
    """All axes before Y and X are planes, whatever the writer called them.

    Three planes written without a word are called samples of a colour (S).
    """
    kinds = {(s.shape[-2:], str(s.dtype)) for s in file.series}
    if any(s.axes[-2:] != "YX" for s in file.series):
        raise DataError(f"{path}: axes {file.series[0].axes}; expected grey pictures (Y,X) or "
                        "stacks (Z,Y,X)")
    if len(kinds) > 1:
        raise DataError(f"{path}: holds pictures of different sizes or dtypes")
    height, width = file.series[0].shape[-2:]
    return sum(int(np.prod(s.shape[:-2])) for s in file.series), height, width


def _require_complete(path: Path, file: Any) -> None:
    """tifffile fills what lies past the end of a file with zeros, and says nothing."""
    size = path.stat().st_size
    needed = max((offset + count for page in file.pages
                  for offset, count in zip(page.dataoffsets, page.databytecounts)), default=0)
    if needed > size:
        raise DataError(f"{path}: cut short: has {size} bytes, needs {needed}")


def encode(stack: np.ndarray) -> bytes:
    """A frame (Z,Y,X) as TIFF, deflated; one plane is a plain picture."""
    flat = stack[0] if len(stack) == 1 else stack
    file = io.BytesIO()
    tifffile.imwrite(file, flat, compression="zlib", photometric="minisblack",
                     metadata={"axes": "YX" if flat.ndim == 2 else "ZYX"})
    return file.getvalue()
