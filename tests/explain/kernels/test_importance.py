"""Importance finds the column that matters, in the group it belongs to."""

import numpy as np
import pytest

from libcell.errors import DataError, UsageFault
from libcell.explain.kernels.importance import permutation_importance

GROUPS = {"shape": [0, 1], "intensity": [2], "all": [0, 1, 2]}


def run(groups=GROUPS, seed=0, **options):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 3))
    X[:, 1] = X[:, 0]  # a twin: permuting either alone would still give the answer away
    X.flags.writeable = False

    def predict(values):
        return np.where(values[:, 0] + values[:, 1] > 0, "b", "a")

    return permutation_importance(predict, X, predict(X), groups, seed=seed, **options)


def test_groups_that_matter_are_found():
    table = run()
    assert table.baseline == 1
    by_name = {each.group: each for each in table.groups}
    assert by_name["shape"].mean == pytest.approx(0.5, abs=0.06)
    assert by_name["intensity"].mean == 0 and by_name["intensity"].sd == 0
    assert by_name["all"].drops == by_name["shape"].drops
    assert len(by_name["shape"].drops) == 10
    assert by_name["shape"].sd == pytest.approx(np.std(by_name["shape"].drops, ddof=1))


def test_the_result_depends_on_the_seed_and_on_nothing_else():
    assert run() == run()
    assert run(seed=1) != run()
    alone = run({"shape": [0, 1]})
    assert alone.groups[0] == run().groups[0]


def test_own_score():
    table = run(score=lambda y, pred: float((y == pred).sum()))
    assert table.baseline == 300


@pytest.mark.parametrize(
    ("groups", "options", "says"),
    [
        ({"shape": []}, {}, "shape has no columns"),
        ({"shape": [3]}, {}, r"columns \[3\], X has 0..2"),
        ({"shape": [-1]}, {}, r"columns \[-1\]"),
        ({}, {}, "none were given"),
        (GROUPS, {"n_repeats": 1}, "at least 2"),
    ],
)
def test_bad_groups(groups, options, says):
    with pytest.raises(UsageFault, match=says):
        run(groups, **options)


def test_bad_shapes():
    with pytest.raises(DataError, match="expected"):
        permutation_importance(lambda X: X, np.zeros((3, 2)), np.zeros(2), {"a": [0]}, seed=0)
