"""A model of several folds: its members, trained one after the other, and the card over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import models
from libcell.run.job import Job
from libcell.train.kernels import held_out, scores
from libcell.train.kernels.figures import brief
from libcell.train.kernels.split_audit import Leak


def train(job: Job, root: Path, count: int, one: Callable[[int, Path], None]) -> None:
    """Members `fold-0`, `fold-1` ... of the model at `root`. `one(k, folder)` writes one; those
    that an interrupted run finished are not trained again."""
    for k in range(count):
        folder = root / f"fold-{k}"
        if not (folder / models.CARD).is_file():  # written last of all its files
            one(k, folder)
            job.keep("folds", f"{root.name}/{folder.name}")


def split_card(
    columns: tuple[str, ...], groups: np.ndarray, fold: np.ndarray, y: np.ndarray,
    classes: np.ndarray, leaks: list[Leak],
) -> dict[str, Any]:
    """The card's `split`: every row is a test row, and `members` says whose. `fold` int (n,)."""
    split = held_out.split_card(columns, groups, np.full(len(y), "test"), y, classes, leaks)
    split["members"] = {f"fold-{k}": sorted(np.unique(groups[fold == k]).tolist())
                        for k in range(int(fold.max()) + 1)}
    return split


def card(
    root: Path, split: dict[str, Any], chances: np.ndarray, truth: np.ndarray,
    groups: np.ndarray, seed: int,
) -> dict[str, Any]:
    """The whole model's card: what the cards of its members say alike, and figures of the
    `chances` float (n, k) that each row's own fold gave it. `truth` text, `groups` (n,)."""
    first, *rest = (models.load_card(root / name) for name in split["members"])
    lists = [c["input"]["columns"] for c in (first, *rest)]
    union = None if lists[0] is None else list(dict.fromkeys(n for c in lists for n in c))
    found = scores.classification_scores(truth, chances, np.array(first["classes"]), groups,
                                         seed=seed)
    same = {k: v for k, v in first.items() if k != "schema" and all(c.get(k) == v for c in rest)}
    return same | {"input": first["input"] | {"columns": union}, "split": split,
                   "metrics": {"test": brief(found)}}
