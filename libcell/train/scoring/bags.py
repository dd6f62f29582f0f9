"""What `cell-train score` says of bags beside the usual: first guesses, and whole batches.

A batch, as CLANet counts it, is all bags of one class in one group; its class is the one with the
highest probability on average over its bags.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from libcell.train.kernels import confusion

BAG = "bag"  # the compartment of rows that stand for bags
TOP = (3, 5)


def figures(
    rows: pa.Table, truth: np.ndarray, proba: np.ndarray, classes: np.ndarray, groups: np.ndarray
) -> dict[str, tuple[float, int]]:
    """Value and number of bags, or batches, by name; empty unless all `rows` (n) stand for bags.

    `truth` text (n,), `proba` (n,k) of `classes` (k,), `groups` (n,).
    """
    if set(rows.column("Metadata_Compartment").unique().to_pylist()) != {BAG}:
        return {}
    place = {c: i for i, c in enumerate(classes.tolist())}
    y = np.array([place.get(t, len(place)) for t in truth.tolist()])  # the last: never seen
    own = np.column_stack([proba, np.full(len(y), -1.0)])[np.arange(len(y)), y]
    rank = (proba > own[:, None]).sum(axis=1)
    made: dict[str, tuple[float, int]] = {
        f"top{k}_accuracy": (float((rank < k).mean()), len(y)) for k in TOP if k < len(place)}
    _, batch = np.unique([f"{g}\t{t}" for g, t in zip(groups, truth)], return_inverse=True)
    count = np.bincount(batch)
    mean = np.stack([np.bincount(batch, p) for p in proba.T], 1) / count[:, None]
    first = np.unique(batch, return_index=True)[1]
    found = confusion.figures(confusion.count_confusion(
        y[first], mean.argmax(axis=1), len(place) + 1, len(place)))
    return made | {"batch_accuracy": (float(found.accuracy), len(count)),
                   "batch_macro_f1": (float(found.macro_f1), len(count))}


def table_rows(found: dict[str, tuple[float, int]], part: str) -> list[dict[str, Any]]:
    """Rows of table `scores`."""
    return [{"metric": name, "value": value, "low": None, "high": None, "n": n, "split": part,
             "label": None, "group": None} for name, (value, n) in found.items()]
