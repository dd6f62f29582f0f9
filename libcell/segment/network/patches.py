"""The network on an image, patch by patch on a grid that the image alone determines.

Tiles are groups of patches, so how an image is cut changes no result, not by a bit: each patch has
the same pixels, at the same place in the same grid, with all that the network looks at around it,
and is computed alone on one thread.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from libcell.errors import Unavailable

if TYPE_CHECKING:
    from libcell.nn.segmenter.network import Segmenter

LARGEST = 1 << 20  # pixels (voxels) of a patch without its surroundings
EDGES = (1024, 512, 256)
UNIT = 127  # the int8 that stands for a direction of length 1
SURELY_NOT = 26  # of 255: where a cell is less likely than this, no path leads through

Read = Callable[[slice, slice], np.ndarray]
Turn = tuple[int, bool]  # quarter turns, then whether it is mirrored
TURNS: dict[str, tuple[Turn, ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (2, False), (0, True), (2, True)),
    "all": tuple((k, m) for m in (False, True) for k in range(4)),
}


def edge_of(depth: int) -> int:
    """Rows and columns of a patch of so many planes."""
    return next((e for e in EDGES if e * e * depth <= LARGEST), EDGES[-1])


def corners(shape: Sequence[int]) -> list[tuple[int, int]]:
    """First row and column of every patch of an image (Z,Y,X)."""
    edge = edge_of(shape[0])
    return [(y, x) for y in range(0, shape[1], edge) for x in range(0, shape[2], edge)]


def predict(
    network: "Segmenter", read: Read, shape: Sequence[int], y0: int, x0: int, turns: Sequence[Turn]
) -> np.ndarray:
    """The patch at (y0, x0) of an image (Z,Y,X): (1+ndim,Z,y,x) uint8.

    First the probability of `cell` in 1/255, then directions along [z,] y, x: int8 seen as uint8.
    `read(rows, columns)` gives (C,Z,y,x) float32. With several `turns` the means over the patch
    turned each way.
    """
    halo, edge = network.shape.reach_px, edge_of(shape[0])
    rows = slice(max(0, y0 - halo), min(shape[1], y0 + edge + halo))
    columns = slice(max(0, x0 - halo), min(shape[2], x0 + edge + halo))
    pixels = read(rows, columns)
    found = _averaged(network, pixels, turns)
    top, left = y0 - rows.start, x0 - columns.start
    core = found[:, :, top : top + min(edge, shape[1] - y0), left : left + min(edge, shape[2] - x0)]
    return quantised(core)


def quantised(output: np.ndarray) -> np.ndarray:
    """Probability and directions (float32) as bytes; see `predict`."""
    made = np.zeros(output.shape, np.uint8)
    np.rint(output[0] * 255, out=made[0], casting="unsafe")
    ways = np.rint(np.clip(output[1:], -1, 1) * UNIT).astype(np.int8)
    ways[:, made[0] < SURELY_NOT] = 0
    made[1:] = ways.view(np.uint8)
    return made


def _averaged(network: "Segmenter", pixels: np.ndarray, turns: Sequence[Turn]) -> np.ndarray:
    """Probability and directions (1+ndim,Z,Y,X) float32: the mean over all turns."""
    flat = network.shape.ndim == 2
    height, width = pixels.shape[-2:]
    padding = [(0, 0), (0, 0), *((0, -n % network.shape.multiple) for n in (height, width))]
    image = torch.from_numpy(np.pad(pixels, padding, mode="reflect"))
    total: torch.Tensor | None = None
    for turn in turns:
        given = _turned(image, turn)[None]
        output = _run(network, given[:, :, 0] if flat else given)[0]
        output = output[:, None] if flat else output
        output[0].sigmoid_()
        back = _turned_back(output, turn)
        total = back if total is None else total + back
    assert total is not None
    return (total / len(turns))[..., :height, :width].numpy()


def _run(network: "Segmenter", image: torch.Tensor) -> torch.Tensor:
    """The network on one image (1,C,[Z,]Y,X), result on the CPU."""
    torch.set_num_threads(1)  # sums in another order would make results depend on the workers
    device = next(network.parameters()).device
    layout = torch.channels_last if image.ndim == 4 else torch.contiguous_format
    try:
        with torch.inference_mode():
            found: torch.Tensor = network(image.to(device).contiguous(memory_format=layout))
    except torch.OutOfMemoryError as error:
        raise Unavailable(f"{device}: too little memory for a patch of {image.shape[-1]} px "
                          "(use --device cpu)") from error
    return found.float().cpu().clone(memory_format=torch.contiguous_format)


def _turned(image: torch.Tensor, turn: Turn) -> torch.Tensor:
    """Rows and columns turned by quarters, then mirrored left to right."""
    quarters, mirrored = turn
    turned = torch.rot90(image, quarters, (-2, -1))
    return turned.flip(-1) if mirrored else turned


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
