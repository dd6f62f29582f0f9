"""LIF of Leica LAS, one image per series and tile, read lazily through liffile.

Histograms of photon lifetimes (FLIM) are no images of cells and are left out.
"""

import threading
import weakref
from pathlib import Path
from typing import Any

import liffile
import numpy as np

from libcell.data.image import ALL, About
from libcell.data.readers.samples import distinct, sample_names
from libcell.errors import DataError

KNOWN = set("TCZYXSM")
PER_UM = {"m": 1e6, "mm": 1e3, "µm": 1.0, "um": 1.0}
CHANNEL = "./Data/Image/ImageDescription/Channels/ChannelDescription"
DIMENSION = "./Data/Image/ImageDescription/Dimensions/DimensionDescription"
LETTERS = {"1": "X", "2": "Y", "3": "Z"}


class LifImage:
    """One series, or one tile of it; see the protocol `Image`."""

    def __init__(self, path: Path, about: About, index: int, tile: int | None):
        self._path = path
        self._index = index
        self._tile = tile
        self._lock = threading.Lock()  # the library seeks and reads one file handle
        self._series: Any = None
        self.about = about

    def read(
        self, t: int = 0, c: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
    ) -> np.ndarray:
        """One channel of one frame as (Z,Y,X), native dtype."""
        planes = range(*z.indices(self.about.shape[2]))
        try:
            with self._lock:
                return np.stack([self._plane(t, c, plane)[y, x] for plane in planes])
        except Exception as error:
            raise DataError(f"{self._path}: cannot be decoded ({error})") from error

    def _plane(self, t: int, c: int, z: int) -> np.ndarray:
        series = self._open()
        stored = series.sizes
        channel, sample = divmod(c, len(sample_names(stored.get("S", 1))))
        place = {"T": t, "C": channel, "Z": z, "M": self._tile or 0}
        plane = np.asarray(series.frame(**{a: i for a, i in place.items() if a in stored}))
        return plane[..., sample] if "S" in stored else plane

    def _open(self) -> Any:
        if self._series is None:
            file = liffile.LifFile(self._path)
            weakref.finalize(self, file.close)
            self._series = file.images[self._index]
        return self._series


def open_file(path: Path) -> list[LifImage]:
    """All series of a LIF file. DataError if it is cut short or has unknown axes."""
    try:
        with liffile.LifFile(path) as file:
            series = [(i, s) for i, s in enumerate(file.images)
                      if isinstance(s, liffile.LifImage)]
            for _, one in series:
                _check(path, one)
            return _images(path, series)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: not a readable LIF ({error})") from error


def _check(path: Path, series: Any) -> None:
    stored, block = series.sizes, series.parent.memory_blocks.get(
        series.xml_element.find("./Memory").attrib["MemoryBlockID"])
    frame = tuple(a for a in series.frames.frame_dims if a != "S")
    if not set(stored) <= KNOWN or frame != ("Y", "X"):
        axes = " ".join(f"{axis}{size}" for axis, size in stored.items())
        raise DataError(f"{path}: series {series.name} has axes {axes}; only T, C, Z, tiles and "
                        "planes of Y, X can be read")
    size = path.stat().st_size
    if block is None or block.offset + block.size > size or series.nbytes > block.size:
        raise DataError(f"{path}: cut short: the pixels of series {series.name} are not all in "
                        f"its {size} bytes")


def _images(path: Path, series: list[tuple[int, Any]]) -> list[LifImage]:
    if not series:
        raise DataError(f"{path}: holds no images")
    alone = len(series) == 1
    made = []
    for number, (index, one) in enumerate(series):
        stem = "" if alone else str(number)
        if one.sizes.get("M", 1) == 1:
            made.append(LifImage(path, _about(path, one, stem), index, None))
            continue
        made += [LifImage(path, _about(path, one, f"{number}_{tile}"), index, tile)
                 for tile in range(one.sizes["M"])]
    return made


def _about(path: Path, series: Any, group: str) -> About:
    stored = series.sizes
    names = _channels(series, stored.get("C", 1))
    shown = sample_names(stored.get("S", 1))
    joined = names if "S" not in stored else shown if len(names) == 1 else tuple(
        f"{n} {s}" for n in names for s in shown)
    return About(
        where=str(path),
        group=group,
        name=series.name,
        shape=(stored.get("T", 1), len(joined), stored.get("Z", 1), stored["Y"], stored["X"]),
        dtype=series.dtype,
        channels=joined,
        pixel_size_um=_pixel_size(series),
        row_chunk=stored["Y"],
    )


def _channels(series: Any, count: int) -> tuple[str, ...]:
    """Dye or, failing that, display colour of each channel; numbers where they are not told."""
    found = sorted(series.xml_element.findall(CHANNEL), key=lambda c: int(c.attrib["BytesInc"]))
    dyes = [_dye(channel) for channel in found]
    return distinct(dyes if all(dyes) else [channel.get("LUTName") for channel in found], count)


def _dye(channel: Any) -> str | None:
    for each in channel.findall("./ChannelProperty"):
        if each.findtext("Key") == "DyeName":
            return each.findtext("Value")
    return None


def _pixel_size(series: Any) -> tuple[float, float, float] | None:
    """(z,y,x) in um. A stated length goes from the first pixel's centre to the last one's."""
    size = {}
    for each in series.xml_element.findall(DIMENSION):
        axis, steps = LETTERS.get(each.attrib["DimID"]), int(each.attrib["NumberOfElements"]) - 1
        length = abs(float(each.attrib["Length"])) * PER_UM.get(each.attrib["Unit"], 0)
        if axis and steps and length:
            size[axis] = length / steps
    return (size.get("Z", 1.0), size["Y"], size["X"]) if {"Y", "X"} <= set(size) else None
