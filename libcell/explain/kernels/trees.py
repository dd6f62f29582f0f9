"""Forests and boosted trees of a model, of several folds or of one, asked about rows."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import folds, models
from libcell.errors import DataError, Unavailable
from libcell.nn import forest_walk
from libcell.nn.forest_arrays import ForestArrays
from libcell.nn.forest_boosted import BoostedTrees, from_text

TEXT = "model.txt"
BOOSTING = "boosting"
ROWS = 2048  # whose contributions are computed at a time

Trees = ForestArrays | BoostedTrees


def predictor(
    root: Path, card: Mapping[str, Any], rows: pa.Table
) -> Callable[[np.ndarray], np.ndarray]:
    """Answers text (n,) for a matrix (n, p) in place of the columns of keyed `rows`.

    p are the columns that the card names. Of several folds, a row is answered by the one that
    never saw its group.
    """
    classes = np.array(card["classes"])
    place = {name: i for i, name in enumerate(card["input"]["columns"])}
    members = {name: _member(root / name, place) for name in _names(card)}

    def predict(X: np.ndarray) -> np.ndarray:
        def ask(member: str, rows_of: np.ndarray) -> folds.Answers:
            trees, columns = members[member]
            return {"chances": _said(trees, X[np.ix_(rows_of, columns)])}

        return np.asarray(classes[folds.gather(card, rows, ask)["chances"].argmax(axis=1)])

    return predict


def _names(card: Mapping[str, Any]) -> list[str]:
    return list(card["split"].get("members", {})) or [""]


def _member(root: Path, place: Mapping[str, int]) -> tuple[Trees, np.ndarray]:
    """One member's trees, and where its columns are among those of the whole model."""
    columns = models.load_card(root)["input"]["columns"]
    places = np.array([place[n] for n in columns], np.int64)
    file = root / TEXT
    if file.is_file():
        return _boosted(file)[0], places
    return ForestArrays.from_tensors(models.load_tensors(root)), places


def _boosted(file: Path) -> tuple[BoostedTrees, str]:
    """The trees in `model.txt`, and its text, which was found whole. DataError if it is damaged."""
    try:
        text = file.read_text("utf-8")
        return from_text(text), text
    except (DataError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: {error}") from error


def _said(trees: Trees, X: np.ndarray) -> np.ndarray:
    if isinstance(trees, BoostedTrees):
        return trees.predict_proba(X)
    return forest_walk.predict_proba(trees, X)


def contributions(
    root: Path, card: Mapping[str, Any], rows: pa.Table, X: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """TreeSHAP (Lundberg et al. 2020) of boosted trees for the rows of `X` (n, p), a block of
    rows at a time: rows int (m,), contributions float64 (m, k, p + 1).

    They are in log-odds, the last one what the model says of no row in particular; summed over
    columns they are the class's score. Of several folds, as in `predictor`. Unavailable without
    LightGBM.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise Unavailable("--method shap needs LightGBM (pip install 'libcell[train]')") from error
    place = {name: i for i, name in enumerate(card["input"]["columns"])}
    n_classes, width = len(card["classes"]), len(place)
    boosters = {}
    for name in _names(card):
        _, text = _boosted(root / name / TEXT)  # LightGBM itself would not survive a damaged one
        columns = models.load_card(root / name)["input"]["columns"]
        places = np.array([place[n] for n in columns], np.int64)
        boosters[name] = lightgbm.Booster(model_str=text), places

    for start in range(0, len(X), ROWS):
        here = np.arange(start, min(start + ROWS, len(X)))

        def ask(member: str, some: np.ndarray, here: np.ndarray = here) -> folds.Answers:
            booster, columns = boosters[member]
            found = np.asarray(booster.predict(X[np.ix_(here[some], columns)], pred_contrib=True,
                                               num_threads=1))
            found = found.reshape(len(some), n_classes, len(columns) + 1)
            made = np.zeros((len(some), n_classes, width + 1))
            made[:, :, [*columns, width]] = found
            return {"shap": made.reshape(len(some), -1)}

        said = folds.gather(card, rows.take(pa.array(here)), ask)["shap"]
        yield here, said.reshape(len(here), n_classes, width + 1)
