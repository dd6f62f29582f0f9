"""Bags made by hand: a few instances carry the class, the others are alike in all bags."""

from pathlib import Path
from typing import Any

import numpy as np
from hand_made import write_table

CLASSES = ("a", "b", "c")
FEATURES = 8


def write(
    folder: Path, *, seed: int = 0, batches: int = 4, each: int = 4, size: int = 6,
    telling: int = 1, times: int = 3, batch: float = 0.5, name: str = "",
) -> np.ndarray:
    """`{name}bags.parquet` and `{name}e.parquet` in the folder; returns which instances tell the
    class, bool (m,), in the order of the bags.

    Each of `batches` has `each` bags of every class, of `size` instances, of which `telling` do;
    a batch moves all its instances by about `batch`.
    """
    random = np.random.default_rng(seed)
    moved = random.normal(0, batch, (batches, FEATURES))
    rows: list[dict[str, Any]] = []
    values, tells = [], []
    for b in range(batches):
        for i in range(each):
            for k, label in enumerate(CLASSES):
                telling_ones = random.permutation(size) < telling
                bag = random.normal(0, 1, (size, FEATURES)) + moved[b]
                bag[telling_ones, k] += 5
                values.append(bag)
                tells.append(telling_ones)
                rows += [{"bag": f"{label}/{name}{b}/{i}", "image": f"{name}{label}{b}{i}", "n": j,
                          "t": j * times // size, "class": label, "batch": f"{name}b{b}"}
                         for j in range(size)]
    tables(folder, name, rows, np.concatenate(values))
    return np.concatenate(tells)


def tables(folder: Path, name: str, rows: list[dict[str, Any]], values: np.ndarray) -> None:
    """The bag table and the embeddings of such rows."""
    folder.mkdir(exist_ok=True)
    n = len(rows)

    def of(key: str) -> list[Any]:
        return [r[key] for r in rows]

    ids = [f"{r['image']}:t{r['t']}:patches:{r['n'] + 1}" for r in rows]
    told = {"Metadata_Class": of("class"), "Metadata_Batch": of("batch")}
    write_table(folder / f"{name}bags.parquet", "bags",
                {"bag_id": of("bag"), "object_id": ids, "position": of("n"),
                 "Metadata_Hours": [4.0 * t for t in of("t")]})
    write_table(folder / f"{name}e.parquet", "embeddings", {
        "object_id": ids, "Metadata_Plate": [None] * n, "Metadata_Well": [None] * n,
        "Metadata_Site": [None] * n, "Metadata_Image": of("image"), "Metadata_T": of("t"),
        "Metadata_Label": [r["n"] + 1 for r in rows], "Metadata_Compartment": ["patches"] * n,
        **told, **{f"emb_{j:04d}": values[:, j] for j in range(values.shape[1])}})
