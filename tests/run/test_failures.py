"""Blocks that fail: shown a few times, then counted, however many there are."""

import time
from dataclasses import dataclass

import pytest

from libcell.errors import DataError, PartlyDone
from libcell.run.blocks import Block
from libcell.run.inputs import Inputs
from libcell.run.job import SHOWN, Job
from libcell.run.method import Method
from libcell.run.reporter import Reporter
from libcell.run.workers import Inline

MANY = 30_000


@dataclass(frozen=True)
class Options:
    """None."""


class Heard(Reporter):
    def __init__(self):
        self.failed, self.warned = [], []

    def fail(self, where, error):
        self.failed.append(where)

    def warn(self, text):
        self.warned.append(text)


def work(number):
    if number == 0:
        return number
    raise (DataError if number % 2 else ValueError)(f"bad {number}")


def test_tens_of_thousands_of_failures_are_counted_and_take_no_time():
    heard = Heard()
    method = Method("x", "a method", lambda job, options: None, Options, (), "features",
                    ".parquet", "cell-x x")
    job = Job("x", method, Options(), Inputs([]), None, Inline(), heard)
    blocks = [Block(str(n), {"number": n}) for n in range(MANY)]
    before = time.process_time()
    assert [result for _, result in job.map("work", work, blocks)] == [0]
    assert time.process_time() - before < 10  # going through all failures for each took 30 s
    assert len(heard.failed) == 2 * SHOWN
    assert len(heard.warned) == 2
    with pytest.raises(PartlyDone, match=f"1 blocks done, {MANY - 1} failed"):
        job.settle()
