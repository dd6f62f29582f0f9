"""TIFF, OME-TIFF and ImageJ hyperstacks, read lazily through tifffile.

Values under a palette stay what they are: ImageJ writes one with every coloured lookup table,
and label editors with every label image. Alpha is left out.
"""

import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from libcell.data.image import ALL, About
from libcell.data.readers.samples import sample_names
from libcell.errors import DataError

PER_UM = {"MICROMETER": 1.0, "CENTIMETER": 1e-4, "MILLIMETER": 1e-3, "INCH": 1 / 25400}
DENSEST = 2**16  # bytes of pixels that a byte of a file may stand for; zstd comes to 32768
KNOWN = {"T": "t", "C": "c", "Z": "z", "Y": "y", "X": "x", "S": "s"}


class TiffImage:
    """One series of a TIFF file; see the protocol `Image`."""

    def __init__(self, path: Path, series: Any, index: int, group: str, axes: str):
        self._path = path
        self._index = index
        self._axes = axes
        self._flat = axes == "YX" and len(series.pages) == 1
        self._array: zarr.Array | None = None
        size = dict(zip(axes, series.shape))
        samples = sample_names(size["S"]) if "S" in size else ()
        channels = samples or _channel_names(series, index, size.get("C", 1))
        self.about = About(
            where=str(path),
            group=group,
            name=path.name.removesuffix(".tif").removesuffix(".tiff").removesuffix(".ome"),
            shape=(size.get("T", 1), len(channels), size.get("Z", 1), size["Y"], size["X"]),
            dtype=series.dtype,
            channels=channels,
            pixel_size_um=_pixel_size(series, index),
            row_chunk=_row_chunk(series),
        )

    def read(
        self, t: int = 0, c: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
    ) -> np.ndarray:
        """One channel of one frame as (Z,Y,X), native dtype."""
        spans: dict[str, Any] = {"T": t, "C": c, "S": c, "Z": z, "Y": y, "X": x}
        try:
            if self._flat and _whole(y, self.about.shape[3]) and _whole(x, self.about.shape[4]):
                return self._page()
            values = np.asarray(self._open()[tuple(spans[a] for a in self._axes)])
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{self._path}: cannot be decoded ({error})") from error
        return values if "Z" in self._axes else values[np.newaxis]

    def _page(self) -> np.ndarray:
        """The whole of a file of one plane, at once: zarr takes longer to begin than that."""
        with tifffile.TiffFile(self._path) as file:
            return np.asarray(file.asarray(series=self._index))[np.newaxis]

    def _open(self) -> zarr.Array:
        if self._array is None:
            file = tifffile.TiffFile(self._path)
            weakref.finalize(self, file.close)  # thousands of files may be open one after another
            store = file.series[self._index].aszarr(level=0)
            array = zarr.open(store, mode="r")
            assert isinstance(array, zarr.Array)
            self._array = array
        return self._array


def _whole(span: slice, size: int) -> bool:
    return span.indices(size) == (0, size, 1)


def open_file(path: Path, axes: str = "") -> list[TiffImage]:
    """All series of a TIFF file, their axes named by the file or, letter by letter, by `axes`.

    DataError if it is cut short, or its axes have no names.
    """
    try:
        with tifffile.TiffFile(path) as file:
            series = list(file.series)
            for one in series:
                _check_complete(path, one)
                _check_axes(path, one, axes)
            alone = len(series) == 1
            return [TiffImage(path, s, i, "" if alone else str(i), axes or s.axes)
                    for i, s in enumerate(series)]
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: not a readable TIFF ({_kind(path) or error})") from error


def _kind(path: Path) -> str | None:
    """What a file that is no TIFF is instead, by its first bytes."""
    with path.open("rb") as file:
        first = file.read(8)
    named = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP", b"GIF8": "GIF",
             b"PK": "ZIP", b"\x1f\x8b": "gzip", b"%PDF": "PDF", b"\x89HDF": "HDF5"}
    found = next((n for start, n in named.items() if first.startswith(start)), None)
    return f"it is a {found} file" if found else None if first else "it is empty"


