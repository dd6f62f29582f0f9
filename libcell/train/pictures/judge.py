"""What a network says of crops: scores per class."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from libcell.data import models
from libcell.nn import classifier
from libcell.nn.classifier import Classifier
from libcell.train.pictures.contract import reader_of

AT_ONCE = 128


def loaded(model: Path, device: str, alone: bool) -> Classifier:
    """A trained network on its device, read once for all blocks of a worker.

    Unless a block is `alone`, the thread that asks computes with one thread from here on:
    the others have the other cores.
    """
    if not alone:
        torch.set_num_threads(1)  # holds for the calling thread
    return _loaded(model, (model / models.WEIGHTS).stat().st_mtime_ns, device)


@functools.lru_cache(maxsize=2)
def _loaded(model: Path, stamp: int, device: str) -> Classifier:
    made = classifier.restore(models.load_card(model), models.load_tensors(model), str(model))
    return made.to(device)


def scores(
    network: nn.Module, path: Path, contract: dict[str, Any], rows: np.ndarray,
    device: torch.device | str, classes: int,
) -> np.ndarray:
    """float64 (n, classes): scores before softmax of the store's `rows` (n,), in their order.

    `network` is on the device already; its mode is left as it is.
    """
    with torch.inference_mode():
        made = [network(batch).double().cpu().numpy()
                for batch in fed(path, contract, rows, torch.device(device))]
    return np.concatenate(made) if made else np.empty((0, classes))


def fed(
    path: Path, contract: dict[str, Any], rows: np.ndarray, device: torch.device
) -> Iterator[torch.Tensor]:
    """Prepared batches of the store's rows, in their order, the next decoded meanwhile."""
    for batch in reader_of(contract, path, rows).in_order(AT_ONCE, ahead=True):
        yield classifier.prepare(batch.crops, batch.masks, contract, device)
