"""Sequences in a folder: `<sequence>/Raw/*`, `<sequence>/Mask/*`, and a file with their stages."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libcell.data.readers import BY_SUFFIX
from libcell.errors import DataError, UsageFault
from libcell.extract.kernels import pattern as names
from libcell.extract.series.stages import LAYOUTS, Layout
from libcell.run.inputs import natural

RAW, MASK = "Raw", "Mask"
HIDDEN = ("._", "__MACOSX")  # what another system's Finder and zip keep beside the real files
OURS = {"Metadata_Image", "Metadata_Label", "Metadata_Compartment", "Metadata_Sequence",
        "Metadata_Stage"}


@dataclass(frozen=True)
class Sequence:
    """One sequence before it is read: its folder, its name in the data set, its own columns."""

    folder: Path
    name: str
    columns: dict[str, Any]


def find(roots: list[Path], pattern: str | None) -> list[Sequence]:
    """Every folder that holds a `Raw`, at any depth, in natural order of their names.

    DataError if there is none, if two have one name, or if names do not match the pattern.
    """
    several = len(roots) > 1
    found: dict[str, Path] = {}
    for root in roots:
        for folder in _with_raw(root):
            below = folder.relative_to(root).as_posix()
            name = root.resolve().name if below == "." else below
            if several and below != ".":
                name = f"{root.resolve().name}/{below}"
            other = found.setdefault(name, folder)
            if other is not folder:
                raise DataError(f"{folder} and {other}: two sequences of the same name, {name}")
    if not found:
        raise DataError(f"{roots[0]}: no sequences (SEQUENCE/{RAW}/*, SEQUENCE/{MASK}/*)")
    columns = _columns(list(found), pattern)
    return [Sequence(found[n], n, columns[n]) for n in sorted(found, key=natural)]


def _with_raw(root: Path) -> list[Path]:
    inside = [p.parent for p in root.rglob(RAW) if p.is_dir()]
    return [p for p in inside
            if not any(part.startswith(HIDDEN) for part in p.relative_to(root).parts)]


def _columns(found: list[str], pattern: str | None) -> dict[str, dict[str, Any]]:
    if pattern is None:
        blank = {"Metadata_Plate": None, "Metadata_Well": None, "Metadata_Site": None}
        return dict.fromkeys(found, blank)
    expression = names.compile_pattern(pattern)
    taken = [n for n in expression.groupindex if f"Metadata_{n[0].upper()}{n[1:]}" in OURS]
    if taken:
        raise UsageFault(f"--pattern: {{{taken[0]}}} would be a column that the sequences have "
                         "already; call it otherwise")
    strangers = [n for n in found if not expression.match(n)]
    if strangers:
        raise DataError(f"{len(strangers)} of {len(found)} sequences do not match --pattern "
                        f"{pattern}, e.g. {strangers[0]}")
    return {n: names.metadata(names.parse(expression, n), None) for n in found}


def stages_of(folder: Path, layout: str) -> tuple[Layout, Path] | None:
    """The file with a sequence's stages, and the layout that it tells; None if there is none.

    It lies beside the sequence's folder or in it. Of Zhong's sequences those named B02 share the
    file of B01, where they have none of their own. DataError where several files would do.
    """
    asked = list(LAYOUTS.values()) if layout == "auto" else [LAYOUTS[layout]]
    for name in dict.fromkeys((folder.name, folder.name.replace("B02", "B01"))):
        found = [(one, path) for one in asked
                 for path in (folder.parent / f"{name}{one.suffix}", folder / f"{name}{one.suffix}")
                 if path.is_file() and (name == folder.name or one.name == "zhong")]
        if len(found) > 1:
            raise DataError(f"{found[0][1]} and {found[1][1]}: both tell stages of "
                            f"{folder.name}; choose with --layout, or remove one")
        if found:
            return found[0]
    return None


def missing(folder: Path, layout: str) -> str:
    """What stages_of looked for, for a message."""
    asked = LAYOUTS if layout == "auto" else {layout: LAYOUTS[layout]}
    wanted = " or ".join(f"{folder.name}{one.suffix}" for one in asked.values())
    return f"{folder}: no stages: {wanted} is neither beside it nor in it (see --unlabelled)"


def frames(folder: Path, layout: Layout | None) -> list[tuple[Path, Path]]:
    """(picture, mask) of every frame in natural order.

    Without a layout a mask has its picture's name, or that with `Mask` for `Raw`. DataError
    names pictures without a mask and masks without a picture.
    """
    pictures, masks = (list(_pictures(folder / part)) for part in (RAW, MASK))
    if not pictures:
        raise DataError(f"{folder / RAW}: holds no pictures")
    renamed = layout.mask_renamed if layout else any(RAW in p.name for p in pictures)
    by_stem = {p.stem: p for p in masks}
    if len(by_stem) < len(masks):
        raise DataError(f"{folder / MASK}: two masks of the same name in different formats")
    wanted = [p.stem.replace(RAW, MASK) if renamed else p.stem for p in pictures]
    lost = [w for w in wanted if w not in by_stem]
    extra = sorted(set(by_stem) - set(wanted), key=natural)
    if lost or extra:
        raise DataError(
            f"{folder}: {len(lost)} of {len(pictures)} pictures have no mask and {len(extra)} "
            f"masks no picture, e.g. {MASK}/{(lost or extra)[0]}{pictures[0].suffix}")
    return [(p, by_stem[w]) for p, w in zip(pictures, wanted)]


def _pictures(folder: Path) -> Iterator[Path]:
    """Pictures in natural order of their names."""
    if folder.is_dir():
        yield from sorted((p for p in folder.iterdir() if p.suffix.lower() in BY_SUFFIX
                           and not p.name.startswith(HIDDEN)), key=lambda p: natural(p.name))
