"""Blocks over threads and processes: in order, few at a time, failures apart."""

import os
import signal
import threading
import time

import pytest

from libcell.errors import PartlyDone, UsageFault
from libcell.run import workers
from libcell.run.blocks import Block
from libcell.run.journal import Journal


def slow_first(number):
    time.sleep(0.2 if number == 0 else 0)
    return number * 10


def fail(number):
    raise ValueError(f"no {number}")


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def results(pool, function, count):
    blocks = (Block(str(i), {"number": i}) for i in range(count))
    return [f.result() for _, f in workers.in_order(pool, function, blocks, lambda b: False)]


@pytest.mark.parametrize(("scheduler", "width"), [("threads", 1), ("threads", 3),
                                                   ("processes", 2)])
def test_results_come_in_the_order_of_the_blocks(scheduler, width):
    pool = workers.open_pool(scheduler, width)
    assert results(pool, slow_first, 12) == [i * 10 for i in range(12)]
    pool.close()


def test_a_closed_pool_of_processes_is_gone():
    """One that still closes when Python ends leaves a traceback on stderr, now and then."""
    pool = workers.open_pool("processes", 2)
    results(pool, slow_first, 2)
    pool.close()
    assert [t.name for t in threading.enumerate() if "Executor" in type(t).__name__] == []


def test_few_blocks_are_in_flight():
    taken = []

    def blocks():
        for i in range(100):
            taken.append(i)
            yield Block(str(i), {"number": i})

    pool = workers.open_pool("threads", 2)
    stream = workers.in_order(pool, slow_first, blocks(), lambda b: False)
    next(stream)
    assert len(taken) <= 2 * workers.AHEAD
    pool.close()


def test_finished_blocks_are_not_done_again():
    pool = workers.open_pool("threads", 1)
    blocks = [Block("a", {"number": 1}), Block("b", {"number": 2})]
    found = [(b.key, f and f.result()) for b, f in
             workers.in_order(pool, slow_first, blocks, lambda b: b.key == "a")]
    assert found == [("a", None), ("b", 20)]


def test_killed_worker_keeps_what_is_done():
    pool = workers.open_pool("processes", 2)
    with pytest.raises(PartlyDone, match="--resume"), workers.lost_workers():
        results(pool, die, 2)
    pool.close()


def test_scheduler_that_is_not_one():
    with pytest.raises(UsageFault, match="threads, processes"):
        workers.open_pool("fibres", 2)


def test_journal_survives_a_line_cut_short(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.add("p", "a", {"n": 1})
    journal.add("p", "b", None)
    journal.close()
    with (tmp_path / "j").open("a") as file:
        file.write('{"phase":"p","key":"c","res')
    again = Journal(tmp_path / "j")
    assert again.get("p", "a") == (True, {"n": 1})
    assert again.get("p", "b") == (True, None)
    assert again.get("p", "c") == (False, None)
    again.add("p", "c", 3)
    again.close()
    last = Journal(tmp_path / "j")
    assert last.get("p", "c") == (True, 3)
    last.close()
