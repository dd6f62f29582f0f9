"""Networks that tell a stage for each frame of a sequence. The folder is the list.

A network is a file here, named as `--network` names it, that holds

    SUMMARY = "One line."
    @dataclass(frozen=True)
    class Options: ...      # str, int, float or bool fields, each with a default
    def build(channels: int, size: tuple[int, int], classes: int, options: Options) -> nn.Module

where the module's `forward(pixels, there)` takes pixels (B,T,C,H,W) float and `there` (B,T) bool,
False where a frame is missing or the sequence has ended, and returns `Said`. What it says of
frames that are not there counts for nothing, and what lies in their pixels must not matter.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from libcell.errors import UsageFault
from libcell.nn import choice, stored


class Said(NamedTuple):
    """scores (B,T,K) before softmax; drawn (B,T,1,H,W) before the sigmoid, the masked centre
    cell, of networks that draw it."""

    scores: Tensor
    drawn: Tensor | None = None


def names() -> list[str]:
    """All networks, without importing any."""
    found = Path(__file__).parent.glob("*.py")
    return sorted(p.stem for p in found if not p.stem.startswith("_"))


def options(name: str, given: Mapping[str, Any]) -> Any:
    """A network's options with `given` values, which may still be text. UsageFault names a
    wrong one."""
    if name not in names():
        raise UsageFault(f"--network {name}: there is none; there are {', '.join(names())}")
    kind = importlib.import_module(f"{__name__}.{name}").Options
    return choice.filled(f"--network {name}", kind, given)


def build(shape: Mapping[str, Any], classes: int) -> nn.Module:
    """An untrained network from the card's `network`: name, channels, size_px, options."""
    height, width = shape["size_px"]
    given = options(shape["name"], shape["options"])
    module = importlib.import_module(f"{__name__}.{shape['name']}")
    made: nn.Module = module.build(shape["channels"], (height, width), classes, given)
    return made


def restore(card: Mapping[str, Any], tensors: Mapping[str, np.ndarray], what: str) -> nn.Module:
    """A trained one from a model's card and tensors, in evaluation mode.

    DataError, naming `what`, if the tensors do not fit the card.
    """
    return stored.restore(lambda: build(card["network"], len(card["classes"])), tensors, what)


def of_frames(network: nn.Module, pixels: Tensor, there: Tensor) -> Tensor:
    """What `network` (N,C,H,W) -> (N,...) says of the frames that are there, 0 elsewhere:
    (B,T,...)."""
    found = network(pixels[there])
    made = found.new_zeros((*there.shape, *found.shape[1:]))
    made[there] = found
    return made
