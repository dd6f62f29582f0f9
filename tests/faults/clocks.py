"""Clocks that go back or forth between a kill and `--resume`, and inputs with odd times.

What was finished is known by the journal and inputs by size and time or by digest, so a clock
can make a run refuse to go on, but not go on wrongly.
"""

import os
import time

from .bench import Bench
from .cases import Case
from .events import Watch, die_at
from .given import Given
from .processes import Ended
from .table import Row

EXISTS = 73
PAST, FUTURE = 10**9, 4 * 10**9  # 2001 and 2096
YEARS_S = 10 * 365 * 86_400.0


def try_clocks(bench: Bench, case: Case) -> Row:
    """Files of the unfinished run, the process's clock, and an input's time moved."""
    row = Row("clock going back", case.name)
    for told in (_files_moved(bench, case, PAST), _files_moved(bench, case, FUTURE),
                 _clock_back(bench, case), _input_moved(bench, case), _old_input(bench, case)):
        row.add(told)
    bench.clear()
    return row


def _cut_off(bench: Bench, case: Case) -> bool:
    """Kill a run as late as leaves it unfinished, after two thirds of its file events or fewer;
    whether blocks are done."""
    aim = bench.undisturbed(case)
    for at in range(1 + aim.events * 2 // 3, 0, -1):
        bench.clear()
        ended = bench.run(case, watch=Watch(bench.out, die_at(at, 0)))
        assert ended.killed, ended.said
        if bench.contents(case) is None:
            break
    journal = bench.partial(case) / "journal.jsonl"
    return journal.exists() and b"\n" in journal.read_bytes()


def _refused(ended: Ended) -> bool:
    """Whether going on was refused, and said what to do."""
    return ended.code == EXISTS and "--force" in ended.said


def _resumed(bench: Bench, case: Case, what: str, clock: bool = False) -> str | None:
    ended = bench.run(case, "--resume", first=_turn_back if clock else None)
    if ended.code or bench.contents(case) != bench.undisturbed(case).contents:
        return f"{what}: exit {ended.code} or other bytes: {ended.said.strip()[-300:]}"
    return None


def _files_moved(bench: Bench, case: Case, when: int) -> str | None:
    _cut_off(bench, case)
    for path in [*bench.partial(case).rglob("*"), bench.partial(case)]:
        os.utime(path, (when, when))
    return _resumed(bench, case, f"files of {time.gmtime(when).tm_year}")


def _clock_back(bench: Bench, case: Case) -> str | None:
    _cut_off(bench, case)
    return _resumed(bench, case, "a clock ten years back", clock=True)


def _turn_back() -> None:
    """In the child: Python's wall clocks tell a time long ago."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() - YEARS_S
    time.time_ns = lambda: now_ns() - int(YEARS_S * 1e9)


def _input_moved(bench: Bench, case: Case) -> str | None:
    """An input written anew, with the same content, by a clock that was set back: either that is
    no difference (it is known by its digest), or going on is refused."""
    given = Given.of(bench, case)
    with given.kept():
        _cut_off(bench, case)
        given.touch(PAST)
        ended = bench.run(case, "--resume")
        if ended.code == 0:
            same = bench.contents(case) == bench.undisturbed(case).contents
            return None if same else "an input's time moved: other bytes"
        if not _refused(ended):
            return f"an input's time moved: exit {ended.code}: {ended.said[-300:]}"
    return _resumed(bench, case, "the input's time is as it was")


def _old_input(bench: Bench, case: Case) -> str | None:
    """An input with other content, and a time before all others."""
    given = Given.of(bench, case)
    with given.kept():
        begun = _cut_off(bench, case)
        given.change(PAST)
        ended = bench.run(case, "--resume")
        if not _refused(ended):
            bench.clear()
            fine = not begun and ended.code in (0, 65, 66)  # nothing was there to go on with
            return None if fine else f"another input of old: exit {ended.code}: {ended.said[-300:]}"
    return _resumed(bench, case, "the input is as it was")
