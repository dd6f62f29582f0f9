"""The cell-cycle network: three recurrent maps that follow the centre cell, and draw it.

Each frame passes a small encoder and three convolutional GRUs of falling resolution. From the
last map a decoder draws the masked centre cell, so that the network learns which of the cells in
the picture it is asked about, and a classifier tells its stage. Source: Jose et al. 2024,
doi:10.1371/journal.pone.0297356, where `width` is 32, `hidden` 4096 and a picture 96 x 96; here
pictures may be of any size from 32 px on, and the stages are scored together, not one by one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.errors import UsageFault
from libcell.nn.sequence import Said, of_frames

SUMMARY = "Encoder, three convolutional GRUs, a decoder that draws the centre cell, a classifier."
STEP = 8  # pixels of a picture per position of the last map
LEAST = 32
MAP = 6  # height and width of what the classifier sees, at most


@dataclass(frozen=True)
class Options:
    """width: channels of the first recurrent map (the next have 2 and 4 times as many); hidden:
    the classifier's layer; warm: how often the first frame is shown before it counts."""

    width: int = 32
    hidden: int = 512
    warm: int = 2


class ConvGRU(nn.Module):
    """A GRU whose gates are 3 x 3 convolutions (Ballas et al. 2016, arXiv:1511.06432)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.gates = nn.Conv2d(channels + width, 2 * width, 3, padding=1)
        self.new = nn.Conv2d(channels + width, width, 3, padding=1)

    def forward(self, seen: Tensor, state: Tensor) -> Tensor:
        """seen (B,C,H,W) and state (B,width,H,W) to the next state."""
        update, reset = self.gates(torch.cat([seen, state], 1)).sigmoid().chunk(2, 1)
        new = torch.tanh(self.new(torch.cat([seen, reset * state], 1)))
        return (1 - update) * state + update * new


class CentreCell(nn.Module):
    """Pixels (B,T,C,H,W) to scores (B,T,K) and the drawn centre cell (B,T,1,H,W)."""

    def __init__(self, channels: int, size: tuple[int, int], classes: int, options: Options):
        super().__init__()
        w = options.width
        self.warm, self.size, self.widths = options.warm, size, (w, 2 * w, 4 * w)
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, w // 4, 3, padding=1), nn.ReLU(),
            nn.Conv2d(w // 4, w // 2, 3, padding=1), nn.ReLU(),
            nn.Conv2d(w // 2, w, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.memory = nn.ModuleList([ConvGRU(w, w), ConvGRU(w, 2 * w), ConvGRU(2 * w, 4 * w)])
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(4 * w, 2 * w, 2, 2), nn.ReLU(),
            nn.ConvTranspose2d(2 * w, w, 2, 2), nn.ReLU(), nn.ConvTranspose2d(w, 1, 2, 2))
        edge = [min(MAP, n // (2 * STEP)) for n in _padded(size)]
        self.classifier = nn.Sequential(
            nn.Conv2d(4 * w, 8 * w, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8 * w, 16 * w, 3, padding=1), nn.ReLU(),
            nn.AdaptiveMaxPool2d((edge[0], edge[1])), nn.Flatten(),
            nn.Linear(16 * w * edge[0] * edge[1], options.hidden), nn.ReLU(),
            nn.Linear(options.hidden, classes))

    def forward(self, pixels: Tensor, there: Tensor) -> Said:
        height, width = self.size
        tall, wide = _padded(self.size)
        framed = functional.pad(pixels, (0, wide - width, 0, tall - height))
        followed = self._followed(of_frames(self.encoder, framed, there), there)
        scores = of_frames(self.classifier, followed, there)
        drawn = of_frames(self.decoder, followed, there)
        return Said(scores, drawn[..., :height, :width])

    def _followed(self, seen: Tensor, there: Tensor) -> Tensor:
        """The last map (B,T,4w,H/8,W/8) of each frame. A frame that is missing changes nothing,
        so what is remembered waits for the next."""
        n, _, _, tall, wide = seen.shape
        states = [seen.new_zeros(n, width, tall >> i, wide >> i)
                  for i, width in enumerate(self.widths)]
        for _ in range(self.warm):
            states = self._step(seen[:, 0], there[:, 0], states)
        made = []
        for frame, present in zip(seen.unbind(1), there.unbind(1)):
            states = self._step(frame, present, states)
            made.append(states[-1])
        return torch.stack(made, 1)

    def _step(self, seen: Tensor, present: Tensor, states: list[Tensor]) -> list[Tensor]:
        made = []
        for i, (cell, state) in enumerate(zip(self.memory, states)):
            new = cell(seen if i == 0 else functional.max_pool2d(seen, 2), state)
            seen = torch.where(present[:, None, None, None], new, state)
            made.append(seen)
        return made


def _padded(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // STEP) * STEP, -(-size[1] // STEP) * STEP


def build(channels: int, size: tuple[int, int], classes: int, options: Options) -> nn.Module:
    """See the package."""
    if min(size) < LEAST:
        raise UsageFault(f"--network convgru cannot take pictures of {size[0]} x {size[1]} px; "
                         f"use --size {LEAST} or more")
    if options.width % 4:
        raise UsageFault(f"--network convgru: width={options.width} must be a multiple of 4")
    return CentreCell(channels, size, classes, options)
