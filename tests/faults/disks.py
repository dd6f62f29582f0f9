"""Disks that are full, read-only or slow."""

import os
from collections.abc import Callable
from typing import Any

from . import mounts
from .bench import Bench
from .cases import Case
from .events import wait_at_each
from .processes import Ended
from .table import Row

MIB = 2**20
ROOM = 256 * MIB
SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)  # of the room that the run needs
FILES = (6, 9, 14)
PARTLY, EXISTS = 75, 73
SLOW_S = 0.002


def try_full(bench: Bench, case: Case, shares: tuple[float, ...] = SHARES,
             files: tuple[int, ...] = FILES) -> Row:
    """No room for all bytes, or all files: 75 in one line; with more room `--resume` goes on."""
    row = Row("full disk, --resume", case.name)
    aim = bench.undisturbed(case)

    def work() -> list[Any]:
        mounts.small(bench.out, ROOM)
        need = _peak(bench, case)
        mounts.leave(bench.out)
        tries = [(int(s * need), 0) for s in shares] + [(ROOM, f) for f in files]
        return [_full(bench, case, size, number, aim.contents) for size, number in tries]

    found = _alone(row, work)
    for told in found:
        if told != "fits":
            row.add(told)
    row.note = f"{found.count('fits')} fit" if "fits" in found else ""
    return row


def _full(bench: Bench, case: Case, size: int, files: int, aim: dict[str, str]) -> str | None:
    """One disk of that size; None if all was as promised."""
    where = f"{files} files" if files else f"{size / MIB:.2f} MiB"
    mounts.small(bench.out, size, files)
    try:
        ended = bench.run(case)
        if ended.code == 0:
            return "fits" if bench.contents(case) == aim else f"{where}: other bytes, exit 0"
        if ended.code != PARTLY or bench.contents(case) or not _plain(ended, "space left"):
            return f"{where}: exit {ended.code}: {ended.said.strip()[-400:]}"
        mounts.enlarge(bench.out, ROOM)
        ended = bench.run(case, "--resume")
        if ended.code or bench.contents(case) != aim or bench.leftovers(case):
            return f"{where}: --resume: exit {ended.code}, other bytes or leftovers: {ended.said}"
        return None
    finally:
        mounts.leave(bench.out)


def _peak(bench: Bench, case: Case) -> int:
    """Bytes that a run takes at most, as far as looking every millisecond tells."""
    most = 0

    def look() -> None:
        nonlocal most
        state = os.statvfs(bench.out)
        most = max(most, (state.f_blocks - state.f_bfree) * state.f_frsize)

    bench.start(case).wait(meanwhile=look)
    look()
    return most


def try_read_only(bench: Bench, case: Case) -> Row:
    """Outputs that cannot be written: 73 in one line. Inputs that cannot: no difference."""
    row = Row("read-only disk", case.name)
    aim = bench.undisturbed(case)

    def work() -> list[Any]:
        return [_no_output(bench, case), _no_changes(bench, case, aim.contents)]

    for told in _alone(row, work):
        row.add(told)
    return row


def _no_output(bench: Bench, case: Case) -> str | None:
    mounts.lock(bench.out)
    try:
        ended = bench.run(case)
        if ended.code == EXISTS and _plain(ended, "cannot be created") and not ended.out:
            return None
        return f"output: exit {ended.code}: {ended.said.strip()[-400:]}"
    finally:
        mounts.leave(bench.out)


def _no_changes(bench: Bench, case: Case, aim: dict[str, str]) -> str | None:
    mounts.lock(bench.folder)
    mounts.small(bench.out, ROOM)
    try:
        ended = bench.run(case)
        if ended.code == 0 and bench.contents(case) == aim:
            return None
        return f"inputs: exit {ended.code}: {ended.said.strip()[-400:]}"
    finally:
        mounts.leave(bench.out)
        mounts.leave(bench.folder)


def try_slow(bench: Bench, case: Case) -> Row:
    """Every access to a file takes its time: the same bytes, later."""
    row = Row("slow disk", case.name)
    aim = bench.undisturbed(case)
    bench.clear()
    ended, watch = bench.watched(case, act=wait_at_each(SLOW_S), reads=True)
    same = ended.code == 0 and bench.contents(case) == aim.contents
    row.add(None if same else f"exit {ended.code}: {ended.said.strip()[-300:]}")
    row.note = f"{watch.count} accesses of {SLOW_S * 1e3:g} ms more: {ended.seconds:.1f} s " \
               f"instead of {aim.seconds:.1f}"
    bench.clear()
    return row


def _alone(row: Row, work: Callable[[], list[Any]]) -> list[Any]:
    try:
        return list(mounts.alone(work))
    except mounts.Impossible as error:
        row.impossible, row.note = True, f"no mounts of one's own: {error}"
        return []


def _plain(ended: Ended, *words: str) -> bool:
    """Whether the last line says so, and nothing on the way is for programmers alone."""
    lines = ended.said.strip().splitlines()
    return bool(lines) and all(w in lines[-1] for w in words) and \
        "Traceback" not in ended.said and "internal error" not in ended.said
