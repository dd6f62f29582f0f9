"""Figures that follow from a confusion matrix, for one matrix or a stack of bootstrap draws.

Rows are truth: the model's k classes in order, then labels the model never saw. Columns are the
model's k classes. The rules where a figure is undefined:

- recall and F1 of a class absent from the truth: NaN. Its false positives still count, as errors
  of the classes they belong to.
- precision of a class that was never predicted: NaN. Its F1, if it is in the truth, is 0, since
  2 hits / (support + predicted) is defined.
- means over classes take those present in the truth, unseen labels included (recall 0, F1 0).
  That is scikit-learn's `balanced_accuracy_score`, and its `f1_score(labels=present)`.
"""

from dataclasses import dataclass

import numpy as np

INTERVAL = (2.5, 97.5)  # percentiles of the draws: a 95 % interval
DRAWS_AT_ONCE = 2**22  # draws x groups held at a time, 32 MB


@dataclass(frozen=True)
class ConfusionFigures:
    """Figures of a stack of matrices (..., r, k); per class (..., r), overall (...)."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    predicted: np.ndarray
    accuracy: np.ndarray
    balanced_accuracy: np.ndarray
    macro_f1: np.ndarray
    weighted_f1: np.ndarray


OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1")
PER_CLASS = ("precision", "recall", "f1")


def count_confusion(
    truth: np.ndarray, predicted: np.ndarray, rows: int, columns: int
) -> np.ndarray:
    """int64 (rows, columns) from int codes `truth` and `predicted` (n,)."""
    cells = np.bincount(truth * columns + predicted, minlength=rows * columns)
    return cells.reshape(rows, columns)


def figures(matrix: np.ndarray) -> ConfusionFigures:
    """All figures of `matrix` (..., r, k), r >= k, counts or weights, no matrix empty."""
    matrix = np.asarray(matrix, float)
    rows, columns = matrix.shape[-2:]
    unseen = [(0, 0)] * (matrix.ndim - 2) + [(0, rows - columns)]
    support = matrix.sum(axis=-1)
    hits = np.pad(np.diagonal(matrix, axis1=-2, axis2=-1), unseen)
    predicted = np.pad(matrix.sum(axis=-2), unseen)
    total = support.sum(axis=-1)
    recall = _ratio(hits, support)
    f1 = np.where(support > 0, _ratio(2 * hits, support + predicted), np.nan)
    present = (support > 0).sum(axis=-1)
    return ConfusionFigures(
        precision=_ratio(hits, predicted),
        recall=recall,
        f1=f1,
        support=support,
        predicted=predicted,
        accuracy=hits.sum(axis=-1) / total,
        balanced_accuracy=np.nansum(recall, axis=-1) / present,
        macro_f1=np.nansum(f1, axis=-1) / present,
        weighted_f1=np.nansum(f1 * support, axis=-1) / total,
    )


def bootstrap(
    truth: np.ndarray,
    predicted: np.ndarray,
    group: np.ndarray | None,
    shape: tuple[int, int],
    *,
    n_boot: int,
    seed: int,
) -> np.ndarray:
    """float64 (n_boot, rows, columns): confusion matrices of resampled groups.

    Groups are drawn whole and with replacement, as many as there are: cells of one well resemble
    each other, and drawing cells would make the interval far too narrow. `group` int codes (n,);
    None draws single rows.
    """
    rng = np.random.default_rng(seed)
    rows, columns = shape
    if group is None:
        # drawing n rows one by one is drawing their cells of the matrix from a multinomial
        cells = count_confusion(truth, predicted, rows, columns).ravel()
        draws = rng.multinomial(cells.sum(), cells / cells.sum(), size=n_boot)
        return draws.reshape(n_boot, rows, columns).astype(float)
    n_groups = int(group.max()) + 1
    per_group = count_confusion(group, truth * columns + predicted, n_groups, rows * columns)
    table = per_group.astype(float)
    draws_each = max(1, DRAWS_AT_ONCE // n_groups)
    blocks = []
    for start in range(0, n_boot, draws_each):
        size = min(draws_each, n_boot - start)
        times = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size)
        blocks.append(times.astype(float) @ table)
    return np.concatenate(blocks).reshape(n_boot, rows, columns)


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Percentile interval of `draws` (n_boot,); undefined draws are left out, NaN if all are."""
    kept = draws[~np.isnan(draws)]
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.percentile(kept, INTERVAL)
    return float(low), float(high)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, NaN where `whole` is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
