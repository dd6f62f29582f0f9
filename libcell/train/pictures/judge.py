"""What a network says of crops: scores per class, the temperature that makes them honest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from libcell.nn import classifier
from libcell.train.pictures.contract import reader_of

AT_ONCE = 128


def scores(
    network: nn.Module, path: Path, contract: dict[str, Any], rows: np.ndarray,
    device: torch.device,
) -> np.ndarray:
    """float64 (n,k): scores before softmax of the store's `rows` (n,), in their order.

    `network` is on the device already; its mode is left as it is.
    """
    made = [np.empty((0, 0))]
    with torch.inference_mode():
        made = [network(batch).double().cpu().numpy()
                for batch in fed(path, contract, rows, device)]
    return np.concatenate(made) if made else np.empty((0, 0))


def fed(
    path: Path, contract: dict[str, Any], rows: np.ndarray, device: torch.device
) -> Iterator[torch.Tensor]:
    """Prepared batches of the store's rows, in their order, the next decoded meanwhile."""
    for batch in reader_of(contract, path, rows).in_order(AT_ONCE, ahead=True):
        yield classifier.prepare(batch.crops, batch.masks, contract, device)
