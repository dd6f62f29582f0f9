"""The network on an image, patch by patch on a grid that the image alone determines.

Tiles are groups of patches, so how an image is cut changes no result, not by a bit: each patch has
the same pixels, at the same place in the same grid, with all that the network looks at around it,
and is computed alone on one thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from libcell.errors import Unavailable
from libcell.nn.turns import Turn, turned

if TYPE_CHECKING:
    from libcell.nn.segmenter.network import Segmenter

LARGEST = 1 << 20  # pixels (voxels) of a patch without its surroundings
EDGES = (1024, 512, 256)
UNIT = 127  # the int8 that stands for a direction of length 1
SURELY_NOT = 26  # of 255: where a cell is less likely than this, no path leads through

Read = Callable[[slice, slice], np.ndarray]


def edge_of(depth: int) -> int:
    """Rows and columns of a patch of so many planes."""
    return next((e for e in EDGES if e * e * depth <= LARGEST), EDGES[-1])


def corners(shape: Sequence[int]) -> list[tuple[int, int]]:
    """First row and column of every patch of an image (Z,Y,X)."""
    edge = edge_of(shape[0])
    return [(y, x) for y in range(0, shape[1], edge) for x in range(0, shape[2], edge)]


@dataclass
class Runner:
    """A network as patches use it; `halved` says that a patch did not fit the device's memory."""

    network: "Segmenter"
    turns: Sequence[Turn]
    halved: bool = False

    def predict(self, read: Read, shape: Sequence[int], y0: int, x0: int) -> np.ndarray:
        """The patch at (y0, x0) of an image (Z,Y,X): (1+ndim,Z,y,x) uint8.

        First the probability of `cell` in 1/255, then directions along [z,] y, x: int8 seen as
        uint8. `read(rows, columns)` gives (C,Z,y,x) float32. With several `turns` the means over
        the patch turned each way.
        """
        halo, edge = self.network.shape.reach_px, edge_of(shape[0])
        rows = slice(max(0, y0 - halo), min(shape[1], y0 + edge + halo))
        columns = slice(max(0, x0 - halo), min(shape[2], x0 + edge + halo))
        found = self._averaged(read(rows, columns))
        top, left = y0 - rows.start, x0 - columns.start
        height, width = min(edge, shape[1] - y0), min(edge, shape[2] - x0)
        return quantised(found[:, :, top : top + height, left : left + width])

    def _averaged(self, pixels: np.ndarray) -> np.ndarray:
        """Probability and directions (1+ndim,Z,Y,X) float32: the mean over all turns."""
        flat = self.network.shape.ndim == 2
        height, width = pixels.shape[-2:]
        multiple = self.network.shape.multiple
        padding = [(0, 0), (0, 0), (0, -height % multiple), (0, -width % multiple)]
        image = torch.from_numpy(np.pad(pixels, padding, mode="reflect"))
        total: torch.Tensor | None = None
        for turn in self.turns:
            given = turned(image, turn)[None]
            output = self._run(given[:, :, 0] if flat else given)[0]
            output = output[:, None] if flat else output
            output[0].sigmoid_()
            back = _turned_back(output, turn)
            total = back if total is None else total + back
        assert total is not None
        return (total / len(self.turns))[..., :height, :width].numpy()

    def _run(self, image: torch.Tensor) -> torch.Tensor:
        """The network on one image (1,C,[Z,]Y,X), result on the CPU; in two halves, each with all
        that it looks at, where that does not fit the device's memory."""
        torch.set_num_threads(1)  # sums in another order would make results depend on the workers
        device = next(self.network.parameters()).device
        layout = torch.channels_last if image.ndim == 4 else torch.contiguous_format
        try:
            with torch.inference_mode():
                found = self.network(image.to(device).contiguous(memory_format=layout))
            return found.float().cpu().clone(memory_format=torch.contiguous_format)
        except torch.OutOfMemoryError as error:
            if max(image.shape[-2:]) <= 4 * self.network.shape.reach_px:
                raise Unavailable(f"{device}: too little memory for {image.shape[-1]} px "
                                  "(use --device cpu)") from error
        # only here, where the failed attempt's tensors are no longer held by its traceback
        if device.type == "cuda":
            torch.cuda.empty_cache()
        self.halved = True
        return self._halves(image)

    def _halves(self, image: torch.Tensor) -> torch.Tensor:
        shape = self.network.shape
        axis = -2 if image.shape[-2] >= image.shape[-1] else -1
        size = image.shape[axis]
        middle = size // 2 // shape.multiple * shape.multiple
        first = self._run(image.narrow(axis, 0, middle + shape.reach_px))
        start = middle - shape.reach_px
        second = self._run(image.narrow(axis, start, size - start))
        return torch.cat([first.narrow(axis, 0, middle),
                          second.narrow(axis, shape.reach_px, size - middle)], dim=axis)


def quantised(output: np.ndarray) -> np.ndarray:
    """Probability and directions (float32) as bytes; see `Runner.predict`."""
    made = np.zeros(output.shape, np.uint8)
    np.rint(output[0] * 255, out=made[0], casting="unsafe")
    ways = np.rint(np.clip(output[1:], -1, 1) * UNIT).astype(np.int8)
    ways[:, made[0] < SURELY_NOT] = 0
    made[1:] = ways.view(np.uint8)
    return made


def _turned_back(output: torch.Tensor, turn: Turn) -> torch.Tensor:
    """The inverse, of directions as well: (1+ndim,Z,Y,X)."""
    quarters, mirrored = turn
    if mirrored:
        output = output.flip(-1)
        output[-1] = -output[-1]
    output = torch.rot90(output, -quarters, (-2, -1))
    for _ in range(quarters):
        y, x = output[-2].clone(), output[-1].clone()
        output[-2], output[-1] = x, -y
    return output
