"""Inputs that go away or change while they are read: no output is of two states of an input."""

from collections.abc import Callable

from .bench import Bench
from .cases import Case
from .events import once_at
from .given import Given
from .table import Row

REFUSED = (65, 66, 75)
EXISTS = 73


def try_inputs(bench: Bench, case: Case, moments: int) -> Row:
    """At several moments of a run its input vanishes, or has other content."""
    row = Row("inputs in motion", case.name)
    aim = bench.undisturbed(case)
    given = Given.of(bench, case)
    late = 0
    for number in range(moments):
        at = 1 + number * aim.events // moments
        for what, change in (("vanishes", given.vanish), ("changes", given.change)):
            found, ended = _moved(bench, case, given, at, change)
            row.add(found and f"the input {what} at event {at} of {aim.events}: {found}")
            late += ended == 0
    row.note = f"{late} too late to matter" if late else ""
    bench.clear()
    return row


def _moved(
    bench: Bench, case: Case, given: Given, at: int, change: Callable[[], None]
) -> tuple[str | None, int]:
    aim = bench.undisturbed(case).contents
    bench.clear()
    with given.kept():
        ended, watch = bench.watched(case, act=once_at(at, change))
        there = bench.contents(case)
    if ended.code == 0:
        return (None if there == aim else "exit 0 with other bytes"), 0
    if ended.code not in REFUSED or there or "Traceback" in ended.said:
        return f"exit {ended.code}, {watch.last}: {ended.said.strip()[-300:]}", ended.code
    again = bench.run(case, "--resume")
    if again.code == EXISTS and "--force" in again.said:
        again = bench.run(case, "--force")
    if again.code or bench.contents(case) != aim or bench.leftovers(case):
        return f"then: exit {again.code} or other bytes: {again.said.strip()[-300:]}", ended.code
    return None, ended.code
