"""Two frames through the network, in tiles where they are large."""

from collections import OrderedDict

import numpy as np
import torch
from torch.nn import functional

from libcell.nn.tracker.network import Tracker

TILE = 1024  # rows and columns of a tile without its halo
KEPT = 2  # pairs of frames whose maps are kept: one is looked at twice in a row


class Look:
    """The maps of pairs of frames of one movie; frames are known by their number."""

    def __init__(self, network: Tracker, device: str):
        self.network, self._device = network, torch.device(device)
        self._kept: OrderedDict[tuple[int, int], torch.Tensor] = OrderedDict()

    def at(self, steps: tuple[int, int], images: tuple[np.ndarray, np.ndarray]) -> torch.Tensor:
        """Maps (outputs,[Z,]y,x) of two frames, each (C,Z,Y,X) float32."""
        if steps not in self._kept:
            self._kept[steps] = self._maps(np.concatenate(images))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[steps]

    @torch.no_grad()
    def _maps(self, images: np.ndarray) -> torch.Tensor:
        shape = self.network.shape
        fold, halo = shape.fold, shape.trunk.reach_px
        height, width = images.shape[-2:]
        image = torch.from_numpy(np.ascontiguousarray(images))
        image = _padded(image[:, 0] if shape.ndim == 2 else image, shape.trunk.multiple)
        rows = []
        for y in range(0, height, TILE):
            row = []
            for x in range(0, width, TILE):
                top, left = max(0, y - halo), max(0, x - halo)
                part = image[..., top : y + TILE + halo, left : x + TILE + halo]
                maps = self.network(part[None].to(self._device))[0].float()
                keep = TILE // fold
                row.append(maps[..., (y - top) // fold :, (x - left) // fold :][..., :keep, :keep])
            rows.append(torch.cat(row, dim=-1))
        return torch.cat(rows, dim=-2)


def _padded(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Rows and columns repeated at the far edges, up to a multiple."""
    down, right = (-n % multiple for n in image.shape[-2:])
    flat = image.reshape(1, -1, *image.shape[-2:])
    grown = functional.pad(flat, (0, right, 0, down), mode="replicate")
    return grown.reshape(*image.shape[:-2], *grown.shape[-2:])
