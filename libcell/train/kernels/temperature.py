"""One number that makes a network's probabilities honest (Guo et al. 2017, arXiv:1706.04599)."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

RANGE = (np.log(0.05), np.log(20.0))


def fit_temperature(scores: np.ndarray, truth: np.ndarray) -> float:
    """What `scores` (n,k) must be divided by for the least log loss; `truth` int (n,) below k.

    1 where there is nothing to fit to.
    """
    if not len(truth):
        return 1.0

    def loss(log_temperature: float) -> float:
        chances = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-chances[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=RANGE, method="bounded").x))


def probabilities(scores: np.ndarray, temperature: float) -> np.ndarray:
    """float64 (n,k), rows adding up to 1."""
    return np.asarray(softmax(scores / temperature, axis=1))
