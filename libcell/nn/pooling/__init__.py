"""Networks that see a bag of instances as one. The folder is the list.

A network is a file here, named as `--pooling` names it, that holds

    SUMMARY = "One line."
    @dataclass(frozen=True)
    class Options: ...      # str, int, float or bool fields, each with a default
    def build(features: int, classes: int, options: Options) -> nn.Module

where the module's `forward(instances, there)` takes instances (B,N,P) float, 0 where none is, and
`there` (B,N) bool, of which at least one is True in each bag, and returns `Said`. What it says of
a bag must not depend on what lies where `there` is False, nor on how much of that there is.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from libcell.errors import UsageFault
from libcell.nn import choice, stored


class Said(NamedTuple):
    """scores (B,K) before softmax; attention (B,N), how much each instance counted, 1 in all in
    each bag and 0 where none is."""

    scores: Tensor
    attention: Tensor


class Bag(nn.Module):
    """A pooling whose instances are scaled by the training part's mean and spread, (P,) each.

    A feature that is NaN counts as the mean.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, pooling: nn.Module, features: int):
        super().__init__()
        self.pooling = pooling
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("sd", torch.ones(features))

    def forward(self, instances: Tensor, there: Tensor) -> Said:
        scaled = torch.nan_to_num((instances - self.mean) / self.sd)
        said: Said = self.pooling(scaled * there[..., None], there)
        return said


def names() -> list[str]:
    """All networks, without importing any."""
    found = Path(__file__).parent.glob("*.py")
    return sorted(p.stem for p in found if not p.stem.startswith("_"))


def options(name: str, given: Mapping[str, Any]) -> Any:
    """A network's options with `given` values, which may still be text. UsageFault names a wrong
    one."""
    if name not in names():
        raise UsageFault(f"--pooling {name}: there is none; there are {', '.join(names())}")
    kind = importlib.import_module(f"{__name__}.{name}").Options
    return choice.filled(f"--pooling {name}", kind, given)


def build(shape: Mapping[str, Any], classes: int) -> Bag:
    """An untrained network from the card's `network`: name, features, options."""
    given = options(shape["name"], shape["options"])
    module = importlib.import_module(f"{__name__}.{shape['name']}")
    return Bag(module.build(shape["features"], classes, given), shape["features"])


def restore(card: Mapping[str, Any], tensors: Mapping[str, np.ndarray], what: str) -> Bag:
    """A trained one from a model's card and tensors, in evaluation mode.

    DataError, naming `what`, if the tensors do not fit the card.
    """
    return stored.restore(lambda: build(card["network"], len(card["classes"])), tensors, what)
