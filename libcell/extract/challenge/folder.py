"""Which files of a challenge folder are a sequence's frames and masks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from libcell.errors import DataError, MissingInput, UsageFault

TIFF = r"\.tiff?"
PLANES = ("seg", "st")  # annotated here and there, and by plane
# source -> (folder after the sequence's name, names of masks, names of the text)
SOURCES = {
    "tra": ("_GT/TRA", "man_track", ("man_track.txt",)),
    "st": ("_ST/SEG", "man_seg", ()),
    "seg": ("_GT/SEG", "man_seg", ()),
    "err-seg": ("_ERR_SEG", "mask", ()),
    "res": ("_RES", "(?:mask|man_track)", ("res_track.txt", "man_track.txt")),
}

Part = tuple[int | None, Path]  # plane (None: all of them), file


@dataclass(frozen=True)
class Masks:
    """Mask files of one source by frame number, and the text that tells of their tracks."""

    files: dict[int, list[Part]]
    text: Path | None = None


@dataclass(frozen=True)
class Sequence:
    """A movie: its frames' files by number, without a gap, and what masks there are."""

    name: str
    images: dict[int, Path]
    masks: dict[str, Masks] = field(default_factory=dict)

    @property
    def first(self) -> int:
        return min(self.images)

    @property
    def last(self) -> int:
        return max(self.images)


def find(root: Path, wanted: tuple[str, ...]) -> list[Sequence]:
    """The wanted sequences of a folder, all without `wanted`.

    MissingInput or DataError names what is not there, or is too much.
    """
    if not root.is_dir():
        raise DataError(f"{root}: is no folder; expected one that holds 01/t000.tif and so on")
    there = sorted(p.name for p in root.iterdir() if p.is_dir() and re.fullmatch(r"\d{2,}", p.name))
    if len(set(wanted)) < len(wanted):
        raise UsageFault(f"--sequence: {', '.join(wanted)} names one twice")
    absent = [name for name in wanted if name not in there]
    if absent or not there:
        known = f"; it has {', '.join(there)}" if there else ""
        raise MissingInput(f"{root}: has no sequence {', '.join(absent) or '01'}{known}")
    return [_sequence(root, name) for name in wanted or there]


def _sequence(root: Path, name: str) -> Sequence:
    images = {k[0]: p for k, p in _files(root / name, rf"t(\d{{3,}}){TIFF}").items()}
    if not images:
        raise MissingInput(f"{root / name}: holds no frames such as t000.tif")
    _require_all(images, range(min(images), max(images) + 1), root / name)
    found = {s: m for s in SOURCES if (m := _masks(root, name, s, images)) is not None}
    return Sequence(name, images, found)


def _masks(root: Path, name: str, source: str, images: dict[int, Path]) -> Masks | None:
    """Masks of one source; None where there are none."""
    tail, stem, texts = SOURCES[source]
    folder = root / f"{name}{tail}"
    plane = r"(?:_(\d{3,}))?" if source in PLANES else "()"
    found = _files(folder, rf"{stem}_?(\d{{3,}}){plane}{TIFF}")
    if not found:
        return None
    files: dict[int, list[Part]] = {}
    for (frame, z), path in found.items():
        files.setdefault(frame, []).append((z, path))
    beyond = sorted(set(files) - set(images))
    if beyond:
        raise DataError(f"{files[beyond[0]][0][1]}: is of frame {beyond[0]}, but {root / name} "
                        f"has frames {min(images)} to {max(images)}")
    mixed = [parts for parts in files.values() if len(parts) > 1 and parts[0][0] is None]
    if mixed:
        raise DataError(f"{mixed[0][0][1]} and {mixed[0][1][1]}: are masks of the same planes")
    if source not in PLANES:
        _require_all(files, images, folder)
    text = next((folder / t for t in texts if (folder / t).is_file()), None)
    if source == "tra" and text is None:
        raise MissingInput(f"{folder / texts[0]}: not found")
    return Masks(files, text)


def _files(folder: Path, name: str) -> dict[tuple[int, int | None], Path]:
    """Files of a folder by frame and plane, in that order. DataError where two are the same."""
    found: dict[tuple[int, int | None], Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = re.fullmatch(name, path.name)
        if not match:
            continue
        numbers = [int(n) if n else None for n in match.groups()]
        key = (numbers[0] or 0, numbers[1] if len(numbers) > 1 else None)
        if key in found:
            raise DataError(f"{found[key]} and {path}: are the same frame")
        found[key] = path
    return dict(sorted(found.items(), key=lambda f: (f[0][0], -1 if f[0][1] is None else f[0][1])))


def _require_all(there: Iterable[int], wanted: Iterable[int], folder: Path) -> None:
    absent = sorted(set(wanted) - set(there))
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise MissingInput(f"{folder}: frame {absent[0]}{more} is missing; it has "
                           f"{min(there)} to {max(there)}")
