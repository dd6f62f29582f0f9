"""Views of crops as the engine's task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from libcell.nn import pixels
from libcell.nn.augment import Augmentation, Cut
from libcell.nn.selfsup import Learner
from libcell.train.engine.task import Task
from libcell.train.selfsup.material import Material
from libcell.train.selfsup.watch import Watch


@dataclass(frozen=True)
class Views:
    """How a batch becomes views: two of `whole`, `count` of `local`, each with intensities of
    its own; `layout` of the tensors (channels_last suits most networks)."""

    whole: Cut
    local: Cut
    count: int
    intensities: Augmentation
    layout: torch.memory_format = torch.channels_last

    def of(
        self, crops: Tensor, masks: Tensor | None, contract: Mapping[str, Any]
    ) -> tuple[Tensor, Tensor | None]:
        """(2B,C,H,W) and (nB,C,h,w) or None, view by view, of crops (B,c,Y,X) and masks (B,Y,X)
        of a store: normalised, the mask a further channel where the `contract` asks for it."""
        height, width = contract["size_px"]
        how = contract["normalisation"]
        made = pixels.shape(crops, (height, width), how, crops.device)
        channels = made.shape[1]
        if masks is not None:
            mask = pixels.to_float(masks, crops.device)[:, None]
            made = torch.cat([made, pixels.fit_size(mask, (height, width))], dim=1)

        def some(cut: Cut, count: int) -> Tensor:
            seen = [self._varied(cut.take(made), channels, how) for _ in range(count)]
            return torch.cat(seen).contiguous(memory_format=self.layout)

        return some(self.whole, 2), some(self.local, self.count) if self.count else None

    def _varied(self, view: Tensor, channels: int, how: Mapping[str, Any]) -> Tensor:
        seen = self.intensities.intensities(pixels.normalise(view[:, :channels], how))
        return torch.cat([seen, view[:, channels:]], dim=1)


class Unlabelled(Task):
    """Teach a learner from crops alone; watched for collapse after each epoch.

    No figure chooses an epoch: the last one's weights are the result.
    """

    monitor = "none"

    def __init__(
        self, learner: Learner, made: Material, views: Views, batch: int, watch: Watch, seed: int
    ):
        self.network = learner.to(memory_format=views.layout)  # type: ignore[call-overload]
        self._learner, self._made, self._views = learner, made, views
        self._batch, self._watch, self._seed = batch, watch, seed

    def steps(self, epoch: int) -> int:
        """Whole batches; what is left over comes in another epoch."""
        return max(1, len(self._made) // self._batch)

    def batches(self, epoch: int, start: int) -> Iterator[dict[str, np.ndarray]]:
        masked = self._made.contract["mask_channel"]
        for batch in self._made.batches(self._batch, self._seed, epoch, start):
            yield {"crops": batch.crops} | ({"masks": batch.masks} if masked else {})

    def loss(
        self, network: nn.Module, batch: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Any]]:
        with torch.no_grad():
            whole, local = self._views.of(batch["crops"], batch.get("masks"), self._made.contract)
        found: tuple[Tensor, dict[str, Any]] = network(whole, local)
        return found

    def after_step(self, step: int, total: int) -> None:
        self._learner.after_step(step, total)

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        epoch = int(self._learner.done) // self.steps(0)
        return self._watch.look(self._learner.taught, device, epoch)

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Biases and scales are not pulled towards zero."""
        learnt = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        plain = [p for n, p in learnt if p.ndim <= 1 or n.endswith("directions")]
        return [{"params": [p for n, p in learnt if p.ndim > 1 and not n.endswith("directions")]},
                {"params": plain, "weight_decay": 0.0}]
