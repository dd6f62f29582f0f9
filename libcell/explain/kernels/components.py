"""Principal components, the same bytes for the same rows."""

import numpy as np

NOTHING = 1e-12  # of the largest variance: a direction in which rows do not differ


def components(X: np.ndarray, count: int) -> np.ndarray:
    """Positions (n, q) of the rows of `X` float (n, p) along their first `count` components.

    q is less than `count` where rows differ in fewer directions. The largest loading of every
    component is positive: a sign that the rows alone decide.
    """
    centred = X - X.mean(axis=0)
    wide = X.shape[1] > len(X)
    square = centred @ centred.T if wide else centred.T @ centred
    values, vectors = np.linalg.eigh(square)
    order = np.argsort(-values, kind="stable")[:count]
    kept = order[values[order] > NOTHING * max(values.max(initial=0.0), 1e-300)]
    axes = centred.T @ vectors[:, kept] if wide else vectors[:, kept]
    axes = axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-300)
    largest = np.abs(axes).argmax(axis=0)
    return centred @ (axes * np.sign(axes[largest, np.arange(len(kept))]))
