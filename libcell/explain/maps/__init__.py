"""Ways to say where in a crop a class's score comes from. The folder is the list.

A way is a file here, named as `--method` names it (`_plus` for each +), that holds

    SUMMARY, PAPER = "...", "..."
    NEEDS = ""           # an optional extra of ours
    LAYER = True         # whether it reads a layer of the network
    CHANNELS = False     # whether it can tell the channels' parts apart
    @dataclass(frozen=True)
    class Options: ...   # str, int, float or bool fields, each with a default
    def require(backbone) -> None                        # if some networks do not suit it
    def explain(subject: Subject, fed: Tensor, choose: Choose, options: Options) -> Answer

`--method-options a=1,b=2` sets fields; the store keeps all of them.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from libcell.errors import Unavailable, UsageFault
from libcell.nn import choice
from libcell.nn.saliency.gradients import Choose
from libcell.nn.saliency.layers import Layer

__all__ = ["Answer", "Choose", "Subject", "load", "names", "options"]

EXTRAS = {"explain": "captum"}


@dataclass(frozen=True)
class Subject:
    """Who is asked: a classifier of `libcell.nn.classifier` whose parameters want no gradient, its
    card's `input`, the layer to read if the way needs one, and whether channels are told apart."""

    network: nn.Module
    contract: Mapping[str, Any]
    layer: Layer | None
    by_channel: bool = False

    @property
    def backbone(self) -> nn.Module:
        """Of which `layer` is one."""
        return self.network.get_submodule("backbone")

    @property
    def channels(self) -> list[str]:
        """What the network is fed, in order: the card's channels, and the mask if it sees it."""
        return [*self.contract["channels"], *(["mask"] if self.contract["mask_channel"] else [])]


@dataclass(frozen=True)
class Answer:
    """scores (B,n) before softmax, the classes (B,K) int64 that were chosen, and maps of any grid:
    (B,K,h,w), or (B,K,C,h,w) where channels are told apart."""

    scores: Tensor
    classes: Tensor
    maps: Tensor


def names() -> list[str]:
    """All ways, without importing any."""
    found = Path(__file__).parent.glob("*.py")
    return sorted(p.stem.replace("_plus", "+").replace("_", "-")
                  for p in found if not p.stem.startswith("_"))


def load(name: str) -> Any:
    """The module of a way. UsageFault if there is none of that name, Unavailable without what it
    needs."""
    if name not in names():
        raise UsageFault(f"--method {name}: there is none; there are {', '.join(names())}")
    found = importlib.import_module(
        f"libcell.explain.maps.{name.replace('+', '_plus').replace('-', '_')}")
    if found.NEEDS and find_spec(EXTRAS[found.NEEDS]) is None:
        raise Unavailable(f"--method {name} needs {EXTRAS[found.NEEDS]} "
                          f"(pip install 'libcell[{found.NEEDS}]')")
    return found


def options(name: str, given: Mapping[str, Any]) -> Any:
    """A way's options with `given` values, which may still be text. UsageFault names a wrong one.
    """
    return choice.filled(f"--method {name}", load(name).Options, given)
