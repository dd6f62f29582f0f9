"""Nikon ND2 of NIS-Elements: one image per stage position, read lazily through nd2."""

import weakref
from pathlib import Path
from typing import Any

import nd2
import numpy as np

from libcell.data.image import ALL, About
from libcell.data.readers.samples import distinct, sample_names
from libcell.errors import DataError

AXES = {"TimeLoop": "T", "NETimeLoop": "T", "XYPosLoop": "P", "ZStackLoop": "Z"}
Loops = dict[str, int]  # axis -> count, outermost first


class Nd2Image:
    """One stage position of an ND2 file; see the protocol `Image`."""

    def __init__(self, path: Path, file: nd2.ND2File, loops: Loops, position: int):
        self._path = path
        self._loops = loops
        self._position = position
        self._file: nd2.ND2File | None = None
        attributes = file.attributes
        self._taken = attributes.sequenceCount
        count = attributes.channelCount or 1
        self._samples = attributes.componentCount // count
        picture = _picture(file)
        names = _channels(picture, count)
        shown = sample_names(self._samples)
        # NIS-Elements writes blue first, and nd2 leaves it so
        self._order = [2, 1, 0] if len(shown) == 3 else list(range(len(shown)))
        joined = names if self._samples == 1 else shown if count == 1 else tuple(
            f"{n} {s}" for n in names for s in shown)
        self.about = About(
            where=str(path),
            group=str(position) if loops.get("P", 1) > 1 else "",
            name=path.stem,
            shape=(loops.get("T", 1), len(joined), loops.get("Z", 1), attributes.heightPx,
                   attributes.widthPx or 1),
            dtype=file.dtype,
            channels=joined,
            pixel_size_um=_pixel_size(file, picture),
            row_chunk=attributes.heightPx,
        )

    def read(
        self, t: int = 0, c: int = 0, z: slice = ALL, y: slice = ALL, x: slice = ALL
    ) -> np.ndarray:
        """One channel of one frame as (Z,Y,X), native dtype."""
        planes = range(self.about.shape[2])[z]
        try:  # stack copies, as it must: frames lie in a map of the file that will be closed
            return np.stack([self._plane(t, c, plane)[y, x] for plane in planes])
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"{self._path}: cannot be decoded ({error})") from error

    def _plane(self, t: int, c: int, z: int) -> np.ndarray:
        place = {"T": t, "Z": z, "P": self._position}
        index = 0
        for axis, count in self._loops.items():
            index = index * count + place[axis]
        if index >= self._taken:  # the library would give zeros
            raise DataError(f"{self._path}: has no pixels of frame {t}, plane {z} (stopped while "
                            "it was taken?)")
        height, width = self.about.shape[3:]
        frame = self._open().read_frame(index).reshape(-1, height, width, self._samples)
        channel, sample = divmod(c, len(self._order))
        return np.asarray(frame[channel, :, :, self._order[sample]])

    def _open(self) -> nd2.ND2File:
        if self._file is None:
            file = nd2.ND2File(self._path)
            weakref.finalize(self, file.close)
            self._file = file
        return self._file


def open_file(path: Path) -> list[Nd2Image]:
    """All stage positions of an ND2 file. DataError if it is cut short or has unknown axes."""
    try:
        with nd2.ND2File(path) as file:
            if file.is_legacy:
                raise DataError(f"{path}: an ND2 of JPEG 2000 planes (version 1 of the format), "
                                "which is not read; save it anew in NIS-Elements")
            loops = _loops(path, file)
            return [Nd2Image(path, file, loops, p) for p in range(loops.get("P", 1))]
    except DataError:
        raise
    except Exception as error:
        reason = str(error).split(" b'")[0][:80] or type(error).__name__  # bytes follow, or chunks
        raise DataError(f"{path}: not a readable ND2, or cut short ({reason})") from error


def _loops(path: Path, file: nd2.ND2File) -> Loops:
    loops: Loops = {}
    for loop in file.experiment:
        axis = AXES.get(loop.type)
        if axis is None or axis in loops:
            raise DataError(f"{path}: has a {loop.type} of {loop.count}; only one each of time, "
                            "position and Z can be read")
        loops[axis] = loop.count
    return loops


def _picture(file: nd2.ND2File) -> dict[str, Any]:
    """What a file says of its pictures. `file.metadata` fails where a channel states no dye."""
    key = "ImageMetadataSeqLV|0" if file.version >= (3, 0) else "ImageMetadataSeq|0"
    found: dict[str, Any] = file.unstructured_metadata(strip_prefix=False, include={key})[key]
    return dict(found.get("SLxPictureMetadata", found))


def _channels(picture: dict[str, Any], count: int) -> tuple[str, ...]:
    planes = picture["sPicturePlanes"]
    told = planes.get("sPlaneNew") or planes.get("sPlane") or {}
    return distinct([plane.get("sDescription") for plane in told.values()], count)


def _pixel_size(file: nd2.ND2File, picture: dict[str, Any]) -> tuple[float, float, float] | None:
    """(z,y,x) in um; None in a file that was never calibrated."""
    plane = float(picture.get("dCalibration", 0))
    if not picture.get("bCalibrated") or plane <= 0:
        return None
    steps = [loop.parameters.stepUm for loop in file.experiment if loop.type == "ZStackLoop"]
    return abs(float(steps[0])) if steps and steps[0] else 1.0, plane, plane
