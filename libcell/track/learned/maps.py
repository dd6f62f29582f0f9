"""Two frames through the network, in tiles where they are large."""

from collections import OrderedDict

import numpy as np
import torch
from torch.nn import functional

from libcell.nn.tracker.network import Tracker

TILE = 1024  # rows and columns of a tile without its halo
Box = tuple[slice, slice]  # rows and columns
KEPT = 2  # pairs of frames whose maps are kept: one is looked at twice in a row


class Look:
    """The maps of pairs of frames of one movie; frames are known by their number."""

    def __init__(self, network: Tracker, device: str):
        self.network, self._device = network, torch.device(device)
        self._kept: OrderedDict[tuple[int, int], torch.Tensor] = OrderedDict()

    def at(
        self, steps: tuple[int, int], images: tuple[np.ndarray, np.ndarray], box: Box | None = None
    ) -> torch.Tensor:
        """Maps (outputs,[Z,]y,x) of two frames, each (C,Z,Y,X) float32; zeros outside of a box
        that nobody looks beyond."""
        if steps not in self._kept:
            self._kept[steps] = self._maps(np.concatenate(images), box)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[steps]

    @torch.no_grad()
    def _maps(self, images: np.ndarray, box: Box | None) -> torch.Tensor:
        shape = self.network.shape
        fold, halo, multiple = shape.fold, shape.trunk.reach_px, shape.trunk.multiple
        image = torch.from_numpy(np.ascontiguousarray(images))
        image = _padded(image[:, 0] if shape.ndim == 2 else image, multiple)
        height, width = image.shape[-2:]
        rows, columns = (range(*_aligned(span, multiple, size)) for span, size in
                         zip(box or (slice(0, height), slice(0, width)), (height, width)))
        maps = torch.zeros((shape.outputs, *image.shape[1:-2], height // fold, width // fold),
                           device=self._device)
        for y in rows[::TILE]:
            for x in columns[::TILE]:
                down, right = min(y + TILE, rows.stop), min(x + TILE, columns.stop)
                top, left = max(0, y - halo), max(0, x - halo)
                part = image[..., top : down + halo, left : right + halo][None].to(self._device)
                if shape.ndim == 2:
                    part = part.contiguous(memory_format=torch.channels_last)
                made = self.network(part)[0].float()
                inner = tuple(slice((a - o) // fold, (b - o) // fold)
                              for a, b, o in ((y, down, top), (x, right, left)))
                maps[..., y // fold : down // fold, x // fold : right // fold] = made[(..., *inner)]
        return maps


def _aligned(span: slice, multiple: int, size: int) -> tuple[int, int]:
    """A span, widened to multiples."""
    return (max(0, span.start // multiple * multiple),
            min(size, -(-span.stop // multiple) * multiple))


def _padded(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """Rows and columns repeated at the far edges, up to a multiple."""
    down, right = (-n % multiple for n in image.shape[-2:])
    flat = image.reshape(1, -1, *image.shape[-2:])
    grown = functional.pad(flat, (0, right, 0, down), mode="replicate")
    return grown.reshape(*image.shape[:-2], *grown.shape[-2:])
