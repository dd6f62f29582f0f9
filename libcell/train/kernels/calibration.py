"""Figures that follow from the probabilities themselves.

`truth` is int (n,): column of the true class, or -1 for a label the model never saw, to which it
gave probability 0. `proba` is float64 (n, k), rows adding up to 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

BINS = 15
UNSEEN = -1
# log(0) is infinite; scikit-learn's log_loss clips at the same value
SMALLEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows whose top probability lies in (low, high]; the first bin holds 0 as well."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def roc_auc(truth: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """float64 (k,): area under the ROC curve of each class against the rest.

    NaN where the truth holds no row of the class, or no other. An unseen label is "the rest".
    """
    ranks = rankdata(proba, axis=0)
    areas = np.full(proba.shape[1], np.nan)
    for column in range(proba.shape[1]):
        positive = truth == column
        n_positive = int(positive.sum())
        n_negative = len(truth) - n_positive
        if n_positive and n_negative:
            above = ranks[positive, column].sum() - n_positive * (n_positive + 1) / 2
            areas[column] = above / (n_positive * n_negative)
    return areas


def reliability(truth: np.ndarray, proba: np.ndarray) -> list[ReliabilityBin]:
    """Top probability against how often it was right, in 15 bins of equal width; empty: NaN."""
    confidence = proba.max(axis=1)
    right = proba.argmax(axis=1) == truth
    edges = np.linspace(0, 1, BINS + 1)
    bins = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, BINS - 1)
    out = []
    for index in range(BINS):
        inside = bins == index
        n = int(inside.sum())
        means = (confidence[inside].mean(), right[inside].mean()) if n else (np.nan, np.nan)
        low, high = float(edges[index]), float(edges[index + 1])
        out.append(ReliabilityBin(low, high, n, float(means[0]), float(means[1])))
    return out


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Mean over rows of |confidence - accuracy| of their bin, 0..1."""
    total = sum(each.n for each in bins)
    return sum(each.n * abs(each.confidence - each.accuracy) for each in bins if each.n) / total


def brier(truth: np.ndarray, proba: np.ndarray) -> float:
    """Mean squared distance to the truth, summed over classes, 0..2 (not halved for two)."""
    right = _true_probability(truth, proba)
    return float(((proba**2).sum(axis=1) - 2 * right + 1).mean())


def log_loss(truth: np.ndarray, proba: np.ndarray) -> float:
    """Mean of -ln(probability of the true class), nats; at most 36.04 a row."""
    right = np.clip(_true_probability(truth, proba), SMALLEST, 1)
    return float(-np.log(right).mean())


def _true_probability(truth: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """float64 (n,): what the model gave to the true class; 0 for an unseen label."""
    given = proba[np.arange(len(truth)), np.maximum(truth, 0)]
    return np.where(truth == UNSEEN, 0.0, given)
