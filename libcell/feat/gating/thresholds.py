"""Thresholds between the dim and the bright objects of one distribution."""

import numpy as np

from libcell.errors import DataError

STEPS = 500
SETTLED = 1e-9  # of the log-likelihood per value
NARROWEST = 1e-6  # of the variance of all, so that no component falls on a single value


def otsu(values: np.ndarray) -> float:
    """The threshold that leaves the least variance within both sides (Otsu 1979).

    Of the values (n,) themselves, not of a histogram; halfway between the two that it parts.
    """
    ordered = np.sort(_enough(values))
    below = np.arange(1, len(ordered))
    total = np.cumsum(ordered - ordered.mean())
    # between-class variance, up to a factor: both means are told by the sum below the cut
    between = total[:-1] ** 2 / (below * (len(ordered) - below))
    between[ordered[1:] == ordered[:-1]] = -1  # equal values are not parted
    cut = int(between.argmax())
    return float((ordered[cut] + ordered[cut + 1]) / 2)


def mixture(values: np.ndarray) -> float:
    """Where two normal distributions, fitted by expectation maximisation, are as likely.

    It starts from Otsu's threshold, so that the answer is always the same. DataError where no
    place between their means parts them.
    """
    values = _enough(values)
    weight, mean, variance = _fit(values)
    low, high = np.argsort(mean)
    a, b = float(mean[low]), float(mean[high])

    def lead(x: float) -> float:
        score = np.log(weight) - np.log(variance) / 2 - (x - mean) ** 2 / (2 * variance)
        return float(score[high] - score[low])

    if not (lead(a) < 0 < lead(b)):
        raise DataError("the two normal distributions cannot be parted between their means; "
                        "use otsu or a number")
    for _ in range(100):
        middle = (a + b) / 2
        a, b = (middle, b) if lead(middle) < 0 else (a, middle)
    return (a + b) / 2


def _fit(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and variances (2,)."""
    high = values > otsu(values)
    share = np.stack([~high, high]).astype(np.float64)
    floor = NARROWEST * values.var()
    before = -np.inf
    for _ in range(STEPS):
        size = share.sum(axis=1)
        mean = share @ values / size
        variance = np.maximum((share * (values - mean[:, None]) ** 2).sum(axis=1) / size, floor)
        weight = size / len(values)
        score = (np.log(weight / np.sqrt(2 * np.pi * variance))[:, None]
                 - (values - mean[:, None]) ** 2 / (2 * variance[:, None]))
        both = np.logaddexp(*score)
        share = np.exp(score - both)
        likelihood = float(both.mean())
        if likelihood - before < SETTLED:
            break
        before = likelihood
    return weight, mean, variance


def of_controls(values: np.ndarray, quantile: float, operator: str) -> float:
    """The value (n,) that all but a small part of the control objects stay below (>), or above."""
    if not len(values):
        raise DataError("the control wells hold no object")
    return float(np.quantile(values, quantile if operator == ">" else 1 - quantile))


def _enough(values: np.ndarray) -> np.ndarray:
    if len(np.unique(values)) < 2:
        raise DataError(f"a threshold needs two different values or more, not "
                        f"{len(np.unique(values))}; give a number")
    return values
