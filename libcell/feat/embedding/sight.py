"""What a network sees of a crop: region, size, brightness, and how channels come to it.

A `Sight` holds the same words as the `input` of a model's card, and two more for networks that
others trained on colour pictures: `separate` channels, each alone as a grey picture, and the
`contrast` that they are brought to.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from libcell.data.crop_reader import Batch, CropReader
from libcell.errors import DataError
from libcell.nn import classifier

PERCENTILES = [0.1, 99.9]
GREY = 3  # input channels of a network for colour pictures


@dataclass(frozen=True)
class Sight:
    """`channels` are the store's names; `normalisation` is as `libcell.nn.pixels` has it, but for
    `range`, whose `full` each store's type gives."""

    channels: tuple[str, ...]
    region: str
    window_px: tuple[int, int]
    size_px: tuple[int, int]
    normalisation: dict[str, Any]
    mask_channel: bool = False
    separate: bool = False
    contrast: dict[str, list[float]] | None = None

    @property
    def pictures(self) -> int:
        """How many pictures the network sees of one crop."""
        return len(self.channels) if self.separate else 1

    def reader(self, path: Path, rows: np.ndarray | None = None) -> CropReader:
        """The store's crops so seen; DataError if it lacks channels, masks or pixels."""
        found = CropReader(path, self.region, size=self.window_px, channels=self.channels,
                           rows=rows)
        if self.normalisation["kind"] == "range" and found.dtype.kind not in "ui":
            raise DataError(f"{path}: crops are {found.dtype}, which has no largest value; use "
                            "--normalise crop")
        return found

    def tensor(self, batch: Batch, device: torch.device) -> torch.Tensor:
        """(n,C,H,W), or (n*C,3,H,W) where channels come one by one: what the network is fed."""
        made = classifier.prepare(batch.crops, batch.masks, self._contract(batch), device)
        if self.separate:
            made = made.flatten(0, 1)[:, None].expand(-1, GREY, -1, -1)
        if self.contrast:
            mean, sd = (torch.tensor(self.contrast[k], device=device).reshape(1, -1, 1, 1)
                        for k in ("mean", "sd"))
            made = (made - mean) / sd
        return made.contiguous(memory_format=torch.channels_last)

    def _contract(self, batch: Batch) -> dict[str, Any]:
        how = self.normalisation
        if how["kind"] == "range" and "full" not in how:
            how = how | {"full": float(np.iinfo(batch.crops.dtype).max)}
        return {"size_px": self.size_px, "normalisation": how, "mask_channel": self.mask_channel}


def of_card(taken: dict[str, Any], channels: tuple[str, ...]) -> Sight:
    """As the card's `input` has it, under the names that the store gives its `channels`."""
    return Sight(channels or tuple(taken["channels"]), taken["region"], _pair(taken["window_px"]),
                 _pair(taken["size_px"]), taken["normalisation"], taken["mask_channel"])


def _pair(values: Any) -> tuple[int, int]:
    return int(values[0]), int(values[1])
