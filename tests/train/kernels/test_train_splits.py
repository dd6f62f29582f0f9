"""Whole groups, every class in train, no leak; for wells of one condition and mixed ones."""

import numpy as np
import pytest

from libcell.errors import DataError, UsageFault
from libcell.train.kernels.splits import (
    SPLITS,
    absent_classes,
    audit,
    group_folds,
    group_split,
    leave_one_group_out,
)


def plate(wells: int = 60, mixed: bool = False, cells: int = 20, seed: int = 0):
    """Labels and wells, in random row order: three conditions, one per well or mixed."""
    rng = np.random.default_rng(seed)
    group = np.repeat([f"P1/{w:03d}" for w in range(wells)], rng.poisson(cells, wells) + 1)
    number = np.array([int(name[-3:]) for name in group])
    y = rng.integers(0, 3, len(group)) if mixed else number % 3
    order = rng.permutation(len(group))
    return np.array(["astro", "neuron", "npc"])[y][order], group[order]


@pytest.mark.parametrize("mixed", [False, True])
def test_fractions_are_met_for_each_class(mixed):
    y, groups = plate(mixed=mixed)
    split = group_split(y, groups, seed=1)
    assert audit(groups, split) == [] and absent_classes(y, split) == []
    for label in np.unique(y):
        for name, wanted in zip(SPLITS, (0.6, 0.1, 0.3)):
            assert abs((split[y == label] == name).mean() - wanted) < 0.05


def test_same_seed_same_split_whatever_the_order_of_rows():
    y, groups = plate()
    split = group_split(y, groups, seed=1)
    back = np.argsort(groups, kind="stable")
    assert (group_split(y, groups, seed=1) == split).all()
    assert (group_split(y[back], groups[back], seed=1) == split[back]).all()
    assert (group_split(y, groups, seed=2) != split).any()


def test_equal_wells_are_not_taken_in_the_order_of_their_names():
    groups = np.repeat(np.arange(40), 5)
    splits = {tuple(group_split(groups % 2, groups, seed=seed)) for seed in range(5)}
    assert len(splits) == 5


def test_few_groups_go_to_train_and_test_before_validation():
    groups = np.repeat(np.arange(6), 10)
    y = groups % 3
    split = group_split(y, groups, fractions=(0.6, 0.0, 0.4), seed=0)
    assert absent_classes(y, split) == [] and set(split) == {"train", "test"}
    groups = np.repeat(np.arange(7), 10)  # class 0 has three groups, 1 and 2 have two
    split = group_split(groups % 3, groups, seed=0)
    assert [(a.label, a.split) for a in absent_classes(groups % 3, split)] == [
        ("1", "validation"),
        ("2", "validation"),
    ]


def test_no_leak_and_every_class_in_train_or_an_error():
    rng = np.random.default_rng(0)
    errors = 0
    for _ in range(300):
        n, classes = rng.integers(8, 40), rng.integers(2, 8)
        groups, y = rng.integers(0, 10, n), rng.integers(0, classes, n)
        try:
            split, fold = group_split(y, groups, seed=0), group_folds(y, groups, 3, seed=0)
        except DataError:
            errors += 1
            continue
        assert audit(groups, split) == [] and audit(groups, fold) == []
        assert len(set(split)) == 3 and len(set(fold)) == 3
        for label in np.unique(y):
            assert (split[y == label] == "train").any()
            assert np.unique(fold[y == label]).size > 1
    assert errors < 150


@pytest.mark.parametrize("mixed", [False, True])
def test_folds_are_even_and_stratified(mixed):
    y, groups = plate(mixed=mixed)
    fold = group_folds(y, groups, 5, seed=0)
    assert audit(groups, fold) == [] and absent_classes(y, fold) == []
    for label in np.unique(y):
        assert np.abs(np.bincount(fold[y == label]) / (y == label).sum() - 0.2).max() < 0.04


def test_no_fold_is_empty_when_there_are_just_enough_groups():
    groups = np.arange(4).repeat(3)
    y = groups // 2
    fold = group_folds(y, groups, 4, seed=0)
    assert np.unique(fold).size == 4
    assert len(absent_classes(y, fold)) == 4


def test_leave_one_group_out():
    y, groups = plate(wells=6)
    fold, names = leave_one_group_out(y, groups)
    assert (names[fold] == groups).all() and len(names) == 6


def test_leaks_are_found():
    groups = np.array(["a", "a", "b", "c"])
    split = np.array(["train", "test", "train", "test"])
    rows = np.array([[1.0, np.nan], [2.0, 3.0], [0.0, 5.0], [-0.0, 5.0]])
    found = audit(groups, split, rows)
    assert [leak.kind for leak in found] == ["group", "duplicate rows"]
    assert found[0].what == "a" and found[0].splits == ("test", "train")
    assert found[1].rows == (2, 3)
    rows[2:] = np.nan  # two cells without any measurement are not the same cell
    assert len(audit(groups, split, rows)) == 1


@pytest.mark.parametrize(
    ("y", "groups", "says"),
    [
        (["a", "a"], [1, 2], "only one class, a"),
        (["a", "a", "b"], [1, 2, 3], r"class b \(group 3\)"),
        (["a", None], [1, 2], "class is missing in 1 row"),
        (["a", "b"], [1.0, np.nan], "group is missing"),
        (["a", "b"], [1, 2, 3], "different length"),
        ([], [], "no rows"),
        (["a", "b"] * 2, [1, 1, 2, 2], "2 groups cannot fill 3 splits"),
        (["a", "a", "b", "b"], [1, 2, 3, 4], "no group left for validation"),
    ],
)
def test_what_cannot_be_split_is_said(y, groups, says):
    with pytest.raises(DataError, match=says):
        group_split(y, groups, seed=0)


def test_what_cannot_be_folded_is_said():
    with pytest.raises(DataError, match="2 groups cannot fill 3 folds"):
        group_folds([0, 1, 0, 1], [1, 1, 2, 2], 3, seed=0)
    with pytest.raises(UsageFault, match="at least 2"):
        group_folds([0, 1, 0, 1], [1, 1, 2, 2], 1, seed=0)
    # each class in two of three groups: two folds always leave one class in a single fold
    with pytest.raises(DataError, match="without cutting a group"):
        group_folds([0, 1, 0, 2, 3, 1, 2, 3], [1, 1, 2, 2, 2, 3, 3, 3], 2, seed=0)
    with pytest.raises(DataError, match="held out"):
        leave_one_group_out([0, 1, 0], [1, 2, 3])


@pytest.mark.parametrize("fractions", [(0.6, 0.1, 0.2), (0, 0.5, 0.5), (1, 0, 0), (1.2, 0, -0.2)])
def test_bad_fractions(fractions):
    with pytest.raises(UsageFault, match="add up to 1"):
        group_split([0, 1, 0, 1], [1, 1, 2, 2], fractions=fractions, seed=0)


def test_train_has_every_class_even_where_test_then_cannot():
    groups, y = np.array([1, 1, 2, 2, 2, 3, 3, 3]), np.array([0, 1, 0, 2, 3, 1, 2, 3])
    split = group_split(y, groups, fractions=(0.3, 0, 0.7), seed=0)
    assert set(y[split == "train"]) == {0, 1, 2, 3}
    assert [absent.split for absent in absent_classes(y, split)] == ["test"]
