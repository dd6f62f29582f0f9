"""Which files make which field of view."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libcell.data import open as opening
from libcell.data.images import Source
from libcell.errors import CellError, DataError
from libcell.extract.kernels import pattern as names
from libcell.extract.kernels.pattern import Place
from libcell.run.inputs import natural

if TYPE_CHECKING:
    from libcell.data.layout import Key

Spot = tuple[int, str | None, int]  # frame, channel, plane


@dataclass(frozen=True)
class FieldFiles:
    """One field of view before it is read: its group, columns and files by (t, channel, z)."""

    group: str
    metadata: dict[str, Any]
    files: dict[Spot, Path]
    source_group: str | None = None


def plan_fields(
    paths: list[Path], pattern: str | None, plate: str | None
) -> list[FieldFiles]:
    """Every field of view that the files make, plates in well order.

    Without a pattern every image of every file is a field of view of its own.
    """
    return _by_pattern(paths, pattern, plate) if pattern else _one_each(paths, plate)


def _by_pattern(paths: list[Path], pattern: str, plate: str | None) -> list[FieldFiles]:
    expression = names.compile_pattern(pattern)
    found: dict[Any, dict[Spot, Path]] = {}
    places: dict[Any, Place] = {}
    times: dict[Any, dict[int, float | None]] = {}
    strangers = []
    for path in paths:
        try:
            place = names.parse(expression, path.as_posix())
        except DataError:
            strangers.append(path.name)
            continue
        places.setdefault(place.field, place)
        times.setdefault(place.field, {})[place.t] = place.hours
        files = found.setdefault(place.field, {})
        spot = (place.t, place.channel, place.z)
        if spot in files:
            raise DataError(f"{path} and {files[spot]}: the pattern gives both the same place")
        files[spot] = path
    if strangers:
        raise DataError(
            f"{len(strangers)} of {len(paths)} files do not match --pattern "
            f"{pattern}, e.g. {strangers[0]}"
        )
    plates = len({p.plate for p in places.values()})
    on_plate = all(p.well for p in places.values())
    made = [
        FieldFiles(names.group_name(places[key], plates) if len(found) > 1 or on_plate else "",
                   names.metadata(places[key], plate if on_plate else None) | _hours(times[key]),
                   files)
        for key, files in found.items()
    ]
    return _distinct(sorted(made, key=lambda f: natural(f.group)))


def incomplete(fields: list[FieldFiles]) -> list[str]:
    """Fields for which there are no files of channels that other fields have, in words."""
    channels = {f.group: {c for _, c, _ in f.files} for f in fields}
    every = set().union(*channels.values())
    return [f"{group} (no file for channel {', '.join(sorted(map(str, every - here)))})"
            for group, here in channels.items() if here < every]


def _hours(times: dict[int, float | None]) -> dict[str, Any]:
    """Hours of a field's frames in their order, one value a frame; none where names tell none."""
    hours = [times[t] for t in sorted(times)]
    if None in hours:
        return {}
    return {"Metadata_Hours": hours if len(hours) > 1 else hours[0]}


def _distinct(fields: list[FieldFiles]) -> list[FieldFiles]:
    groups = names.unique(f.group for f in fields)
    return [replace(f, group=g) for f, g in zip(fields, groups)]


def _one_each(paths: list[Path], plate: str | None) -> list[FieldFiles]:
    made = []
    for path in paths:
        stem = names.plain(names.stem(path.name))
        for group in _inside(path):
            name = group if len(paths) == 1 else f"{stem}/{group}".rstrip("/")
            made.append(FieldFiles(name, _known(path, group, plate), {(0, None, 0): path}, group))
    return _distinct(made)


def _known(path: Path, group: str, plate: str | None) -> dict[str, Any]:
    """The columns that a store knows of its own field, with the plate's name; a file knows none."""
    if not opening.is_zarr(path):
        return {}
    try:
        columns = opening.image(Source(path, group)).about.metadata
    except CellError:  # left to the block that reads it
        return {}
    if not columns.get("Metadata_Well"):
        return columns
    return columns | {"Metadata_Plate": columns.get("Metadata_Plate") or plate}


def _inside(path: Path) -> list[str]:
    """Images in a file. A file that cannot be read is left to the block that reads it."""
    try:
        return opening.groups(path)
    except CellError:
        return [""]


def with_layout(
    fields: list[FieldFiles], known: "dict[Key, dict[str, Any]]", name: str
) -> tuple[list[FieldFiles], list[str]]:
    """Fields with their wells' columns of a layout; and the wells that it does not have.

    Those get nulls. DataError if it has none of them: then plate or pattern is wrong.
    """
    from libcell.data import layout  # brings pyarrow, which files without a layout do not need

    blank = dict.fromkeys(next(iter(known.values()), {}))
    made, absent = [], []
    for field in fields:
        well = field.metadata.get("Metadata_Well")
        if not well:
            raise DataError(f"{name}: field {field.group or '(the image)'} has no well; "
                            "name it in --pattern")
        found = layout.lookup(known, field.metadata.get("Metadata_Plate"), well)
        absent += [] if found is not None else [well]
        made.append(replace(field, metadata=field.metadata | (blank if found is None else found)))
    if len(absent) == len(fields):
        plates = ", ".join(sorted({str(p) for p, _ in known if p})) or "no plate by name"
        ours = fields[0].metadata.get("Metadata_Plate")
        raise DataError(f"{name}: has none of the wells, e.g. {absent[0]} of plate {ours!r}; it is "
                        f"about {plates} (see --plate)")
    return made, absent
