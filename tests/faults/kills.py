"""Killed at any moment, taken up again: the end bytes are those of an undisturbed run.

Between the kill and `--resume` the output's name stands for nothing or for something whole. Half
of the kills come at a random time, half before or shortly after a file event, so that the short
moments in which names change are all met. Some runs replace an old output (`--force`), some are
killed a second time while they go on.
"""

import random

from .bench import Bench, Contents, Undisturbed
from .cases import Case
from .events import Watch, die_at
from .processes import Ended
from .table import Row

EXISTS = 73


def try_kills(bench: Bench, case: Case, count: int, seed: int, alone: bool = False) -> Row:
    """Kill `count` runs of a case and take up each. `alone`: at random times, and the processes
    that it started are not killed with it."""
    row = Row("kill -9 of processes" if alone else "kill -9, --resume", case.name)
    aim = bench.undisturbed(case)
    told = dict.fromkeys(("in vain", "whole already", "twice"), 0)
    for number in range(count):
        dice = random.Random(f"{seed} {case.name} {number}")
        one = _Kill(bench, case, aim, number, count, dice, alone)
        problem = one.judge()
        row.add(problem and f"kill {number} ({one.moment}): {problem}")
        for what in one.told:
            told[what] += 1
    row.note = ", ".join(f"{n} {what}" for what, n in told.items() if n)
    bench.clear()
    return row


class _Kill:
    """One run, its end, and how it went on."""

    def __init__(self, bench: Bench, case: Case, aim: Undisturbed, number: int, count: int,
                 dice: random.Random, alone: bool = False):
        self.bench, self.case, self.aim, self.dice = bench, case, aim, dice
        self.alone = alone
        self.force = ("--force",) if number % 5 == 4 else ()
        self.twice = number % 3 == 2
        self.at = None
        if number % 2 == 0 and not alone:  # spread over all events, the last ones among them
            events = aim.events + (12 if self.force else 0)
            self.at = 1 + (number // 2) * (events - 1) // max(1, (count - 1) // 2)
        self.moment = ""
        self.told: list[str] = []
        self.old: Contents | None = None

    def judge(self) -> str | None:
        """What is not as promised, if anything."""
        bench, case = self.bench, self.case
        bench.clear()
        self.old = bench.put_old(case) if self.force else None
        ended = self._die(*self.force)
        problem = self._between(ended)
        if problem or ended.code == 0:
            self.told += ["in vain"] if ended.code == 0 else []
            return problem
        if self.twice:
            self.told.append("twice")
            again = self._die("--resume", *self.force)
            problem = self._between(again)
            if problem or again.code == 0:
                return problem
        return self._end()

    def _die(self, *more: str) -> Ended:
        if self.at is None:
            seconds = self.dice.uniform(0, self.aim.seconds)
            self.moment = f"after {seconds:.3f} s"
            return self.bench.run(self.case, *more, kill_after=seconds, alone=self.alone)
        later = self.dice.choice((0, 0, self.dice.uniform(0, 0.003)))
        watch = Watch(self.bench.out, die_at(self.at, later))
        ended = self.bench.run(self.case, *more, watch=watch)
        self.moment = f"event {self.at} + {later * 1e3:.1f} ms: {watch.last}"
        self.at = self.dice.randint(1, self.aim.events)  # of the second time
        return ended

    def _between(self, ended: Ended) -> str | None:
        """What is wrong after a kill (or an end before it)."""
        there = self.bench.contents(self.case)
        if ended.code == 0:
            return None if there == self.aim.contents else "finished, but with other bytes"
        if not ended.killed:
            exists = ended.code == EXISTS and there == self.aim.contents
            return None if exists else f"exit {ended.code}: {ended.said.strip()[-300:]}"
        if there not in (None, self.old, self.aim.contents):
            return f"half an output has the name: {_difference(self.aim.contents, there)}"
        return None

    def _end(self) -> str | None:
        """Go on and compare."""
        bench, case = self.bench, self.case
        whole = bench.contents(case) == self.aim.contents
        ended = bench.run(case, "--resume", *self.force)
        if whole and not self.force:
            self.told.append("whole already")
            if ended.code != EXISTS:
                return f"exit {ended.code} where the output was whole: {ended.said[-300:]}"
        elif ended.code:
            return f"--resume: exit {ended.code}: {ended.said.strip()[-300:]}"
        there = bench.contents(case)
        if there != self.aim.contents:
            return f"--resume: {_difference(self.aim.contents, there)}"
        left = bench.leftovers(case)
        return f"--resume left {left}" if left else None


def _difference(wanted: Contents, there: Contents | None) -> str:
    there = there or {}
    named = {"missing": sorted(wanted.keys() - there.keys()),
             "too many": sorted(there.keys() - wanted.keys()),
             "other bytes": sorted(k for k in wanted.keys() & there.keys()
                                   if wanted[k] != there[k])}
    return "; ".join(f"{what}: {', '.join(names[:4])} ({len(names)})"
                     for what, names in named.items() if names) or "nothing is there"
