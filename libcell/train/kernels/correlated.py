"""Columns that say what another one says already."""

import numpy as np


def uncorrelated(X: np.ndarray, most: float) -> np.ndarray:
    """Places, ascending, of columns of `X` float (n, p) whose |r| with each column kept before is
    `most` at most. NaN counts as the column's mean; no column is constant."""
    values = np.where(np.isnan(X), np.nanmean(X, axis=0), X)
    values = values - values.mean(axis=0)
    values /= np.maximum(np.sqrt((values**2).sum(axis=0)), np.finfo(float).tiny)
    r = np.abs(values.T @ values)
    kept: list[int] = []
    for place in range(X.shape[1]):
        if not kept or r[place, kept].max() <= most:
            kept.append(place)
    return np.array(kept)
