"""File-name patterns: `Channel{channel}-{_}-{row}-{col}.tif` and what they find.

A name in braces captures; `{_}` matches and forgets. Reserved names say where an image belongs:
plate, well (or row and col), site, channel, t, z. `{time}` is a frame's time of day and hour
(`02d12h00m`), which orders the frames and becomes `Metadata_Hours`; plain digits are a frame
number. Any other name becomes `Metadata_<Name>`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from libcell.errors import DataError, UsageFault

RESERVED = {
    "row": r"[A-Za-z]{1,2}|\d{1,2}",
    "col": r"\d{1,2}",
    "well": r"[A-Za-z]{1,2}[-_]?\d{1,2}",
    "t": r"\d+",
    "time": r"\d+d\d{1,2}h\d{1,2}m|\d{1,3}h\d{1,2}m|\d+",
    "z": r"\d+",
    "_": r".*?",
}
ALIASES = {"frame": "t", "column": "col", "field": "site", "c": "channel"}
NAME = re.compile(r"\{(\w+)\}")
CLOCK = re.compile(r"(?:(\d+)d)?(\d+)h(\d+)m")
SUFFIX = re.compile(r"(\.ome)?\.(zarr\.zip|[A-Za-z0-9]+)$", re.IGNORECASE)
PLAIN = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True)
class Place:
    """Where one file belongs: its field of view, channel, frame and plane, and the user's own."""

    plate: str | None
    row: str | None
    col: str | None
    site: str | None
    channel: str | None
    t: int
    z: int
    more: tuple[tuple[str, str], ...]
    hours: float | None = None

    @property
    def well(self) -> str | None:
        """e.g. A01."""
        return f"{self.row}{self.col}" if self.row and self.col else None

    @property
    def field(self) -> tuple[Any, ...]:
        """What files of the same field of view share."""
        return (self.plate, self.row, self.col, self.site, self.more)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression of a pattern. UsageFault for a name used twice or no name at all."""
    seen: set[str] = set()
    pieces, end = [], 0
    for found in NAME.finditer(pattern):
        name = ALIASES.get(found[1], found[1])
        if name != "_" and name in seen:
            raise UsageFault(f"--pattern: {{{found[1]}}} stands in it twice")
        seen.add(name)
        body = RESERVED.get(name, r"[^/]+?")
        pieces.append(re.escape(pattern[end : found.start()]))
        pieces.append(f"(?:{body})" if name == "_" else f"(?P<{name}>{body})")
        end = found.end()
    if not seen:
        raise UsageFault(f"--pattern {pattern}: has no {{name}} in braces")
    if {"t", "time"} <= seen:
        raise UsageFault("--pattern: give {t} or {time}, not both")
    if "well" in seen and seen & {"row", "col"}:
        raise UsageFault("--pattern: give {well}, or {row} and {col}, not both")
    pieces.append(re.escape(pattern[end:]))
    return re.compile(r"(?:^|.*/)" + "".join(pieces) + "$")


def parse(expression: re.Pattern[str], name: str) -> Place:
    """Where a file belongs. DataError if the name does not match."""
    found = expression.match(name)
    if not found:
        raise DataError(f"{name}: does not match the pattern")
    values = {k: v for k, v in found.groupdict().items() if v is not None}
    row, col = values.pop("row", None), values.pop("col", None)
    well = values.pop("well", None)
    if well:
        letters = re.match(r"[A-Za-z]+", well)
        assert letters
        row, col = letters[0], well[letters.end() :].lstrip("-_")
    time = values.pop("time", None)
    clock = CLOCK.fullmatch(time) if time else None
    minutes = None
    if clock:
        minutes = (int(clock[1] or 0) * 24 + int(clock[2])) * 60 + int(clock[3])
    return Place(
        plate=values.pop("plate", None),
        row=_letters(row) if row else None,
        col=col,
        site=values.pop("site", None),
        channel=values.pop("channel", None),
        t=int(values.pop("t", time or 0)) if minutes is None else minutes,
        z=int(values.pop("z", 0)),
        more=tuple(sorted(values.items())),
        hours=None if minutes is None else minutes / 60,
    )


def _letters(row: str) -> str:
    """A row in letters; rows by number are counted from 1, and go on with AA after Z."""
    if not row.isdigit() or not int(row):
        return row.upper()
    tens, ones = divmod(int(row) - 1, 26)
    return f"{chr(64 + tens) if tens else ''}{chr(65 + ones)}"


def group_name(place: Place, plates: int) -> str:
    """The group of a field of view: `row/column/site` on a plate, else its captured names."""
    site = plain(place.site or "0")
    if place.row and place.col:
        group = f"{place.row}/{place.col}/{site}"
        return f"{plain(place.plate or 'plate')}/{group}" if plates > 1 else group
    named = [v for v in (place.plate, place.site, *(v for _, v in place.more)) if v]
    return plain("_".join(named))


def stem(name: str) -> str:
    """A file's name without what says its format: `x.rf.03` of x.rf.03.jpg, `x` of x.ome.tif."""
    return SUFFIX.sub("", name)


def plain(text: str) -> str:
    """A name that every file system and zarr path can hold."""
    return PLAIN.sub("_", text).strip("._") or "image"


def unique(names: Iterable[str]) -> list[str]:
    """Names made unique by a number where they repeat, order kept."""
    taken: dict[str, int] = {}
    made = []
    for name in names:
        count = taken.get(name, 0)
        taken[name] = count + 1
        made.append(name if not count else f"{name}_{count}")
    return made


def metadata(place: Place, plate: str | None) -> dict[str, Any]:
    """Key columns and the user's own, from a file's place."""
    keys: dict[str, Any] = {
        "Metadata_Plate": place.plate or plate,
        "Metadata_Well": place.well,
        "Metadata_Site": place.site,
    }
    if place.hours is not None:
        keys["Metadata_Hours"] = place.hours
    return keys | {f"Metadata_{k[0].upper()}{k[1:]}": v for k, v in place.more}
