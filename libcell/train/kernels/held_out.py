"""What a model's card says of its split and of how it did on what was held out."""

from typing import Any

import numpy as np

from libcell.errors import DataError, UsageFault
from libcell.train.kernels import scores, split_audit, splits
from libcell.train.kernels.figures import brief
from libcell.train.kernels.split_audit import Leak

NAMED = 5  # leaks that a warning names one by one


def rounds(
    y: np.ndarray, groups: np.ndarray, *, fractions: tuple[float, float, float],
    folds: int | None = None, fold: int | None = None, leave_one_out: bool = False,
    hold_out: tuple[str, ...] = (), seed: int,
) -> list[np.ndarray]:
    """str (n,), one or several: train, validation or test of each row, whole groups only.

    One, by `fractions`, or with the groups `hold_out` as the test and the others for training
    and validation in their fractions. Where `folds` are asked for, or every group is to be left
    out once, one for each fold, which is the test there, or that of number `fold` alone; the
    next one validates, but for groups without which a class could not be learnt.
    """
    if sum([folds is not None, leave_one_out, bool(hold_out)]) > 1:
        raise UsageFault("--folds, --leave-one-out and --hold-out: expected one of them")
    if folds is None and not leave_one_out:
        return [_named_out(y, groups, fractions, hold_out, seed) if hold_out
                else splits.group_split(y, groups, fractions=fractions, seed=seed)]
    if leave_one_out:
        dealt, names = splits.leave_one_group_out(y, groups)
        count = len(names)
    else:
        assert folds
        dealt, count = splits.group_folds(y, groups, folds, seed), folds
    if fold is not None and fold >= count:
        raise UsageFault(f"--fold {fold}: there are {count} folds, from 0")
    asked = range(count) if fold is None else [fold]
    return [_of_fold(y, groups, dealt, k, count) for k in asked]


def _of_fold(
    y: np.ndarray, groups: np.ndarray, dealt: np.ndarray, fold: int, count: int
) -> np.ndarray:
    """The parts where `fold` of `dealt` (n,) is the test. With two folds nothing validates."""
    made = np.where(dealt == fold, "test", "train").astype("<U10")  # room for "validation"
    if count > 2:
        made[dealt == (fold + 1) % count] = "validation"
    for label in np.setdiff1d(y, y[made == "train"]):
        needed = groups[(y == label) & (made == "validation")]
        made[groups == needed[0]] = "train"
    return made


def fractions_of(given: tuple[float, ...]) -> tuple[float, float, float]:
    """Three shares, as --fractions gives them."""
    if len(given) != 3:
        raise UsageFault("--fractions: expected three numbers, e.g. 0.6,0.1,0.3")
    return given[0], given[1], given[2]


def _named_out(
    y: np.ndarray, groups: np.ndarray, fractions: tuple[float, float, float],
    hold_out: tuple[str, ...], seed: int,
) -> np.ndarray:
    unknown = sorted(set(hold_out) - set(groups.tolist()))
    if unknown:
        raise DataError(f"--hold-out: there is no group {', '.join(unknown)}; there are "
                        f"{', '.join(sorted(set(groups.tolist()))[:8])} ...")
    test = np.isin(groups.astype(str), hold_out)
    absent = np.setdiff1d(y, y[~test])
    if len(absent):
        raise DataError(f"--hold-out: {len(absent)} of {len(np.unique(y))} classes are in these "
                        "groups alone; leave them out with --classes")
    share = fractions[0] + fractions[1]
    made = np.full(len(y), "validation", dtype="<U10")
    made[test] = "test"
    made[~test] = "train" if not fractions[1] else splits.group_split(
        y[~test], groups[~test], fractions=(fractions[0] / share, fractions[1] / share, 0),
        seed=seed)
    return made


def told_parts(values: np.ndarray, what: str) -> np.ndarray:
    """Parts as a column of the data tells them; DataError for other words."""
    strange = sorted({str(v) for v in values} - set(splits.SPLITS))
    if strange:
        raise DataError(f"{what}: holds {', '.join(strange[:3])}; expected "
                        f"{', '.join(splits.SPLITS)}")
    if not (values == "train").any():
        raise DataError(f"{what}: no row is for training")
    return values


def figures(
    proba: np.ndarray, y: np.ndarray, classes: np.ndarray, split: np.ndarray, groups: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Scores of the held-out parts that there are; NaN becomes None.

    `proba` (n,k), `y` int (n,) into `classes` (k,), `split` and `groups` (n,).
    """
    made = {}
    for part in ("validation", "test"):
        rows = split == part
        if rows.any():
            made[part] = brief(scores.classification_scores(
                classes[y[rows]], proba[rows], classes, groups[rows], seed=seed))
    return made


def split_card(
    columns: tuple[str, ...], groups: np.ndarray, split: np.ndarray, y: np.ndarray,
    classes: np.ndarray, leaks: list[Leak],
) -> dict[str, Any]:
    """Which groups are in which part, what leaks, which class is missing where."""
    absent = split_audit.absent_classes(classes[y], split)
    warnings = [f"class {a.label} is not in {a.split}" for a in absent]
    warnings += [told(leak) for leak in leaks[:NAMED]]
    return {
        "by": list(columns),
        "groups": {p: sorted(np.unique(groups[split == p]).tolist()) for p in splits.SPLITS},
        "rows": {p: int((split == p).sum()) for p in splits.SPLITS},
        "leaks": len(leaks),
        "warnings": warnings,
    }


def told(leak: Leak) -> str:
    """A leak in words."""
    return f"{leak.kind} {leak.what} is in {' and '.join(map(str, leak.splits))}"
