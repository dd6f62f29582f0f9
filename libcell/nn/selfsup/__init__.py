"""What a backbone can be taught without labels. The folder is the list.

A method is a file here, named as `--method` names it, that holds

    SUMMARY = "One line."
    LOCAL = 4                       # small views of each picture that it likes to have
    @dataclass(frozen=True)
    class Options: ...              # int, float or bool fields, each with a default
    def build(backbone: nn.Module, epoch_steps: int, options: Options) -> Learner

`backbone` takes (B,C,H,W) to (B, backbone.num_features). All that a method remembers from step to
step is a parameter or a buffer, so that a checkpoint holds it.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from libcell.errors import UsageFault
from libcell.nn import choice


class Learner(nn.Module):
    """A backbone with what it takes to teach it; `done` counts the optimiser's steps."""

    done: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))

    @property
    def taught(self) -> nn.Module:
        """The backbone that is kept."""
        raise NotImplementedError

    def forward(
        self, whole: Tensor, local: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss (a scalar), and figures (scalars), of two views of each picture, (2B,C,H,W),
        the first ones before the second ones, and n smaller ones, (nB,C,h,w) in that order."""
        raise NotImplementedError

    def after_step(self, step: int, total: int) -> None:
        """After each of `total` steps of the optimiser, counted from 1."""
        self.done.fill_(step)

    def fault(self, figures: Mapping[str, float]) -> str | None:
        """What an epoch's mean figures say of a collapse, in words, if there is one."""
        return None


def names() -> list[str]:
    """All methods, without importing any."""
    found = Path(__file__).parent.glob("*.py")
    return sorted(p.stem for p in found if not p.stem.startswith("_"))


def load(name: str) -> Any:
    """A method's module. UsageFault if there is none of that name."""
    if name not in names():
        raise UsageFault(f"--method {name}: there is none; there are {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}")


def options(name: str, given: Mapping[str, Any]) -> Any:
    """A method's options with `given` values, which may still be text. UsageFault names a wrong
    one."""
    return choice.filled(f"--method {name}", load(name).Options, given)


def build(name: str, backbone: nn.Module, epoch_steps: int, given: Mapping[str, Any]) -> Learner:
    """The method `name` with its options (see `options`), around a backbone."""
    made: Learner = load(name).build(backbone, epoch_steps, options(name, given))
    return made
