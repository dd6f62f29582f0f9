"""Objects that come one by one, drawn into one label image."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests, omissions, tables
from libcell.errors import DataError
from libcell.extract.masks.sources import Piece, pieces


@dataclass
class Drawing:
    """Objects of one field of view (T,Z,Y,X), numbered from 1 in their order.

    `twice` counts pixels that several objects claim; `left` are (source, item, reason).
    """

    shape: tuple[int, int, int, int]
    objects: list[Piece] = field(default_factory=list)
    total: int = 0
    twice: int = 0
    left: list[tuple[str, str, str]] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def frame(self, t: int, overlap: str) -> np.ndarray:
        """Labels (Z,Y,X) uint32 of one frame; objects with no pixel left go to `left`."""
        made = np.zeros(self.shape[1:], np.uint32)
        own = [i for i, one in enumerate(self.objects) if one.t == t]
        for i in _order(own, self.objects, overlap):
            one = self.objects[i]
            assert one.mask is not None
            h, w = one.mask.shape
            place = made[one.z, one.y : one.y + h, one.x : one.x + w]
            self.twice += int(np.count_nonzero(place[one.mask]))
            place[one.mask] = i + 1
        seen = set(np.unique(made).tolist())
        for i in own:
            if i + 1 not in seen:
                self.left.append((self.source[i], self.objects[i].name,
                                  "hidden by the objects over it"))
        return made


def _order(own: list[int], objects: list[Piece], overlap: str) -> list[int]:
    """The order of drawing: who is to have the pixels comes last."""
    if overlap == "first":
        return own[::-1]
    if overlap == "largest":  # of equals the later one, as with `last`
        return sorted(own, key=lambda i: objects[i].area)
    return own


def told(drawing: Drawing, image: str, target: Path) -> dict[str, Any]:
    """What a field's drawing leaves to say, once its frames are made; omissions go to `target`."""
    tables.write_part(target, omissions.table(drawing.left, image))
    return {"part": target.name, "total": drawing.total, "twice": drawing.twice,
            "left": len(drawing.left),
            "files": drawing.marks}


def gather(files: dict[Any, Path], shape: tuple[int, int, int, int]) -> Drawing:
    """All objects of a field's sources; a source's own frame and plane come from its name.

    DataError where a source tells no frame or plane and the image has several.
    """
    made = Drawing(shape)
    frames, planes = (sorted({spot[i] for spot in files}) for i in (0, 2))
    for (t, _, z), path in sorted(files.items(), key=lambda one: (one[0][0], one[0][2])):
        named = Named(frames.index(t) if len(frames) > 1 else None,
                      planes.index(z) if len(planes) > 1 else None)
        for one in pieces(path, named.shape(shape, len(frames), len(planes), path)):
            made.total += 1
            if one.fault:
                made.left.append((path.name, one.name, one.fault))
            else:
                made.objects.append(named.place(one, shape, path))
                made.source.append(path.name)
        made.marks.append(digests.of_path(path))
    return made


@dataclass(frozen=True)
class Named:
    """Frame and plane that a file's name tells (`--pattern`), None where it tells none."""

    t: int | None
    z: int | None

    def shape(
        self, image: tuple[int, int, int, int], frames: int, planes: int, path: Path
    ) -> tuple[int, int, int, int]:
        """What the source itself may still tell: one frame where its name tells which."""
        for name, have, want in (("frames", frames, image[0]), ("planes", planes, image[1])):
            if have not in (1, want):
                raise DataError(f"{path}: masks of {have} {name}, the image has {want}; they "
                                "must be the same field of view")
        return (image[0] if self.t is None else 1, image[1] if self.z is None else 1, *image[2:])

    def place(self, one: Piece, image: tuple[int, int, int, int], path: Path) -> Piece:
        """A piece with its frame and plane."""
        t = self.t if self.t is not None else one.t
        z = self.z if self.z is not None else one.z
        if (t is None and image[0] > 1) or (z is None and image[1] > 1):
            raise DataError(f"{path}: {one.name} tells no frame or plane, and the image has "
                            f"{image[0]} frames and {image[1]} planes (see --pattern)")
        return replace(one, t=t or 0, z=z or 0)
