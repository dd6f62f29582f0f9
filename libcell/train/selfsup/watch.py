"""What embeddings come to while nobody tells their classes: are they collapsed, what do they hold.

Classes, where a column has them, are looked at here alone and never reach the loss.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from libcell.data import matrix
from libcell.train.kernels import probe, splits
from libcell.train.kernels.neighbours import nearest_class
from libcell.train.kernels.scores import balanced_accuracy
from libcell.train.kernels.spread import spread
from libcell.train.pictures import judge
from libcell.train.selfsup.material import Material

ROWS = 4000  # of the probes, at most
LOOKED = 512  # crops whose spread is looked at
FOLDS = 5


@dataclass(frozen=True)
class Known:
    """Rows (n,) of the material with a class, ascending; `y` int64 (n,) into `classes`; `fold`
    int64 (n,): whole groups by `columns`, each tested by a probe that learnt from the others."""

    rows: np.ndarray
    y: np.ndarray
    classes: np.ndarray
    fold: np.ndarray
    columns: tuple[str, ...]


def known(index: pa.Table, options: Any, seed: int) -> Known:
    """From the options target, group and classes. DataError where groups are too few."""
    table = index.append_column("place", pa.array(np.arange(index.num_rows)))
    rows = matrix.chosen_rows(table, options.target, options.classes)
    if rows.num_rows > ROWS:
        some = np.random.default_rng(seed).choice(rows.num_rows, ROWS, replace=False)
        rows = rows.take(pa.array(np.sort(some)))
    labels = matrix.column_text(rows, options.target, "--target")
    classes, y = np.unique(labels.astype(str), return_inverse=True)
    columns = options.group or matrix.default_group(rows)
    groups = matrix.groups(rows, columns)
    count = max(2, min(FOLDS, len(np.unique(groups.astype(str)))))
    fold = splits.group_folds(y, groups, count, seed)
    return Known(rows.column("place").to_numpy(), y.astype(np.int64), classes, fold, columns)


class Watch:
    """Looks at a backbone after each epoch, and at what it holds of classes after every `each`
    and after the last of `epochs`."""

    def __init__(self, made: Material, told: Known | None, each: int, epochs: int, seed: int):
        self._made, self._told, self._each, self._epochs = made, told, each, epochs
        every = np.random.default_rng(seed).permutation(len(made))
        self._some = np.sort(every[:LOOKED])

    def look(self, backbone: nn.Module, device: torch.device, epoch: int) -> dict[str, float]:
        """Figures after `epoch` (from 1); the backbone is on the device, in evaluation mode."""
        found = spread(self.embed(backbone, device, self._some))
        if self._told and (epoch % self._each == 0 or epoch >= self._epochs):
            found |= self.probes(backbone, device)
        return found

    def probes(self, backbone: nn.Module, device: torch.device) -> dict[str, float]:
        """Balanced accuracy, held-out groups, of a linear probe and of nearest neighbours."""
        assert self._told
        return probes(self.embed(backbone, device, self._told.rows), self._told)

    def embed(self, backbone: nn.Module, device: torch.device, rows: np.ndarray) -> np.ndarray:
        """float64 (n,p) of the material's `rows`, ascending."""
        contract = self._made.contract
        return np.concatenate([judge.scores(backbone, path, contract, own, device, 0)
                               for path, own in self._made.places(rows)])


def probes(features: np.ndarray, told: Known) -> dict[str, float]:
    """Balanced accuracies of features (n,p) of the rows that are `told`, over all folds."""
    linear, nearest = np.empty_like(told.y), np.empty_like(told.y)
    k = len(told.classes)
    for fold in np.unique(told.fold):
        train, test = told.fold != fold, told.fold == fold
        linear[test] = probe.fit_probe(features[train], told.y[train], k).predict(features[test])
        nearest[test] = nearest_class(features[train], told.y[train], features[test], k)
    return {"linear": balanced_accuracy(told.y, linear),
            "neighbours": balanced_accuracy(told.y, nearest)}

