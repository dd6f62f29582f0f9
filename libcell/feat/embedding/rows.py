"""Embeddings of some neighbouring crops of a store, as a part of the table."""

import contextlib
import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from libcell.data import crops, tables
from libcell.data.crop_reader import Batch
from libcell.errors import Unavailable, short
from libcell.feat.embedding.network import Network, loaded
from libcell.feat.embedding.sight import Sight
from libcell.nn.turns import TURNS, Turn, turned

ROWS = 1024  # crops of one block
KEYS = ("object_id", "Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Image",
        "Metadata_T", "Metadata_Label", "Metadata_Compartment")
PICTURES = {"cpu": 32, "cuda": 512, "mps": 128}  # that go through a network together


@dataclass(frozen=True)
class Recipe:
    """All that a block is told besides which crops.

    `pictures` go through the network together; `bf16` lets it compute in that precision; `turns`
    is a key of `libcell.nn.turns.TURNS`.
    """

    network: Network
    sight: Sight
    device: str
    pictures: int
    bf16: bool = False
    turns: str = "none"


def embed_block(store: Path, start: int, recipe: Recipe, target: Path) -> dict[str, Any]:
    """Write the part of crops start : start + 1024; returns its file, its rows, how many have no
    embedding, and how many pictures the device had room for."""
    index = _index(store, (store.stat().st_ino, store.stat().st_mtime_ns)).slice(start, ROWS)
    rows = np.arange(start, start + index.num_rows)
    found, pictures = features(store, rows, recipe)
    undefined = ~np.isfinite(found).all(axis=1)
    found[undefined] = np.nan
    tables.write_part(target, table_of(index, found))
    return {"part": target.name, "rows": len(rows), "undefined": int(undefined.sum()),
            "pictures": pictures}


def features(store: Path, rows: np.ndarray, recipe: Recipe) -> tuple[np.ndarray, int]:
    """float32 (n,F) of the store's `rows`, and the pictures that went through together."""
    if recipe.device == "cpu":
        torch.set_num_threads(1)  # of the calling thread: the cores belong to other blocks, and
        # sums in another order would make results depend on the workers
    each = recipe.sight.pictures
    passing = Passing(loaded(recipe.network, recipe.device), recipe)
    reader = recipe.sight.reader(store, rows)
    step = max(1, recipe.pictures // each)
    found = [made for batch in reader.in_order(step, ahead=True) for made in passing.take(batch)]
    width = int(passing.network.num_features) * each  # type: ignore[arg-type]
    return (np.concatenate(found) if found else np.empty((0, width), np.float32)), passing.pictures


@dataclass
class Passing:
    """A network that crops pass through, in fewer at once when the device lacks memory."""

    network: nn.Module
    recipe: Recipe
    pictures: int = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = self.recipe.pictures

    def take(self, batch: Batch) -> list[np.ndarray]:
        """float32 (k,F) of the crops of a batch, in as many pieces as memory asks for."""
        found: list[np.ndarray] = []
        at = 0
        while at < len(batch.rows):
            step = max(1, self.pictures // self.recipe.sight.pictures)
            part = batch.part(at, at + step)
            try:
                found.append(self._pass(part))
                at += step
                continue
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                text = short(error)
            # only here, where the failed attempt's tensors are no longer held by its traceback
            self._halve(len(part.rows), text)
        return found

    def _pass(self, batch: Batch) -> np.ndarray:
        device = torch.device(self.recipe.device)
        precision = (torch.autocast(device.type, dtype=torch.bfloat16) if self.recipe.bf16
                     else contextlib.nullcontext())
        with torch.inference_mode():
            fed = self.recipe.sight.tensor(batch, device)
            views = TURNS[self.recipe.turns]
            with precision:
                made = self._seen(fed, views[0])
                for view in views[1:]:
                    made += self._seen(fed, view)
            return (made / len(views)).cpu().numpy().reshape(len(batch.rows), -1)

    def _seen(self, pictures: torch.Tensor, turn: Turn) -> torch.Tensor:
        given = turned(pictures, turn).contiguous(memory_format=torch.channels_last)
        made: torch.Tensor = self.network(given).float()
        return made

    def _halve(self, crops_at_once: int, text: str) -> None:
        device = self.recipe.device
        if crops_at_once <= 1:
            raise Unavailable(f"out of memory on {device} with a single crop; use a smaller --size "
                              f"or network, or --device cpu ({text})")
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
        self.pictures = crops_at_once // 2 * self.recipe.sight.pictures


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of memory; on the CPU that is an error like any other."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def table_of(index: pa.Table, found: np.ndarray) -> pa.Table:
    """Table `embeddings` of keyed rows (n) from all dimensions (n,F)."""
    own = [n for n in index.column_names if n.startswith("Metadata_") and n not in KEYS]
    columns = {n: index.column(n) for n in (*KEYS, *own)}
    values = found.T.astype(np.float64)  # as the schema asks; packed, a tenth larger than float32
    columns |= {f"emb_{i:04d}": values[i] for i in range(len(values))}
    return tables.from_columns("embeddings", columns).select(list(columns))


@functools.lru_cache(maxsize=2)
def _index(store: Path, stamp: tuple[int, int]) -> pa.Table:
    """A store's index, read once for the blocks of a worker."""
    return crops.open_crops(store).index()
