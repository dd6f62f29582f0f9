"""Heads: from a backbone's features to a score per class. The folder is the list.

A head is a file here, named as `--head` names it, that holds

    SUMMARY = "One linear layer."
    @dataclass(frozen=True)
    class Options: ...              # str, int, float or bool fields, each with a default
    def build(in_features: int, classes: int, options: Options) -> nn.Module

or such a module of another package, under the entry-point group `libcell.nn.heads`. What `build`
makes takes (B, in_features) float and gives (B, classes) scores before softmax.
`--head-options a=1,b=2` sets fields. A field `text: str` takes the content of FILE in
`--head NAME:FILE`; a model's card keeps all options, `text` too, so it needs no file later.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from libcell.errors import UsageFault
from libcell.nn import choice, plugins

GROUP = "libcell.nn.heads"


def names() -> list[str]:
    """All heads, without importing any; our own first."""
    own = _own()
    return own + [n for n in plugins.names(GROUP) if n not in own]


def _own() -> list[str]:
    found = Path(__file__).parent.glob("*.py")
    return sorted(p.stem.replace("_", "-") for p in found if not p.stem.startswith("_"))


def load(name: str) -> Any:
    """A head's module. UsageFault if there is none of that name."""
    if name not in names():
        raise UsageFault(f"--head {name}: there is none; there are {', '.join(names())}")
    if name not in _own():
        return plugins.load(GROUP, name)
    return importlib.import_module(f"libcell.nn.heads.{name.replace('-', '_')}")


def options(name: str, given: Mapping[str, Any]) -> Any:
    """A head's options with `given` values, which may still be text. UsageFault names a wrong one.
    """
    return choice.filled(f"--head {name}", load(name).Options, given)


def build(name: str, in_features: int, classes: int, given: Mapping[str, Any]) -> nn.Module:
    """The head `name` with its options (see `options`)."""
    made: nn.Module = load(name).build(in_features, classes, options(name, given))
    return made
