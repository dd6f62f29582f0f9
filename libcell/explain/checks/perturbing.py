"""Deletion and insertion: what becomes of a probability as the pixels of a map go or come.

Source: Petsiuk et al. 2018, arXiv:1806.07421. Pixels that go one by one hurt a network whatever
they show, and a smooth map takes them in patches; so each curve stands beside its control, the
same map moved to another place.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

AT_ONCE = 128


class Curves(NamedTuple):
    """float64 (n, steps + 1) each: the probability with 0, 1/steps, ... 1 of the pixels taken
    away (`deleted`) or alone there (`inserted`), and the same for the maps moved elsewhere."""

    deleted: np.ndarray
    inserted: np.ndarray
    deleted_elsewhere: np.ndarray
    inserted_elsewhere: np.ndarray

    def gain(self) -> np.ndarray:
        """(n,): how much further apart insertion and deletion lie than they do for the control,
        half of it: 0 for a map that says nothing, at most 1."""
        def area(curve: np.ndarray) -> np.ndarray:
            return np.asarray(np.trapezoid(curve, dx=1 / (curve.shape[1] - 1), axis=1))

        own = area(self.inserted) - area(self.deleted)
        return (own - area(self.inserted_elsewhere) + area(self.deleted_elsewhere)) / 2


def curves(network: nn.Module, fed: Tensor, gone: Tensor, maps: Tensor, classes: Tensor,
           temperature: float, steps: int, seed: int) -> Curves:
    """Of pictures fed (n,C,H,W) with maps (n,H,W); `gone` stands for pixels that are away."""
    moved = _moved(maps, seed)
    found = []
    for values in (maps, moved):
        order = values.flatten(1).argsort(dim=1, descending=True, stable=True)
        rank = order.argsort(dim=1, stable=True).view_as(values)
        count = rank.shape[1] * rank.shape[2]
        taken = [(rank < round(count * s / steps))[:, None] for s in range(steps + 1)]
        found.append([chances(network, torch.where(t, gone, fed), classes, temperature)
                      for t in taken])
        found.append([chances(network, torch.where(t, fed, gone), classes, temperature)
                      for t in taken])
    return Curves(*(np.stack(part, axis=1) for part in found))


def chances(network: nn.Module, fed: Tensor, classes: Tensor, temperature: float) -> np.ndarray:
    """float64 (n,): the probability of each picture's class."""
    with torch.inference_mode():
        scores = torch.cat([network(part) for part in fed.split(AT_ONCE)]).double()
        made = (scores / temperature).softmax(1).gather(1, classes[:, None])[:, 0]
    return np.asarray(made.cpu().numpy())


def _moved(maps: Tensor, seed: int) -> Tensor:
    """Each map rolled around by a quarter to three quarters of its height and width."""
    random = np.random.default_rng(seed)
    height, width = maps.shape[1:]
    return torch.stack([
        one.roll((int(random.integers(height // 4, 3 * height // 4 + 1)),
                  int(random.integers(width // 4, 3 * width // 4 + 1))), (0, 1))
        for one in maps])
