"""Which crops are asked about, and as the network sees them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from libcell.data import crops, matrix
from libcell.data.crop_reader import CropReader
from libcell.errors import DataError
from libcell.nn import classifier

AT_ONCE = {"cpu": 96, "cuda": 256, "mps": 64}
CHOSEN = ("predicted", "true")


def chosen(store: Path, card: Mapping[str, Any], only: tuple[str, ...], split: str,
           most: int | None, seed: int) -> pa.Table:
    """Crops called `only`, or those of a part of the model's split; at most so many of each class,
    drawn by `seed`. DataError if there is none.

    Rows of the store's table, with their number in it (`crop`) and the class that each is of by
    its place among the model's (`truth`, -1 where it is not known).
    """
    index = crops.open_crops(store).index()
    index = index.append_column("crop", pa.array(np.arange(index.num_rows)))
    if only:
        names = index.column("object_id").to_numpy(zero_copy_only=False)
        lost = sorted(set(only) - set(names.tolist()))
        if lost:
            raise DataError(f"{store}: holds no object {lost[0]!r}; its first is {names[0]!r}")
        index = index.filter(pa.array(np.isin(names, only)))
    if split != "all":
        index = index.filter(pa.array(np.array(matrix.parts_of(index, card["split"])) == split))
        if not index.num_rows:
            raise DataError(f"{store}: no crop is of the model's {split} part; use --split all")
    truth = truth_of(index, card)
    index = index.append_column("truth", pa.array(truth))
    return index if most is None else index.take(
        pa.array(matrix.sampled(index, truth, most, seed)))


def truth_of(index: pa.Table, card: Mapping[str, Any]) -> np.ndarray:
    """The known class of each row (n,) int64 by its place among the model's; -1: none."""
    target = card["target"]
    if target not in index.column_names:
        return np.full(index.num_rows, -1, np.int64)
    place = {name: i for i, name in enumerate(card["classes"])}
    told = matrix.column_text(index, target, "the model's target")
    return np.array([place.get(str(v), -1) for v in told], np.int64)


def with_truth(asked: pa.Table, card: Mapping[str, Any], store: Path) -> pa.Table:
    """Those whose class is known and the model's; DataError if there is none."""
    known = asked.filter(pc.greater_equal(asked.column("truth"), 0))
    if not known.num_rows:
        raise DataError(f"{store}: --target true, but no crop has one of the model's classes in "
                        f"{card['target']}; use --target predicted")
    return known


def reader_of(contract: Mapping[str, Any], store: Path, rows: np.ndarray) -> CropReader:
    """The store's `rows` as the model wants them; DataError if it lacks channels or masks."""
    height, width = contract["window_px"]
    return CropReader(store, contract["region"], size=(height, width),
                      channels=tuple(contract["channels"]), rows=rows)


def fed(store: Path, contract: Mapping[str, Any], rows: np.ndarray, device: str
        ) -> Iterator[tuple[slice, Tensor]]:
    """What the network is fed (b,C,H,W) of the store's `rows`, and which of them these are."""
    place = torch.device(device)
    reader = reader_of(contract, store, rows)
    done = 0
    for batch in reader.in_order(AT_ONCE[place.type], ahead=True):
        made = classifier.prepare(batch.crops, batch.masks, contract, place)
        yield (slice(done, done + len(batch.rows)),
               made.contiguous(memory_format=torch.channels_last))
        done += len(batch.rows)


def probabilities(scores: Tensor, card: Mapping[str, Any]) -> np.ndarray:
    """float64 (b,n) from scores before softmax, at the model's temperature."""
    temperature = float(card.get("calibration", {}).get("temperature", 1.0))
    return np.asarray((scores.double() / temperature).softmax(1).cpu().numpy())


def choice(wanted: str | list[int], truth: np.ndarray) -> Any:
    """The classes (b,K) to explain, as a function of scores (b,n): `predicted`, `true` ones
    (truth (b,)), or some by number."""
    def choose(scores: Tensor) -> Tensor:
        if wanted == "predicted":
            return scores.argmax(1, keepdim=True)
        if wanted == "true":
            return torch.tensor(truth, device=scores.device)[:, None]
        return torch.tensor(wanted, device=scores.device).expand(len(scores), -1)

    return choose
