"""One field of view out of the files that hold its channels, frames and planes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests
from libcell.data import open as opening
from libcell.data.image import ALL, About, Image
from libcell.data.images import Source
from libcell.errors import DataError, UsageFault
from libcell.extract.fields.light import Light, Lit
from libcell.extract.fields.plan import Spot
from libcell.extract.fields.stacks import Field, Projected
from libcell.run.inputs import natural


class Assembled:
    """One field of view out of the files that hold its channels, frames and planes.

    Every axis is either among the files (`images` by t, c, z) or inside each of them.
    """

    def __init__(self, images: dict[tuple[int, int, int], Image], about: About):
        self.about = about
        self._images = images
        self._inside = images[0, 0, 0].about.shape[:3]

    def read(self, t: int, c: int, rows: slice, planes: slice = ALL) -> np.ndarray:
        """(Z,Y,X) pixels of some rows, of all planes unless told which."""
        frames, channels, depth = self._inside
        (t, t_in), (c, c_in) = divmod(t, frames), divmod(c, channels)
        if depth == self.about.shape[2]:
            return self._images[t, c, 0].read(t=t_in, c=c_in, z=planes, y=rows)
        return np.concatenate([self._images[t, c, z].read(t=t_in, c=c_in, y=rows)
                               for z in range(self.about.shape[2])[planes]])

    def digest(self) -> list[str]:
        """Digests of the files that were read, in order."""
        paths = dict.fromkeys(i.about.where for i in self._images.values())
        return [digests.of_path(Path(p)) for p in paths if Path(p).exists()]


def prepare(light: Light | None = None, project: str | None = None, **field: Any) -> Field:
    """A field as it is to be written: light made even, then its stacks projected."""
    made: Field = assemble(**field)
    if light:
        made = Lit(made, light)
    return Projected(made, project) if project else made


def assemble(
    group: str, metadata: dict[str, Any], files: dict[Spot, Path], source_group: str | None,
    channel_names: tuple[str, ...] = (), pixel_size: float | None = None, axes: str = "", **_: Any,
) -> Assembled:
    """Open a field's files and check that they fit together. DataError says which does not."""
    if list(files) == [(0, None, 0)]:
        whole = opening.image(Source(files[0, None, 0], source_group or ""), axes)
        images, about = {(0, 0, 0): whole}, whole.about
        metadata = about.metadata | metadata
    else:
        images, about = _by_place(files, group, axes)
    spacing = (1.0, pixel_size, pixel_size) if pixel_size else about.pixel_size_um
    about = replace(about, group=group, metadata=metadata, pixel_size_um=spacing,
                    channels=_renamed(about.channels, channel_names, about.where),
                    name=about.name if source_group is not None else (group or about.name))
    return Assembled(images, about)


def _by_place(
    files: dict[Spot, Path], group: str, axes: str
) -> tuple[dict[tuple[int, int, int], Image], About]:
    """Files of a channel, frame or plane each; axes that their names lack are inside them."""
    frames = sorted({t for t, _, _ in files})
    channels = sorted({c for _, c, _ in files}, key=lambda c: natural(str(c)))
    planes = sorted({z for _, _, z in files})
    images: dict[tuple[int, int, int], Image] = {}
    for it, t in enumerate(frames):
        for ic, c in enumerate(channels):
            for iz, z in enumerate(planes):
                path = files.get((t, c, z))
                if path is None:
                    spot = ", ".join(f"{n} {v}" for n, v in (("t", t), ("channel", c), ("z", z))
                                     if v is not None)
                    raise DataError(f"{group}: no file for {spot}")
                images[it, ic, iz] = opening.image(Source(path, ""), axes)
    first = images[0, 0, 0].about
    _require_place(first, len(frames), channels, len(planes))
    for image in images.values():
        _require_alike(image.about, first, channels)
    shape = (len(frames) * first.shape[0], len(channels) * first.shape[1],
             len(planes) * first.shape[2], *first.shape[3:])
    names = first.channels if channels == [None] else tuple(map(str, channels))
    chunk = max(i.about.row_chunk for i in images.values())
    return images, replace(first, shape=shape, channels=names, row_chunk=chunk)


def _require_place(first: About, frames: int, channels: list[str | None], planes: int) -> None:
    """DataError where names and files both tell an axis: which of both it is nobody knows."""
    t, c, z = first.shape[:3]
    told = [f"{inside} {axis}" for axis, inside, named in (
        ("frames", t, frames > 1), ("channels", c, channels != [None]), ("planes", z, planes > 1)
    ) if inside > 1 and named]
    if told:
        raise DataError(f"{first.where}: holds {' and '.join(told)}, which its name has one of; "
                        "leave that out of --pattern, or give files of one each")


def _require_alike(about: About, first: About, channels: list[str | None]) -> None:
    if (about.shape, about.dtype) != (first.shape, first.dtype):
        raise DataError(f"{about.where}: {_size(about)}, but {first.where} is {_size(first)}")
    if channels == [None] and about.channels != first.channels:
        raise DataError(f"{about.where}: has {', '.join(about.channels)}, but {first.where} has "
                        f"{', '.join(first.channels)}")


def _size(about: About) -> str:
    """e.g. `3 channels, 20 x 30 uint8`."""
    more = [f"{n} {axis}, " for n, axis in zip(about.shape, ("frames", "channels", "planes"))
            if n > 1]
    return f"{''.join(more)}{about.shape[3]} x {about.shape[4]} {about.dtype}"


def _renamed(found: tuple[str, ...], wanted: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Channels renamed in order, or by `found=name`. DataError where that does not work out."""
    if not wanted:
        return found
    if any("=" in w for w in wanted):
        made = _by_name(found, wanted, where)
    elif len(wanted) == len(found):
        made = wanted
    else:
        raise DataError(f"{where}: {len(found)} channels ({', '.join(found)}), "
                        f"{len(wanted)} names in --channel-names")
    if len(set(made)) < len(made):
        raise DataError(f"{where}: --channel-names gives a name twice: {', '.join(made)}")
    return made


def _by_name(found: tuple[str, ...], wanted: tuple[str, ...], where: str) -> tuple[str, ...]:
    plain = [w for w in wanted if "=" not in w]
    if plain:
        raise UsageFault(f"--channel-names: {plain[0]!r} is not found=name, as the others are")
    table = dict(w.split("=", 1) for w in wanted)
    strangers = sorted(set(table) - set(found))
    if strangers:
        raise DataError(f"{where}: channel {strangers[0]!r} not found; it has {', '.join(found)}")
    return tuple(table.get(name, name) for name in found)