def _check_complete(path: Path, series: Any) -> None:
    """tifffile fills what lies past the end of the file with zeros, and says nothing."""
    size = path.stat().st_size
    for page in series.pages:
        if page is None:
            continue
        ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts) if n]
        if not ends:
            raise DataError(f"{path}: page {page.index} has no pixels")
        if max(ends) > size:
            raise DataError(f"{path}: cut short: has {size} bytes, needs {max(ends)}")
        pieces, wanted = len(page.dataoffsets), math.prod(page.keyframe.chunked)
        if pieces < wanted and (page.keyframe.compression > 1
                                or sum(page.databytecounts) < page.nbytes):
            raise DataError(f"{path}: page {page.index} has {pieces} of {wanted} strips or tiles")
        if page.nbytes > DENSEST * size:
            raise DataError(f"{path}: page {page.index} of {page.nbytes} bytes cannot be in the "
                            f"{size} of the file")


def _check_axes(path: Path, series: Any, given: str) -> None:
    axes, shape = given or series.axes, " x ".join(map(str, series.shape))
    if len(axes) != len(series.shape):
        raise DataError(f"{path}: is {shape}, {len(series.shape)} axes; --axes {given} names "
                        f"{len(given)}")
    if any(a not in KNOWN for a in axes) or not {"Y", "X"} <= set(axes):
        raise DataError(f"{path}: axes {axes} ({shape}) are not all known; name them with --axes, "
                        "e.g. ZYX, or save it as OME-TIFF or ImageJ hyperstack")


def _channel_names(series: Any, index: int, count: int) -> tuple[str, ...]:
    """Channel names from OME-XML or ImageJ labels, else numbers from 1."""
    numbers = tuple(str(i + 1) for i in range(count))
    pixels = _ome_pixels(series, index)
    found = pixels.get("Channel", [])
    found = found if isinstance(found, list) else [found]
    names = tuple(str(ch.get("Name", n)) for ch, n in zip(found, numbers))
    return names if len(names) == count and len(set(names)) == count else numbers


def _ome_pixels(series: Any, index: int) -> dict[str, Any]:
    """The `Pixels` element of an image in OME-XML; empty where there is none."""
    ome = series.keyframe.parent.ome_metadata
    if not ome:
        return {}
    image = tifffile.xml2dict(ome)["OME"]["Image"]
    return dict((image[index] if isinstance(image, list) else image)["Pixels"])


def _pixel_size(series: Any, index: int) -> tuple[float, float, float] | None:
    """(z,y,x) in um from OME-XML, ImageJ or the resolution tags; None where none is stated."""
    tags = series.keyframe.tags
    imagej = series.keyframe.parent.imagej_metadata or {}
    pixels = _ome_pixels(series, index)
    if pixels:
        y, x = pixels.get("PhysicalSizeY"), pixels.get("PhysicalSizeX")
        unit = str(pixels.get("PhysicalSizeXUnit", "µm"))
        if y and x and unit in ("µm", "um", "μm"):
            return float(pixels.get("PhysicalSizeZ", 1.0)), float(y), float(x)
        return None
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    per_pixel = [_ratio(tags[n].value) for n in ("YResolution", "XResolution")]
    unit = str(imagej.get("unit", "")).lower()
    if unit in ("micron", "um", "µm", "\\u00b5m"):
        factor = 1.0
    else:
        kind = getattr(tags["ResolutionUnit"].value, "name", "") if "ResolutionUnit" in tags else ""
        if kind not in PER_UM or kind == "INCH":  # 72 per inch is a default, not a measurement
            return None
        factor = PER_UM[kind]
    if min(per_pixel) <= 0:
        return None
    return float(imagej.get("spacing", 1.0)), 1 / (per_pixel[0] * factor), 1 / (
        per_pixel[1] * factor
    )


def _ratio(value: Any) -> float:
    numerator, denominator = value
    return numerator / denominator if denominator else 0.0


def _row_chunk(series: Any) -> int:
    page = series.keyframe
    return int(page.tilelength) if page.is_tiled else int(page.rowsperstrip or page.imagelength)
