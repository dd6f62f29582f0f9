"""All checks of one explanation, on crops that were drawn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from libcell.data.explanations import Explanations
from libcell.explain.asking import model
from libcell.explain.checks import forgetting, perturbing, places, sample
from libcell.explain.checks.likeness import mean_interval, rank_correlation
from libcell.explain.checks.perturbing import Curves
from libcell.explain.checks.sample import Sample
from libcell.explain.checks.verdict import Figure, Found, Needs
from libcell.nn.saliency.absent import absent

FORGETFUL = 16  # crops whose maps are made anew for a network that forgets, in so many
STAGES = 4


@dataclass(frozen=True)
class Judge:
    """The model at `path` with its `card`, the crops that were explained, and what stands where
    pixels are `gone` (see `absent`)."""

    path: Path
    store: Path
    card: dict[str, Any]
    device: str
    steps: int
    gone: str
    seed: int

    def needs(self, drawn: Sample) -> Needs:
        """What the model loses without background, and without the object."""
        network = model.network(self.path, self.device)
        fed, gone = self._pictures(drawn)
        objects = np.any(list(drawn.masks.values()), axis=0).astype(np.float32)
        inside = sample.as_fed(objects, self.card["input"], self.device)[:, None] > 0.5
        classes = torch.from_numpy(drawn.classes).to(self.device)
        whole, without, alone = (
            float(perturbing.chances(network, some, classes, self._temperature).mean())
            for some in (fed, torch.where(inside, fed, gone), torch.where(inside, gone, fed)))
        return Needs(whole, without, alone)

    def of(self, name: str, one: Explanations, drawn: Sample
           ) -> tuple[Found, Curves, list[tuple[float, float]]]:
        """All figures of one explanation; its curves; how alike it stays as the network forgets."""
        curves = self._curves(name, drawn)
        forgets = self._forgets(one, drawn)
        where = places.locate(drawn.maps[name], places.regions(drawn.masks, drawn.seen))
        found = Found(self._figure(curves.gain()), self._figure(forgets[-1][1]),
                      {k: self._figure(v.density) for k, v in where.items()},
                      {k: self._figure(v.energy) for k, v in where.items()},
                      {k: self._figure(v.peak) for k, v in where.items()},
                      {k: self._figure(v.area) for k, v in where.items()})
        return found, curves, [(part, self._figure(alike)[0]) for part, alike in forgets]

    def agreement(self, drawn: Sample) -> np.ndarray:
        """(k,k): mean rank correlation of the explanations with each other."""
        maps = list(drawn.maps.values())
        made = np.eye(len(maps))
        for i, j in zip(*np.triu_indices(len(maps), 1)):
            made[i, j] = made[j, i] = self._figure(rank_correlation(maps[i], maps[j]))[0]
        return made

    def _curves(self, name: str, drawn: Sample) -> Curves:
        fed, gone = self._pictures(drawn)
        maps = sample.as_fed(drawn.maps[name], self.card["input"], self.device)
        return perturbing.curves(model.network(self.path, self.device), fed, gone, maps,
                                 torch.from_numpy(drawn.classes).to(self.device),
                                 self._temperature, self.steps, self.seed)

    def _forgets(self, one: Explanations, drawn: Sample) -> list[tuple[float, np.ndarray]]:
        network = model.network(self.path, self.device)
        named = one.about["layer"]
        layer = model.layer_of(self.card, network, named) if named else None
        subject = model.subject_of(self.path, self.device, layer)
        n = len(drawn.crop)
        some = np.linspace(0, n - 1, min(FORGETFUL, n)).round().astype(int)
        fed = sample.pictures(self.store, self.card["input"], drawn.crop[some], self.device)
        return forgetting.likeness(subject, one.about["method"], one.about["options"], fed,
                                   drawn.classes[some], STAGES, self.seed)

    def _figure(self, values: np.ndarray) -> Figure:
        return mean_interval(np.asarray(values, float), self.seed)

    def _pictures(self, drawn: Sample) -> tuple[Tensor, Tensor]:
        fed = sample.pictures(self.store, self.card["input"], drawn.crop, self.device)
        return fed, absent(fed, self.card["input"], self.gone)

    @property
    def _temperature(self) -> float:
        return float(self.card.get("calibration", {}).get("temperature", 1.0))
