"""A model of trees on disk, random forest or boosted, and what it says of rows."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import folds, matrix, models
from libcell.errors import DataError
from libcell.nn import forest_walk
from libcell.nn.forest_arrays import ForestArrays
from libcell.nn.forest_boosted import BoostedTrees, from_text
from libcell.train.kernels.cleaning import refuse_infinite

Trees = ForestArrays | BoostedTrees
TEXT = "model.txt"


def chances(model: Path, card: Mapping[str, Any], rows: pa.Table) -> np.ndarray:
    """float64 (n, k): what a model, of several folds or of one, says of keyed `rows`."""
    def ask(member: str, places: np.ndarray) -> folds.Answers:
        root = model / member
        names = models.load_card(root)["input"]["columns"]
        X = matrix.matrix(rows.take(pa.array(places)), names)
        refuse_infinite(X, names)
        return {"chances": said(load(root), X)}

    return folds.gather(card, rows, ask)["chances"]


def said(trees: Trees, X: np.ndarray) -> np.ndarray:
    """float64 (n, k): chances of the classes for each row of `X` float (n, p)."""
    if isinstance(trees, BoostedTrees):
        return trees.predict_proba(X)
    return forest_walk.predict_proba(trees, X)


def load(root: Path) -> Trees:
    """The trees of one member. DataError if the file is damaged."""
    file = root / TEXT
    if not file.is_file():
        return ForestArrays.from_tensors(models.load_tensors(root))
    return _boosted(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _boosted(file: Path, stamp: int) -> BoostedTrees:
    try:
        return from_text(file.read_text("utf-8"))
    except (DataError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: {error}") from error
