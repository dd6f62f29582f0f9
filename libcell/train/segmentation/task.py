"""The segmenter as the training engine sees it: crops drawn by seed, loss, figures held out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from libcell.nn.segmenter.losses import cell_dice, segmentation_loss
from libcell.nn.segmenter.network import Segmenter
from libcell.train.engine.task import Task
from libcell.train.segmentation import crops, intensity
from libcell.train.segmentation.crops import Crop, Turn
from libcell.train.segmentation.fields import Prepared

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
HELD = 48  # crops at most that validation looks at


@dataclass(frozen=True)
class Drawing:
    """How crops are drawn.

    size    (planes, edge) of a crop in pixels
    batch   crops of a step; steps of an epoch
    span    crops are up to this many times larger or smaller than in the field
    swap    how often dark and bright change places
    """

    size: tuple[int, int]
    batch: int
    steps: int
    span: float
    swap: float


class SegmenterTask(Task):
    """Learns from prepared fields; `held` are those that judge it."""

    monitor = "loss"
    higher = False

    def __init__(self, network: Segmenter, train: list[Prepared], held: list[Prepared],
                 drawing: Drawing, seed: int):
        self.network: nn.Module = network
        self._train, self._drawing, self._seed = train, drawing, seed
        self._flat = network.shape.ndim == 2
        if self._flat:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._held = _spread([c for field in held for c in _whole(field, drawing.size)])

    def steps(self, epoch: int) -> int:
        """Batches of an epoch."""
        return self._drawing.steps

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """Crops that depend on seed, epoch and place alone."""
        drawing = self._drawing
        for step in range(start, drawing.steps):
            made = []
            for item in range(drawing.batch):
                rng = np.random.default_rng((self._seed, epoch, step, item))
                field = self._train[rng.integers(len(self._train))]
                crop = crops.draw(field, rng, drawing.size, drawing.span)
                made.append(intensity.changed(crop, rng, drawing.swap))
            yield self._stacked(made)

    def loss(
        self, network: nn.Module, batch: Batch
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """See `segmentation_loss`."""
        image, target, valid = batch
        if self._flat:
            image = image.contiguous(memory_format=torch.channels_last)
        return segmentation_loss(network(image), target, valid)

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Loss, its parts and the Dice coefficient of `cell` on crops as they are."""
        sums: dict[str, float] = {}
        for crop in self._held:
            image, target, valid = (v.to(device) for v in self._stacked([crop]))
            output = network(image).float()
            loss, parts = segmentation_loss(output, target, valid)
            parts |= {"loss": loss, "dice": cell_dice(output, target, valid)}
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value) / len(self._held)
        return sums

    def _stacked(self, made: list[Crop]) -> Batch:
        """Crops as a batch; without the axis of planes for a network that knows none."""
        image = torch.stack([c.image for c in made])
        target = torch.stack([c.target for c in made])
        valid = torch.stack([c.valid for c in made])
        if self._flat:
            image, target, valid = image[:, :, 0], target[:, :, 0], valid[:, 0]
        return image, target, valid


def _whole(field: Prepared, size: tuple[int, int]) -> Iterator[Crop]:
    """A field in crops side by side, as it is."""
    planes, edge = size
    depth, height, width = field.cell.shape
    for z in range(0, depth, planes):
        for y in range(0, height, edge):
            for x in range(0, width, edge):
                middle = (z + planes // 2, y + edge // 2, x + edge // 2)
                yield crops.cut(field, middle, size, Turn.none())


def _spread(made: list[Crop]) -> list[Crop]:
    """At most `HELD` of them, evenly chosen."""
    step = max(1, -(-len(made) // HELD))
    return made[::step]
