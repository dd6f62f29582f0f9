"""Train, validation and test by whole groups, and cross-validation folds.

A group is whatever must not be cut: a well, a donor, a track. Well names repeat on every plate,
so pass `plate/well`. Published splits went wrong in three ways that cannot happen here: the key
called "well" was the field of view, test wells were drawn with replacement, and the seed was not
used (SYSTEMS.md 3.7, 3.8).
"""

import numpy as np
from numpy.typing import ArrayLike

from libcell.errors import DataError, UsageFault
from libcell.train.kernels.codes import codes, same_length
from libcell.train.kernels.group_assignment import deal
from libcell.train.kernels.split_audit import AbsentClass, Leak, absent_classes, audit

__all__ = [
    "SPLITS",
    "AbsentClass",
    "Leak",
    "absent_classes",
    "audit",
    "group_folds",
    "group_split",
    "leave_one_group_out",
]

SPLITS = ("train", "validation", "test")
PRESENT = 10.0  # a class present where it was absent outweighs any evenness (room is at most 1)


def group_split(
    y: ArrayLike,
    groups: ArrayLike,
    *,
    fractions: tuple[float, float, float] = (0.6, 0.1, 0.3),
    seed: int,
) -> np.ndarray:
    """str (n,): "train", "validation" or "test" for each row, whole groups only.

    `y` and `groups` (n,) are strings or integers. `fractions` are of train, validation and test;
    0 leaves a split out. Every class is in train. With few groups it is presence that counts,
    in test before validation, then the fractions; `absent_classes` lists what a split lacks all
    the same. The order of rows does not matter.
    """
    wanted = _check_fractions(fractions)
    counts, group = _count(y, groups)
    used = int((wanted > 0).sum())
    if len(counts) < used:
        raise DataError(
            f"{len(counts)} groups cannot fill {used} splits; set a fraction to 0 or add groups"
        )
    # each step outweighs all classes of the next, so that train never lacks one
    step = counts.shape[1] + 1
    chosen = deal(counts, wanted, PRESENT * np.array([step**2, 1, step]), seed=seed)
    empty = [name for i, name in enumerate(SPLITS) if wanted[i] > 0 and not (chosen == i).any()]
    if empty:
        raise DataError(
            f"no group left for {' and '.join(empty)}: {len(counts)} groups of "
            f"{counts.shape[1]} classes are too few; set its fraction to 0 or add groups"
        )
    return np.array(SPLITS)[chosen][group]


def group_folds(y: ArrayLike, groups: ArrayLike, k: int, seed: int) -> np.ndarray:
    """int64 (n,): the fold, 0..k-1, in which each row is tested, whole groups only.

    Stratified by class as far as whole groups allow. No fold is empty, and each class is in the
    training part of every fold; a class with fewer groups than folds is absent from the test
    part of some (`absent_classes` lists them).
    """
    if k < 2:
        raise UsageFault(f"{k} fold(s); expected at least 2")
    counts, group = _count(y, groups)
    if len(counts) < k:
        raise DataError(
            f"{len(counts)} groups cannot fill {k} folds; ask for at most {len(counts)} folds"
        )
    chosen = deal(counts, np.full(k, 1 / k), np.full(k, PRESENT), seed=seed)
    _check_trainable(y, chosen[group])
    return chosen[group]


def leave_one_group_out(y: ArrayLike, groups: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Fold of each row, int64 (n,), one fold per group; and the groups' names (g,), by fold."""
    _count(y, groups)
    names, group = codes(groups, "group")
    return group, names


def _count(y: ArrayLike, groups: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Rows of each class in each group, int64 (g, k), and the group of each row, int64 (n,)."""
    classes, label = codes(y, "class")
    names, group = codes(groups, "group")
    same_length(y=label, groups=group)
    if len(classes) < 2:
        raise DataError(f"only one class, {classes[0]!s}; a split for a classifier needs two")
    counts = np.zeros((len(names), len(classes)), np.int64)
    np.add.at(counts, (group, label), 1)
    held = (counts > 0).sum(axis=0)
    if (held < 2).any():
        single = [
            f"{classes[i]!s} (group {names[np.argmax(counts[:, i] > 0)]!s})"
            for i in np.flatnonzero(held < 2)
        ]
        raise DataError(
            f"in one group only, so it cannot be held out: class {', '.join(single)}; "
            "add groups or leave the class out"
        )
    return counts, group


def _check_trainable(y: ArrayLike, fold: np.ndarray) -> None:
    """An error where all groups of a class are in one fold: its test has nothing to train on."""
    classes, label = codes(y, "class")
    stuck = [str(name) for i, name in enumerate(classes) if np.ptp(fold[label == i]) == 0]
    if stuck:
        raise DataError(
            f"no way found to have class {', '.join(stuck)} in two folds without cutting a group; "
            "leave the class out or add groups"
        )


def _check_fractions(fractions: tuple[float, float, float]) -> np.ndarray:
    """float64 (3,), adding up to 1."""
    wanted = np.asarray(fractions, float)
    good = wanted.shape == (3,) and (wanted >= 0).all() and abs(wanted.sum() - 1) < 1e-9
    if not good or wanted[0] == 0 or (wanted > 0).sum() < 2:
        raise UsageFault(
            f"fractions {fractions}: expected train, validation and test shares that add up to 1, "
            "with something to train on and something held out"
        )
    return wanted
