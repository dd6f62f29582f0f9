"""How good a classifier is: every figure beside its interval and the majority's baseline."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from libcell.errors import DataError, UsageFault
from libcell.train.kernels import calibration
from libcell.train.kernels.codes import codes, same_length
from libcell.train.kernels.confusion import (
    OVERALL,
    PER_CLASS,
    ConfusionFigures,
    bootstrap,
    count_confusion,
    figures,
    interval,
)

__all__ = ["balanced_accuracy", "classification_scores"]

SUM_TOLERANCE = 1e-3  # a float16 softmax over a few classes
FEW_GROUPS = 10  # below, percentile intervals are known to be too narrow


def classification_scores(
    y_true: ArrayLike,
    proba: np.ndarray,
    classes: Sequence[Any] | np.ndarray,
    groups: ArrayLike | None = None,
    n_boot: int = 1000,
    *,
    seed: int,
) -> dict[str, Any]:
    """All figures of merit as plain Python values; undefined ones are NaN (see `confusion`).

    `y_true` (n,) strings or integers, like `classes` (k,); `proba` float (n, k). `groups` (n,):
    wells or donors, drawn whole for the 95 % intervals. The prediction is the class with the
    highest probability, the first of equals.

    A label outside `classes` is scored as wrong everywhere: recall and F1 0, probability 0, and
    listed with its count in `unseen`. A class outside the truth is listed in `absent`.
    Keys: n, n_groups, accuracy, balanced_accuracy, macro_f1, weighted_f1, roc_auc_ovr (mean over
    classes where it is defined), ece, brier (0..2), log_loss (nats), intervals, per_class,
    confusion, reliability, unseen, absent, majority_baseline, notes.
    """
    if n_boot < 1:
        raise UsageFault(f"n_boot is {n_boot}; expected at least 1")
    case = _case(y_true, proba, classes)
    matrix = count_confusion(case.row, case.predicted, len(case.labels), case.n_classes)
    scores = figures(matrix)
    group, notes = _groups(groups, len(case.row))
    draws = None
    if not notes.blocking:
        shape = (len(case.labels), case.n_classes)
        draws = figures(bootstrap(case.row, case.predicted, group, shape, n_boot=n_boot, seed=seed))
    areas = calibration.roc_auc(case.column, case.proba)
    bins = calibration.reliability(case.column, case.proba)
    seen = matrix.sum(axis=1)
    return {
        "n": len(case.row),
        "n_groups": None if group is None else int(group.max()) + 1,
        **{name: float(getattr(scores, name)) for name in OVERALL},
        "roc_auc_ovr": float(np.mean(areas[~np.isnan(areas)])) if (areas >= 0).any() else np.nan,
        "ece": calibration.expected_calibration_error(bins),
        "brier": calibration.brier(case.column, case.proba),
        "log_loss": calibration.log_loss(case.column, case.proba),
        "intervals": {name: _interval(draws, name) for name in OVERALL},
        "per_class": _per_class(case, scores, draws, areas),
        "confusion": {
            "rows": case.labels,
            "columns": case.labels[: case.n_classes],
            "counts": matrix.tolist(),
        },
        "reliability": [asdict(each) for each in bins],
        "unseen": {
            label: int(seen[i]) for i, label in enumerate(case.labels) if i >= case.n_classes
        },
        "absent": [label for i, label in enumerate(case.labels) if seen[i] == 0],
        "majority_baseline": _majority(case.labels, seen),
        "notes": notes.lines,
    }


def balanced_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean recall over the classes in `y_true` (n,); labels as strings or integers."""
    names, truth = codes(y_true, "class")
    predicted = np.asarray(y_pred)
    same_length(y_true=truth, y_pred=predicted)
    _same_kind(names, predicted, "y_pred")
    right = np.bincount(truth[names[truth] == predicted], minlength=len(names))
    return float((right / np.bincount(truth)).mean())


@dataclass(frozen=True)
class _Case:
    """Checked input: `row` of the confusion matrix, `column` of `proba` (-1: unseen label)."""

    labels: list[Any]
    n_classes: int
    row: np.ndarray
    column: np.ndarray
    predicted: np.ndarray
    proba: np.ndarray


