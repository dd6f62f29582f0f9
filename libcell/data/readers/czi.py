"""Zeiss CZI: one image per scene, a plane's tiles put together when it is asked for.

czifile finds the parts of a file; what ZEN writes today (Zstandard, with the bytes of 16-bit
pixels apart) it cannot decode, so that is done here. Alpha is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import czifile
import imagecodecs
import numpy as np
import tifffile

from libcell.data.image import ALL, About
from libcell.data.readers.samples import distinct, sample_names
from libcell.errors import DataError

SEGMENT_HEADER = 32  # bytes before the content of a segment
RAW, JPEG_XR, ZSTD, ZSTD_SPLIT = 0, 4, 5, 6  # compressions
KNOWN = set("TCZYXSM")
Spot = tuple[int, int, int]


@dataclass(frozen=True)
class Tile:
    """A rectangle of one plane: where it is in the file, and in the scene (px)."""

    position: int
    compression: int
    dtype: np.dtype
    shape: tuple[int, int, int]  # Y,X,samples
    y: int
    x: int


class CziImage:
    """One scene of a CZI file; see the protocol `Image`."""

    def __init__(self, path: Path, group: str, entries: list[Any], header: ElementTree.Element):
        self._path = path
        start, stop = _span(entries)
        first = _pixels(entries[0].dtype)
        if any(_pixels(e.dtype) != first for e in entries):
            raise DataError(f"{path}: channels of different kinds of pixels, which no one image "
                            "holds; export them as TIFF, each by itself")
        self._samples = first[1]
        self._tiles = _tiles(entries, start)
        names = _channel_names(header, start["C"], stop["C"] - start["C"])
        shown = sample_names(self._samples)
        self._shown = len(shown)
        joined = names if len(shown) == 1 else shown if len(names) == 1 else tuple(
            f"{n} {s}" for n in names for s in shown)
        sizes = {a: stop[a] - start[a] for a in "TZYX"}
        self.about = About(
            where=str(path),
            group=group,
            name=path.stem,
            shape=(sizes["T"], len(joined), sizes["Z"], sizes["Y"], sizes["X"]),
            dtype=first[0],
            channels=joined,
            pixel_size_um=_pixel_size(header),
            row_chunk=max(t.shape[0] for some in self._tiles.values() for t in some),
        )

    def read(
        self, t: int = 0, c: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
    ) -> np.ndarray:
        """One channel of one frame as (Z,Y,X), native dtype; 0 where no tile lies."""
        channel, sample = divmod(c, self._shown)
        try:
            return np.stack([self._plane((t, channel, k), sample, y, x)
                             for k in range(self.about.shape[2])[z]])
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{self._path}: cannot be decoded ({error})") from error

    def _plane(self, spot: Spot, sample: int, rows: slice, columns: slice) -> np.ndarray:
        """A window of a plane, of which only those tiles are decoded that lie in it."""
        if spot not in self._tiles:
            raise DataError(f"{self._path}: has no pixels of frame {spot[0]}, channel "
                            f"{spot[1] + 1}, plane {spot[2]} (stopped while it was written?)")
        y, bottom, _ = rows.indices(self.about.shape[3])
        x, right, _ = columns.indices(self.about.shape[4])
        plane = np.zeros((bottom - y, right - x), self.about.dtype)
        with tifffile.FileHandle(str(self._path)) as handle:
            for tile in self._tiles[spot]:
                inside = _overlap(tile, y, bottom, x, right)
                if inside:
                    values = _decoded(self._path, handle, tile)[..., sample]
                    y0, y1, x0, x1 = inside
                    plane[y0 - y : y1 - y, x0 - x : x1 - x] = values[
                        y0 - tile.y : y1 - tile.y, x0 - tile.x : x1 - tile.x]
        return plane[:: rows.step, :: columns.step]


def _overlap(
    tile: Tile, y: int, bottom: int, x: int, right: int
) -> tuple[int, int, int, int] | None:
    """Rows and columns of the scene (from, to, from, to) that a tile and a window share."""
    y0, y1 = max(y, tile.y), min(bottom, tile.y + tile.shape[0])
    x0, x1 = max(x, tile.x), min(right, tile.x + tile.shape[1])
    return (y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


def open_file(path: Path) -> list[CziImage]:
    """All scenes of a CZI file. DataError if it is cut short or of a kind that is not known."""
    try:
        with tifffile.FileHandle(str(path)) as handle:
            entries, header = _directory(path, handle)
        scenes: dict[int, list[Any]] = {}
        for entry in entries:
            scenes.setdefault(_starts(entry).get("S", 0), []).append(entry)
        alone = len(scenes) == 1
        return [CziImage(path, "" if alone else str(s), scenes[s], header) for s in sorted(scenes)]
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: not a readable CZI, or cut short ({error})") from error


def _directory(path: Path, handle: tifffile.FileHandle) -> tuple[list[Any], ElementTree.Element]:
    """The entries of full-size tiles, and the metadata."""
    if handle.read(10) != b"ZISRAWFILE":
        raise DataError(f"{path}: not a readable CZI (it begins otherwise)")
    header = czifile.Segment(handle, 0).data()
    size = path.stat().st_size
    if not 0 < header.directory_position < size or header.metadata_position >= size:
        raise DataError(f"{path}: cut short, or never closed: its list of parts is not in its "
                        f"{size} bytes")
    listed = czifile.Segment(handle, header.directory_position).data().entries
    entries = [e for e in listed if e.stored_shape == e.shape]  # others belong to the pyramid
    if not entries:
        raise DataError(f"{path}: holds no images")
    if any(e.file_part for e in entries):
        raise DataError(f"{path}: its pixels are in further files, which is not read; save it as "
                        "one file")
    odd = {d.dimension for e in entries for d in e.dimension_entries} - KNOWN
    varied = sorted(a for a in odd if len({_starts(e).get(a, 0) for e in entries}) > 1)
    if varied:
        raise DataError(f"{path}: axes {', '.join(varied)} vary; only T, C, Z and scenes are known")
    if max(e.file_position for e in entries) >= size:
        raise DataError(f"{path}: cut short: pixels are not in its {size} bytes")
    if not header.metadata_position:
        return entries, ElementTree.Element("ImageDocument")
    text = czifile.Segment(handle, header.metadata_position).data().data(raw=True)
    return entries, ElementTree.fromstring(text)


def _starts(entry: Any) -> dict[str, int]:
    return {d.dimension: int(d.start) for d in entry.dimension_entries}


def _span(entries: list[Any]) -> tuple[dict[str, int], dict[str, int]]:
    """First index of each axis, and one past the last."""
    found: dict[str, list[tuple[int, int]]] = {axis: [] for axis in "TCZYX"}
    for entry in entries:
        here = {d.dimension: (int(d.start), int(d.start + d.size)) for d in entry.dimension_entries}
        for axis, spans in found.items():
            spans.append(here.get(axis, (0, 1)))
    return ({a: min(s for s, _ in spans) for a, spans in found.items()},
            {a: max(e for _, e in spans) for a, spans in found.items()})


def _pixels(dtype: str) -> tuple[np.dtype, int]:
    """dtype and samples of `<3u2`."""
    full = np.dtype(dtype if dtype[1].isalpha() else f"({dtype[1]},){dtype[0]}{dtype[2:]}")
    return full.base, full.shape[0] if full.shape else 1


def _tiles(entries: Iterable[Any], start: dict[str, int]) -> dict[Spot, list[Tile]]:
    """Tiles by (t, channel, plane), those that lie over others last."""
    made: dict[Spot, list[Tile]] = {}
    for entry in sorted(entries, key=lambda e: -1 if e.mosaic_index is None else e.mosaic_index):
        at = _starts(entry)
        size = {d.dimension: int(d.size) for d in entry.dimension_entries}
        dtype, samples = _pixels(entry.dtype)
        spot = tuple(at.get(a, 0) - start[a] for a in "TCZ")
        made.setdefault(spot, []).append(Tile(  # type: ignore[arg-type]
            int(entry.file_position), entry.compression, dtype, (size["Y"], size["X"], samples),
            at["Y"] - start["Y"], at["X"] - start["X"]))
    return made


def _decoded(path: Path, handle: tifffile.FileHandle, tile: Tile) -> np.ndarray:
    """(Y,X,samples) of a tile, red first."""
    handle.seek(tile.position + SEGMENT_HEADER)
    data = czifile.SubBlockSegment(handle).data(raw=True)
    if tile.compression == JPEG_XR:
        return np.asarray(imagecodecs.jpegxr_decode(data)).reshape(tile.shape)
    if tile.compression == ZSTD:
        data = imagecodecs.zstd_decode(data)
    elif tile.compression == ZSTD_SPLIT:
        data = _joined(data)
    elif tile.compression != RAW:
        name = czifile.czifile.COMPRESSION.get(tile.compression, tile.compression)
        raise DataError(f"{path}: compression {name} is not read; save it uncompressed, or with "
                        "Zstandard or JPEG XR")
    values = np.frombuffer(data, tile.dtype, int(np.prod(tile.shape))).reshape(tile.shape)
    return values[..., [2, 1, 0]] if tile.shape[2] >= 3 else values


def _joined(data: bytes) -> bytes:
    """Zstandard after a header of `size, 1, flags`; flag 1: low bytes of all pixels come first."""
    split = data[0] == 3 and data[1] == 1 and data[2] & 1
    plain = bytes(imagecodecs.zstd_decode(data[data[0] :]))
    if not split:
        return plain
    return np.frombuffer(plain, np.uint8).reshape(2, -1).T.tobytes()


def _channel_names(header: ElementTree.Element, first: int, count: int) -> tuple[str, ...]:
    found = header.findall(".//Information/Image/Dimensions/Channels/Channel")
    return distinct([c.get("Name") for c in found][first : first + count], count)


def _pixel_size(header: ElementTree.Element) -> tuple[float, float, float] | None:
    """(z,y,x) in um; the file has metres."""
    metres = {d.get("Id"): float(d.findtext("Value") or 0)
              for d in header.findall(".//Scaling/Items/Distance")}
    if not (metres.get("X") and metres.get("Y")):
        return None
    return (metres.get("Z") or 1e-6) * 1e6, metres["Y"] * 1e6, metres["X"] * 1e6
