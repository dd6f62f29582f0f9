"""ROC and precision-recall curves of each class against the rest."""

from dataclasses import dataclass

import numpy as np

POINTS = 200


@dataclass(frozen=True)
class Operating:
    """Curves (m,) of one class, at most 200 points each, and the areas: NaN where undefined."""

    false_positive: np.ndarray
    true_positive: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    average_precision: float


def operating(positive: np.ndarray, chance: np.ndarray) -> Operating | None:
    """Curves from `positive` bool (n,) and the class's probability (n,). None unless there are
    rows of the class and others."""
    n_positive = int(positive.sum())
    if n_positive in (0, len(positive)):
        return None
    order = np.argsort(-chance, kind="stable")
    hits = np.cumsum(positive[order])
    last = np.append(np.diff(chance[order]) != 0, True)  # equal probabilities are one threshold
    hits, taken = hits[last], np.flatnonzero(last) + 1
    recall, precision = hits / n_positive, hits / taken
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    false = (taken - hits) / (len(positive) - n_positive)
    kept = np.unique(np.linspace(0, len(hits) - 1, POINTS).round().astype(int))
    return Operating(np.append(0.0, false[kept]), np.append(0.0, recall[kept]), recall[kept],
                     precision[kept], area)