def _case(y_true: ArrayLike, proba: np.ndarray, classes: Sequence[Any] | np.ndarray) -> _Case:
    names, truth = codes(y_true, "class")
    known = np.asarray(classes)
    if len(codes(known, "classes")[0]) != len(known) or len(known) < 2:
        raise DataError(f"classes {known.tolist()}: expected two or more, all different")
    _same_kind(names, known, "classes")
    proba = _check_proba(proba, len(truth), len(known))
    unseen = names[~np.isin(names, known)].tolist()
    labels = known.tolist() + unseen
    place = {label: i for i, label in enumerate(labels)}
    row = np.array([place[label] for label in names.tolist()])[truth]
    column = np.where(row < len(known), row, calibration.UNSEEN)
    return _Case(labels, len(known), row, column, proba.argmax(axis=1), proba)


def _check_proba(proba: np.ndarray, n_rows: int, n_classes: int) -> np.ndarray:
    """`proba` as float64; not a distribution in every row is an error."""
    values = np.asarray(proba, float)
    if values.shape != (n_rows, n_classes):
        raise DataError(f"proba has shape {values.shape}; expected ({n_rows}, {n_classes})")
    if n_rows == 0:
        raise DataError("no rows to score")
    good = ((values >= 0) & (values <= 1)).all(axis=1)
    good &= np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE
    if not good.all():
        raise DataError(
            f"proba is no distribution over classes in {int((~good).sum())} row(s), first row "
            f"{int(np.argmin(good))}: expected values in 0..1 that add up to 1"
        )
    return values


def _same_kind(names: np.ndarray, others: np.ndarray, what: str) -> None:
    """An error where numbers meet strings: no label would ever match, and all would be wrong."""
    if (names.dtype.kind in "US") != (others.dtype.kind in "USO"):
        raise DataError(f"y_true holds {names.dtype}, {what} {others.dtype}; expected one kind")


@dataclass(frozen=True)
class _Notes:
    lines: list[str]
    blocking: bool


def _groups(groups: ArrayLike | None, n_rows: int) -> tuple[np.ndarray | None, _Notes]:
    """Group codes (n,) and what must be said about the intervals."""
    if groups is None:
        line = "intervals draw single rows: too narrow where rows share a well or a donor"
        return None, _Notes([line], blocking=False)
    names, group = codes(groups, "group")
    same_length(y_true=np.empty(n_rows), groups=group)
    if len(names) < 2:
        return group, _Notes(["one group only: no intervals"], blocking=True)
    if len(names) < FEW_GROUPS:
        line = f"intervals rest on {len(names)} groups only and tend to be too narrow"
        return group, _Notes([line], blocking=False)
    return group, _Notes([], blocking=False)


def _interval(draws: ConfusionFigures | None, name: str, row: int | None = None) -> list[float]:
    """[low, high], NaN where there are no draws."""
    if draws is None:
        return [float("nan"), float("nan")]
    values = getattr(draws, name)
    return list(interval(values if row is None else values[:, row]))


def _per_class(
    case: _Case, scores: ConfusionFigures, draws: ConfusionFigures | None, areas: np.ndarray
) -> list[dict[str, Any]]:
    """One entry per row of the confusion matrix, unseen labels last."""
    out = []
    for i, label in enumerate(case.labels):
        entry: dict[str, Any] = {"label": label, "known": i < case.n_classes}
        for name in PER_CLASS:
            entry[name] = float(getattr(scores, name)[i])
            entry[f"{name}_interval"] = _interval(draws, name, i)
        entry["support"] = int(scores.support[i])
        entry["predicted"] = int(scores.predicted[i])
        entry["roc_auc"] = float(areas[i]) if i < case.n_classes else float("nan")
        out.append(entry)
    return out


def _majority(labels: list[Any], support: np.ndarray) -> dict[str, Any]:
    """What always answering the most frequent true label would score.

    The truth's own majority, so no constant answer can do better in accuracy.
    """
    top = int(support.argmax())
    share = support[top] / support.sum()
    present = int((support > 0).sum())
    return {
        "label": labels[top],
        "accuracy": float(share),
        "balanced_accuracy": 1 / present,
        "macro_f1": float(2 * share / (1 + share) / present),
        "weighted_f1": float(share * 2 * share / (1 + share)),
    }
