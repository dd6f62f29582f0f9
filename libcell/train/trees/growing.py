"""One classifier from a sample's training part: columns, rows, trees, card."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import models
from libcell.errors import UsageFault
from libcell.nn.forest_arrays import ForestArrays
from libcell.nn.forest_boosted import from_text
from libcell.run.job import Job
from libcell.train.folds.sample import Sample, kept
from libcell.train.kernels import boosting, cleaning, correlated, forest, held_out
from libcell.train.kernels.split_audit import Leak
from libcell.train.trees.model import TEXT, Trees, said


@dataclass(frozen=True)
class Grown:
    """Trees and what they look at. `text` is LightGBM's, None of a random forest; `learnt` rows
    they were grown from, in `rounds` or with as many trees."""

    trees: Trees
    text: str | None
    columns: tuple[str, ...]
    learnt: int
    rounds: int


def grow(
    job: Job, options: Any, made: Sample, split: np.ndarray, values: np.ndarray, names: list[str]
) -> tuple[Grown, np.ndarray]:
    """Trees from the training part of `split`; and chances (n, k) of all rows of `values` (n, p),
    which are called `names`."""
    rows = kept(made, split, options.per_class, job.seed)
    train = rows[split[rows] == "train"]
    X, cleaned = cleaning.clean_matrix(values, names, train)
    columns = cleaned.kept
    if options.max_correlation is not None:
        apart = correlated.uncorrelated(X[train], options.max_correlation)
        X, columns = X[:, apart], tuple(np.array(columns)[apart].tolist())
    if options.balance == "sampling":
        train = train[_even(made.y[train], job.seed)]
    grown = (_boosted if options.algorithm == "boosting" else _forest)(
        job, options, made, split, X, train, columns)
    return grown, said(grown.trees, X)


def save(root: Path, grown: Grown, card: dict[str, Any]) -> None:
    """Write one model; `card` lacks only what the trees say of themselves."""
    if grown.text is not None:
        root.mkdir(parents=True, exist_ok=True)
        (root / TEXT).write_text(grown.text, "utf-8")
    whole = card | {"input": card["input"] | {"columns": list(grown.columns)},
                    "training": {"rows": grown.learnt, "trees": grown.rounds}}
    models.save(root, grown.trees.to_tensors() if isinstance(grown.trees, ForestArrays) else None,
                whole)


def judged(
    job: Job, made: Sample, k: int, chances: np.ndarray, leaks: list[Leak]
) -> dict[str, Any]:
    """The card's `metrics` and `split` of the model of split number `k`."""
    split = made.splits[k]
    return {
        "metrics": held_out.figures(chances, made.y, made.classes, split, made.groups, job.seed),
        "split": held_out.split_card(made.columns, made.groups, split, made.y, made.classes,
                                     leaks)}


def _even(y: np.ndarray, seed: int) -> np.ndarray:
    """Places of as many rows of each class as the rarest has, drawn without replacement."""
    random = np.random.default_rng(seed)
    most = np.bincount(y)[np.unique(y)].min()
    drawn = [random.permutation(np.flatnonzero(y == label))[:most] for label in np.unique(y)]
    return np.sort(np.concatenate(drawn))


def _forest(
    job: Job, options: Any, made: Sample, split: np.ndarray, X: np.ndarray, train: np.ndarray,
    columns: tuple[str, ...],
) -> Grown:
    trees = options.trees or 300
    fitted = forest.fit_forest(
        X[train], made.y[train], n_trees=trees, max_depth=options.max_depth,
        min_samples_leaf=options.min_samples_leaf or 1,
        max_features=_max_features(options.max_features or "sqrt"),
        class_weight="balanced" if options.balance == "weights" else None, seed=job.seed,
        workers=job.pool.cores)
    return Grown(fitted, None, columns, len(train), trees)


def _boosted(
    job: Job, options: Any, made: Sample, split: np.ndarray, X: np.ndarray, train: np.ndarray,
    columns: tuple[str, ...],
) -> Grown:
    k = len(made.classes)
    held = np.flatnonzero(split == "validation")
    if not len(held):
        job.reporter.warn("no validation part: all rounds are grown (--trees)")
    counts = np.bincount(made.y[train], minlength=k)
    weights = np.ones(k) if options.balance == "none" else len(train) / k / np.maximum(counts, 1)
    text, rounds = boosting.fit_boosting(
        X[train], made.y[train], (X[held], made.y[held]), boosting.Growth(
            rounds=options.trees or 1000, learning_rate=options.learning_rate,
            leaves=options.leaves, max_depth=options.max_depth,
            min_samples_leaf=options.min_samples_leaf or 20,
            max_features=_share(options.max_features, X.shape[1]), patience=options.patience),
        n_classes=k, weights=weights, seed=job.seed, workers=job.pool.cores)
    return Grown(from_text(text), text, columns, len(train), rounds)


def _max_features(told: str) -> Any:
    if told in ("sqrt", "log2"):
        return told
    try:
        fraction = float(told)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction <= 1:
        raise UsageFault("--max-features: expected sqrt, log2 or a fraction in (0, 1]")
    return fraction


def _share(told: str | None, columns: int) -> float:
    """Part of the columns that a boosted tree is grown from."""
    found = _max_features(told or "1")
    if isinstance(found, float):
        return found
    return float({"sqrt": np.sqrt, "log2": np.log2}[found](max(columns, 2)) / max(columns, 2))
