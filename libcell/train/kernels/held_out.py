"""What a model's card says of its split and of how it did on what was held out."""

from typing import Any

import numpy as np

from libcell.errors import DataError, UsageFault
from libcell.train.kernels import scores, split_audit, splits
from libcell.train.kernels.figures import brief
from libcell.train.kernels.split_audit import Leak

NAMED = 5  # leaks that a warning names one by one


def parts(
    y: np.ndarray, groups: np.ndarray, *, fractions: tuple[float, float, float], folds: int | None,
    fold: int, hold_out: tuple[str, ...], seed: int,
) -> np.ndarray:
    """str (n,): train, validation or test of each row, whole groups only.

    By `fractions`; or, where `folds` are asked for, `fold` is the test, the next one the
    validation, the others are for training; or the groups `hold_out` are the test, and the
    others are for training and validation in their fractions.
    """
    if hold_out:
        return _named_out(y, groups, fractions, hold_out, seed)
    if folds is None:
        return splits.group_split(y, groups, fractions=fractions, seed=seed)
    if fold >= folds:
        raise UsageFault(f"--fold {fold}: there are {folds} folds, from 0")
    dealt = splits.group_folds(y, groups, folds, seed)
    return np.where(dealt == fold, "test",
                    np.where(dealt == (fold + 1) % folds, "validation", "train"))


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
