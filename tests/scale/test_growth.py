"""Growth is told from what is paid once, and from noise."""

import pytest

from tests.scale.costs import Cost
from tests.scale.growth import at, exponent, surely
from tests.scale.steps import Step
from tests.scale.verdict import judge

SIZES = [10, 100, 1000]


@pytest.mark.parametrize("power", [0.5, 1.0, 1.5, 2.0])
def test_exponent_does_not_see_what_is_paid_once(power):
    for once in (0.0, 30.0):
        found = exponent(SIZES, [once + 0.01 * n**power for n in SIZES])
        assert found == pytest.approx(power, abs=1e-6)


def test_nothing_that_grows_has_no_exponent():
    assert exponent(SIZES, [2.0, 2.0, 2.0]) is None


def test_noise_of_timing_does_not_condemn_and_a_square_does():
    assert surely(SIZES, [1.0, 1.02, 2.5]) <= 1.15  # as linear as can be told
    assert surely(SIZES, [1.1, 1.0, 1.05]) == 0
    assert surely(SIZES, [1 + 1e-5 * n**2 for n in SIZES]) > 1.3


def test_a_million_fields_at_the_growth_between_the_last_two():
    assert at(1e6, SIZES, [1.1, 2.0, 11.0], 1.0) == pytest.approx(1 + 0.01 * 1e6)


def costs(cpu, memory, files):
    return {n: Cost(1.0, cpu(n), round(memory(n)), files * n, 1000 * n) for n in SIZES}


@pytest.mark.parametrize(("cpu", "memory", "files", "missed"), [
    (lambda n: 1 + 0.01 * n, lambda n: 2e8, 4, None),
    (lambda n: 1 + 1e-4 * n**2, lambda n: 2e8, 4, "time"),
    (lambda n: 1 + 0.01 * n, lambda n: 1e8 + 3e5 * n, 4, "memory"),
    (lambda n: 1 + 0.01 * n, lambda n: 2e8, 9, "files"),
])
def test_a_line_falls_short_for_one_reason(cpu, memory, files, missed):
    line = judge(Step("x", "cell-x y", "x", files=5), costs(cpu, memory, files))
    assert [m for m in line.misses if missed and missed in m] == list(line.misses)
    assert bool(line.misses) == bool(missed)


def test_a_held_table_may_grow_with_its_rows_and_no_faster():
    held = Step("x", "cell-x y", "x", files=5, holds=True)
    assert not judge(held, costs(lambda n: 1.0, lambda n: 1e8 + 1e6 * n, 1)).misses
    assert judge(held, costs(lambda n: 1.0, lambda n: 1e8 + 1e3 * n**2, 1)).misses


def test_what_other_work_added_is_taken_off_by_a_second_run():
    first, second = Cost(9.0, 8.0, 100, 3, 50), Cost(5.0, 6.0, 120, 3, 50)
    assert first.beside(None) == first
    assert first.beside(second) == second.beside(first) == Cost(5.0, 6.0, 120, 3, 50)
