"""Embeddings from a crop store beside the bare network on tensors that lie in memory."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from libcell.feat.embedding import rows
from libcell.feat.embedding.network import Network, loaded
from libcell.feat.embedding.sight import Sight
from tests.peers.bench import Place, Row
from tests.peers.bench_train import CONTRACT, EDGE, N, _store

ROUNDS = 5
CROP = {"kind": "crop", "percentiles": [0.1, 99.9]}


def bench_embed_throughput(place: Place) -> Iterator[Row]:
    """Reading, scaling, the network, the part of the table; and the network alone."""
    torch.set_num_threads(1)
    size = (EDGE, EDGE)
    sights = {
        "as a model of ours sees": Sight(("a", "b"), "patch", size, size,
                                         CONTRACT["normalisation"]),
        "each channel as a grey picture": Sight(
            ("a", "b"), "patch", size, size, CROP, separate=True,
            contrast={"mean": [0.5] * 3, "sd": [0.25] * 3}),
    }
    with tempfile.TemporaryDirectory(dir=place.scratch) as folder:
        store = _store(Path(folder) / "a.crops.zarr")
        for what, sees in sights.items():
            network = Network("resnet18", 3 if sees.separate else 2, size, seed=0)
            yield _row(what, store, rows.Recipe(network, sees, "cpu", rows.PICTURES["cpu"]),
                       Path(folder))


def _row(what: str, store: Path, recipe: rows.Recipe, folder: Path) -> Row:
    held = [recipe.sight.tensor(batch, torch.device("cpu"))
            for batch in recipe.sight.reader(store).in_order(recipe.pictures)]
    network = loaded(recipe.network, "cpu")

    def bare() -> None:
        with torch.inference_mode():
            for batch in held:
                for piece in batch.split(recipe.pictures):
                    network(piece)

    def ours() -> None:
        for start in range(0, N, rows.ROWS):
            rows.embed_block(store, start, recipe, folder / "part.arrow")

    times = np.array([(_cpu(ours), _cpu(bare)) for _ in range(ROUNDS + 1)][1:])
    ratio = float(np.median(times[:, 0] / times[:, 1]))
    return Row(f"cell-feat embed beside the bare network on tensors in memory, {what}", ratio,
               1 / 0.95, "times its CPU", f"ResNet-18, {N} crops 2 x {EDGE}² uint16, one core, "
               f"{N / np.median(times[:, 0]):.0f} crops/s, median of {ROUNDS}")


def _cpu(call: Callable[[], Any]) -> float:
    """Of all threads, the reading one's, too."""
    start = time.process_time()
    call()
    return time.process_time() - start
