"""What a pooling that learns must beat: logistic regression on each bag's mean instance."""

from pathlib import Path

import numpy as np

from libcell.data import models
from libcell.train.bags.instances import Bags
from libcell.train.kernels.probe import Probe, fit_probe

FILE = "baselines.safetensors"
NAME = "mean"  # column baseline_mean of the predictions


def fit(root: Path, bags: Bags, places: np.ndarray, y: np.ndarray, k: int) -> None:
    """Write the baseline of the training bags at `places` (n,), `y` (n,) below k, to a model."""
    values = bags.values[_rows(bags, places)].astype(float)
    there = ~np.isnan(values)
    centre = np.nansum(values, axis=0) / np.maximum(there.sum(axis=0), 1)
    probe = fit_probe(_means(bags, places, centre), y, k)
    models.save_tensors(root, FILE, {"centre": centre, "mean": probe.mean, "sd": probe.sd,
                                     "weight": probe.weight, "bias": probe.bias})


def predict(root: Path, bags: Bags, places: np.ndarray) -> np.ndarray:
    """int64 (n,): the class that the baseline of the model at `root` sees in each bag."""
    found = models.load_tensors(root, FILE)
    probe = Probe(*(found[name] for name in ("mean", "sd", "weight", "bias")))
    return probe.predict(_means(bags, places, found["centre"]))


def _rows(bags: Bags, places: np.ndarray) -> np.ndarray:
    return np.concatenate([bags.rows[bags.starts[b] : bags.starts[b + 1]] for b in places])


def _means(bags: Bags, places: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """float64 (n,p): mean instance of each bag; `centre` (p,) stands for what is NaN."""
    made = np.zeros((len(places), len(centre)))
    for row, bag in zip(made, places):
        values = bags.of(int(bag)).astype(float)
        row[:] = np.where(np.isnan(values), centre, values).mean(axis=0)
    return made
