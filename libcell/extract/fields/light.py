"""A field of view with uneven illumination and the camera's offset taken out."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from libcell.data import open as opening
from libcell.data.image import ALL
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.extract.fields.stacks import Field
from libcell.extract.kernels import flat_field

Planes = tuple[np.ndarray | None, ...]


@dataclass(frozen=True)
class Light:
    """Where the flat field and the dark image are; a `.npy` holds gains (C,Y,X) float32."""

    flat: Path | None = None
    dark: Path | None = None


class Lit:
    """A field with (pixels - dark) / gain instead of its pixels, in their own dtype."""

    def __init__(self, inside: Field, light: Light):
        self.about, self._inside = inside.about, inside
        where, shape = inside.about.where, inside.about.shape[3:]
        self._gains, self._darks = _load(light, inside.about.channels, (shape[0], shape[1]), where)

    def read(self, t: int, c: int, rows: slice, planes: slice = ALL) -> np.ndarray:
        """(Z,Y,X) pixels of some rows."""
        gain, dark = self._gains[c], self._darks[c]
        return flat_field.corrected(
            self._inside.read(t, c, rows, planes),
            None if gain is None else gain[rows],
            None if dark is None else dark[rows],
        )

    def digest(self) -> list[str]:
        """Digests of the files that were read, in order."""
        return self._inside.digest()


def dark_of(light: Light, field: Field) -> Planes:
    """The dark plane of each channel of a field, None where there is none."""
    shape = field.about.shape
    return _planes(light.dark, field.about.channels, (shape[3], shape[4]), field.about.where)


def _load(
    light: Light, channels: tuple[str, ...], shape: tuple[int, int], where: str
) -> tuple[Planes, Planes]:
    darks = _planes(light.dark, channels, shape, where)
    if light.flat is None:
        return (None,) * len(channels), darks
    return _gains(light, channels, shape, where), darks


def _gains(
    light: Light, channels: tuple[str, ...], shape: tuple[int, int], where: str
) -> Planes:
    assert light.flat
    flats = _planes(light.flat, channels, shape, where)
    if light.flat.suffix == ".npy":
        return flats
    return _normalised(light, channels, shape)


@functools.lru_cache(maxsize=2)
def _normalised(light: Light, channels: tuple[str, ...], shape: tuple[int, int]) -> Planes:
    flats = _planes(light.flat, channels, shape, str(light.flat))
    darks = _planes(light.dark, channels, shape, str(light.flat))
    return tuple(None if flat is None else flat_field.gain_of(flat, dark, str(light.flat))
                 for flat, dark in zip(flats, darks))


def _planes(
    path: Path | None, channels: tuple[str, ...], shape: tuple[int, int], where: str
) -> Planes:
    """One plane (Y,X) a channel out of a file of one, or of as many. DataError if neither."""
    if path is None:
        return (None,) * len(channels)
    names, stack = _read(path)
    if stack.shape[1:] != shape:
        raise DataError(f"{path}: {stack.shape[1]} x {stack.shape[2]} px, but {where} is "
                        f"{shape[0]} x {shape[1]}")
    if len(stack) == 1:
        return (stack[0],) * len(channels)
    if set(channels) <= set(names) and not all(name.isdigit() for name in channels):
        return tuple(stack[names.index(c)] for c in channels)  # numbers are no names
    if len(stack) == len(channels):
        return tuple(stack)
    raise DataError(f"{path}: {len(stack)} channels, but {where} has {len(channels)} "
                    f"({', '.join(channels)}); give one for all, or one each")


@functools.lru_cache(maxsize=4)
def _read(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Channel names and planes (C,Y,X) of a reference image."""
    if path.suffix == ".npy":
        return (), np.load(path)
    image = opening.image(Source(path))
    frames, channels, depth = image.about.shape[:3]
    if (frames, depth) != (1, 1):
        raise DataError(f"{path}: {frames} frames and {depth} planes; a reference image has one")
    return image.about.channels, np.concatenate([image.read(c=c) for c in range(channels)])
