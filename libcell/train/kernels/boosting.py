"""Gradient-boosted trees, grown by LightGBM until what is held out gets no better.

Kept as LightGBM's own text (`model.txt`), so that it and its friends can read a model of ours;
we read it by `libcell.nn.forest_boosted`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from libcell.errors import DataError, Unavailable


@dataclass(frozen=True)
class Growth:
    """How trees are grown. `patience`: rounds without a lower loss on what is held out."""

    rounds: int = 1000
    learning_rate: float = 0.05
    leaves: int = 31
    max_depth: int | None = None
    min_samples_leaf: int = 20
    max_features: float = 1.0
    patience: int = 50


def fit_boosting(
    X: np.ndarray, y: np.ndarray, held: tuple[np.ndarray, np.ndarray] | None, growth: Growth, *,
    n_classes: int, weights: np.ndarray, seed: int, workers: int = 1,
) -> tuple[str, int]:
    """The model as text, and how many rounds it keeps; the same whatever the number of workers.

    `X` float (n, p), NaN is a value; `y` int (n,) of 0..n_classes-1. `held` (X, y) stops early;
    without it all rounds are grown. `weights` float (n_classes,): what an object of a class
    counts, in training and in the loss that is watched. Unavailable without LightGBM.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise Unavailable("--algorithm boosting needs lightgbm (pip install 'libcell[train]')"
                          ) from error
    if len(np.unique(y)) < n_classes:
        raise DataError(f"the training rows lack {n_classes - len(np.unique(y))} of {n_classes} "
                        "classes")
    train = lightgbm.Dataset(X, y, weight=weights[y], params={"verbosity": -1})
    watched: list[lightgbm.Dataset] = []
    stop: list[Callable[..., object]] = []
    if held is not None and len(held[1]):
        watched = [train.create_valid(held[0], held[1], weight=weights[held[1]])]
        stop = [lightgbm.early_stopping(growth.patience, verbose=False)]
    with warnings.catch_warnings():  # a split with one row of a class is said in the card
        warnings.simplefilter("ignore", UserWarning)
        model = lightgbm.train(_parameters(growth, n_classes, seed, workers), train,
                               growth.rounds, valid_sets=watched, callbacks=stop)
    kept = model.best_iteration if stop else growth.rounds
    # what follows the trees are settings, the number of threads among them
    text, _, rest = model.model_to_string(num_iteration=kept).partition("\nparameters:")
    return text + "\n" + rest.partition("end of parameters\n")[2], int(kept)


def _parameters(growth: Growth, n_classes: int, seed: int, workers: int) -> dict[str, object]:
    return {
        "objective": "multiclass", "metric": "multi_logloss", "num_class": n_classes,
        "learning_rate": growth.learning_rate, "num_leaves": growth.leaves,
        "max_depth": growth.max_depth or -1, "min_data_in_leaf": growth.min_samples_leaf,
        "feature_fraction": growth.max_features, "seed": seed, "num_threads": workers,
        "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }
