"""Several processes and one output: the first finishes unharmed, the others are told."""

import time

from .bench import Bench
from .cases import Case
from .events import Watch, wait_at_each
from .table import Row

EXISTS = 73
SLOW_S = 0.01
TOGETHER = 3
PATIENCE_S = 60.0


def try_company(bench: Bench, case: Case, rounds: int) -> Row:
    """A second process while the first is at work, in three ways; then several at one time."""
    row = Row("two on one output", case.name)
    for more in ((), ("--resume",), ("--force",)):
        row.add(_second(bench, case, more))
    for number in range(rounds):
        row.add(_at_once(bench, case, ("--force",) if number % 2 else ()))
    bench.clear()
    return row


def _second(bench: Bench, case: Case, more: tuple[str, ...]) -> str | None:
    aim = bench.undisturbed(case)
    bench.clear()
    first = bench.start(case, watch=Watch(bench.out, wait_at_each(SLOW_S)))
    end = time.monotonic() + PATIENCE_S
    while not (bench.partial(case) / "job.json").exists():
        if time.monotonic() > end:
            first.kill()
            return f"the first did not begin: {first.wait().said[-300:]}"
        time.sleep(0.002)
    second = bench.start(case, *more, logs="second").wait()
    done = first.wait()
    if second.code != EXISTS or "another process is writing it" not in second.said:
        return f"the second, {more}: exit {second.code}: {second.said[-300:]}"
    if done.code or bench.contents(case) != aim.contents or bench.leftovers(case):
        return f"the first: exit {done.code}, other bytes or leftovers: {done.said[-300:]}"
    return None


def _at_once(bench: Bench, case: Case, more: tuple[str, ...]) -> str | None:
    """As many as there are begin at one moment. One makes the output; with `--force` perhaps
    one after the other; and nothing is left of any."""
    aim = bench.undisturbed(case)
    bench.clear()
    start = time.monotonic() + 0.3

    def wait() -> None:
        time.sleep(max(0.0, start - time.monotonic()))

    children = [bench.start(case, *more, first=wait, logs=f"together-{k}")
                for k in range(TOGETHER)]
    ended = [child.wait() for child in children]
    codes = sorted(e.code for e in ended)
    right = set(codes) <= {0, EXISTS} and 0 in codes and (bool(more) or codes.count(0) == 1)
    if not right:
        return f"{more}: exits {codes}: {' | '.join(e.said.strip()[-200:] for e in ended)}"
    if bench.contents(case) != aim.contents or bench.leftovers(case):
        return f"{more}: other bytes, or {bench.leftovers(case)} left"
    return None
