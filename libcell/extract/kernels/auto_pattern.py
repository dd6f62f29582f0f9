"""A file-name pattern proposed from the names themselves, with its reasons.

Names are cut at their separators. Parts that are the same in all names stay as they are; a part
that varies is recognised by its form (`B07`: well, `02d12h00m`: time) or by the letters before
its number (`s3`, `ch1`, `t012`). Nothing is guessed beyond that: what is not recognised, or what
would give two files the same place, is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from libcell.errors import DataError
from libcell.extract.kernels import pattern as names

SEPARATOR = re.compile(r"([_\-. ]+)")
WELL = re.compile(r"[A-Pa-p](0?[1-9]|1\d|2[0-4])")
ROW = re.compile(r"[A-Pa-p]")
NUMBERED = re.compile(r"([A-Za-z]+)(\d+)")
MEANING = {
    "s": "site", "site": "site", "f": "site", "field": "site", "fov": "site", "pos": "site",
    "xy": "site", "position": "site", "c": "channel", "ch": "channel", "channel": "channel",
    "w": "channel", "wavelength": "channel", "t": "t", "time": "t", "tp": "t", "frame": "t",
    "z": "z", "p": "z", "slice": "z", "r": "row", "row": "row", "col": "col", "column": "col",
    "plate": "plate", "well": "well",
}
CHANNELS = 12  # more words than this in one place are hardly stains


@dataclass(frozen=True)
class Proposal:
    """A pattern, and what it finds in the names."""

    pattern: str
    reason: str


def propose(found: Iterable[str]) -> Proposal:
    """The pattern of some files' bare names. DataError where there is no single one."""
    listed = list(dict.fromkeys(found))
    if len(listed) < 2:
        raise DataError("--pattern auto: one name has nothing to compare; leave --pattern out")
    cut = [SEPARATOR.split(name) for name in listed]
    first = cut[0]
    if any(len(c) != len(first) or c[1::2] != first[1::2] for c in cut):
        other = next(n for n, c in zip(listed, cut)
                     if len(c) != len(first) or c[1::2] != first[1::2])
        raise DataError(f"--pattern auto: {listed[0]} and {other} are of different forms; "
                        "give --pattern, or fewer files")
    columns = [[c[i] for c in cut] for i in range(0, len(first), 2)]
    parts = _together([_part(column) for column in columns], columns, first[1::2])
    pattern = parts[0] + "".join(s + p for s, p in zip(first[1::2], parts[1:]))
    if "{" not in pattern:
        raise DataError("--pattern auto: nothing in the names varies that could be recognised")
    return Proposal(pattern, _reason(pattern, listed))


def _part(values: list[str]) -> str:
    """One part of the pattern; `{?}` for a number, `{??}` for words of unknown meaning."""
    if len(set(values)) == 1:
        return values[0]
    if all(names.CLOCK.fullmatch(v) for v in values):
        return "{time}"
    if all(WELL.fullmatch(v) for v in values):
        return "{well}"
    if all(ROW.fullmatch(v) for v in values):
        return "{row}"
    if all(v.isdigit() for v in values):
        return "{?}"
    return _numbered(values) or "{??}"


def _numbered(values: list[str]) -> str | None:
    """Letters and numbers in turn, the letters the same in all: r01c02f03.

    Row and column are a well together, so both are named although only one varies.
    """
    cut = [NUMBERED.findall(v) for v in values]
    letters = [[a for a, _ in one] for one in cut]
    whole = all("".join(a + n for a, n in one) == v for one, v in zip(cut, values))
    if not whole or any(one != letters[0] for one in letters):
        return None
    made = ""
    lower = [letter.lower() for letter in letters[0]]
    for k, letter in enumerate(letters[0]):
        numbers = {one[k][1] for one in cut}
        name = MEANING.get(lower[k])
        if lower[k] == "c" and "r" in lower:
            name = "col"
        in_well = {"r", "c"} <= set(lower) and lower[k] in "rc"
        if len(numbers) == 1 and not in_well:
            made += letter + numbers.pop()
        elif name is None:
            return None
        else:
            made += f"{letter}{{{name}}}"
    return made


def _together(
    parts: list[str], columns: list[list[str]], separators: list[str]
) -> list[str]:
    """What one part alone does not tell: a column after its row, a site or stain that is left."""
    made = list(parts)
    for i, part in enumerate(made):
        if i and _is_row(made[i - 1]) and (part == "{?}" or part.isdigit()):
            made[i - 1 : i + 1] = "{row}", "{col}"
        elif i and made[i - 1] == "{row}" and part != "{col}":
            made[i - 1] = "{??}"
    _drop_running_numbers(made, columns)
    numbers = [i for i, part in enumerate(made) if part == "{?}"]
    words = [i for i, part in enumerate(made) if part == "{??}"]
    whole = "".join(made)
    if len(numbers) == 1 and "{site}" not in whole:
        made[numbers.pop()] = "{site}"
    stains = len(words) == 1 and whole.count("{") > 1 and "{channel}" not in whole
    if stains and len(set(columns[words[0]])) <= CHANNELS:
        made[words.pop()] = "{channel}"
    left = [f"{sorted(set(columns[i]))[0]} ... {sorted(set(columns[i]))[-1]}"
            for i in sorted(numbers + words)]
    if left:
        raise DataError(f"--pattern auto: what is {' and what is '.join(left)}? Name it in "
                        f"--pattern, e.g. {_example(made, separators)}")
    return made


def _is_row(part: str) -> bool:
    return part == "{row}" or (len(part) == 1 and "A" <= part <= "P")


def _drop_running_numbers(made: list[str], columns: list[list[str]]) -> None:
    """A number that follows from the well, another one for each, tells nothing: `{_}`."""
    place = [i for i, part in enumerate(made) if part in ("{well}", "{row}", "{col}")]
    wells = list(zip(*(columns[i] for i in place)))
    for i, part in enumerate(made):
        if part == "{?}" and len(set(wells)) > 2:
            pairs = len(set(zip(wells, columns[i])))
            if pairs == len(set(wells)) == len(set(columns[i])):
                made[i] = "{_}"


def _example(parts: list[str], separators: list[str]) -> str:
    named = [p.replace("{??}", "{name}").replace("{?}", "{number}") for p in parts]
    return named[0] + "".join(s + p for s, p in zip(separators, named[1:]))


def _reason(pattern: str, listed: list[str]) -> str:
    """How much of everything there is. DataError where two files would have one place."""
    expression = names.compile_pattern(pattern)
    places = {name: names.parse(expression, name) for name in listed}
    spots: dict[Any, str] = {}
    for name, place in places.items():
        other = spots.setdefault((place.field, place.channel, place.t, place.z), name)
        if other != name:
            raise DataError(f"--pattern auto: {pattern} gives {other} and {name} the same place; "
                            "give --pattern")
    every = list(places.values())
    counts: dict[str, set[Any]] = {
        "wells": {p.well for p in every if p.well}, "sites": {p.site for p in every if p.site},
        "channels": {p.channel for p in every if p.channel},
        "frames": {p.t for p in every}, "planes": {p.z for p in every},
    }
    told = [f"{len(v)} {k}" + (f" ({', '.join(sorted(map(str, v)))})"
                               if k == "channels" and len(v) <= CHANNELS else "")
            for k, v in counts.items() if len(v) > (k in ("frames", "planes"))]
    return f"{len(listed)} names are {pattern}: {', '.join(told)}"
