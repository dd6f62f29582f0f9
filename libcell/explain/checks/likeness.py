"""How alike maps are: rank correlation, pixel by pixel, of what they show without its sign."""

import numpy as np
from scipy.stats import rankdata


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation (n,) of maps (n,H,W) with each other; NaN where one is constant."""
    a, b = (rankdata(np.abs(m).reshape(len(m), -1), axis=1) for m in (first, second))
    a, b = (r - r.mean(axis=1, keepdims=True) for r in (a, b))
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(size > 0, (a * b).sum(axis=1) / size, np.nan))


def mean_interval(values: np.ndarray, seed: int, draws: int = 1000
                  ) -> tuple[float, float, float, int]:
    """Mean, 95 % bootstrap interval over the values that are numbers, and their count; NaN if
    there is none."""
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan, np.nan, 0
    random = np.random.default_rng(seed)
    means = values[random.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(values.mean()), float(low), float(high), len(values)
