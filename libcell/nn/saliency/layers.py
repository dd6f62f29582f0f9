"""The layer whose maps an explanation is made of, found by running the network once.

Of the layers that timm lists as a network's stages, the deepest whose map is still FINE positions
wide: a network for pictures of 224 px leaves 2 x 2 positions of a crop of 64, which point at
nothing. Transformers are read before the last block, since after it a class token has already taken
what it wants and no score depends on the others any more.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from libcell.errors import UsageFault

FINE = 4


@dataclass(frozen=True)
class Layer:
    """A layer by its `name` in the backbone, and how its output is laid out.

    `grid` are rows and columns of its map; `kind` is `planes` (B,C,h,w), `pixels` (B,h,w,C) or
    `tokens` (B,prefix+h*w,C), of which the first `prefix` stand for no place.
    """

    name: str
    grid: tuple[int, int]
    kind: str
    prefix: int = 0

    def planes(self, given: Tensor) -> Tensor:
        """What the layer gives, as (B,C,h,w)."""
        if self.kind == "planes":
            return given
        if self.kind == "pixels":
            return given.movedim(-1, 1)
        return given[:, self.prefix:].transpose(1, 2).unflatten(2, self.grid)


def find(backbone: nn.Module, channels: int, size: tuple[int, int], wanted: str = "auto") -> Layer:
    """The layer called `wanted`, or the one to take, of a backbone fed with (B,channels,*size).

    UsageFault for a name that there is not, or a layer whose output has no places.
    """
    seen = _layers(backbone, channels, size)
    if wanted != "auto":
        if wanted in seen:
            return seen[wanted]
        known = ", ".join(layer.name for layer in _stages(backbone, seen))
        what = ("gives no map" if wanted in dict(backbone.named_modules()) else "there is none")
        raise UsageFault(f"--layer {wanted}: {what}; its stages are {known}")
    stages = _stages(backbone, seen)
    if not stages:
        raise UsageFault("--layer auto: no layer of the network gives a map of several positions")
    fine = [s for s in stages if min(s.grid) >= FINE]
    return fine[-1] if fine else max(stages, key=lambda s: min(s.grid))


def _stages(backbone: nn.Module, seen: dict[str, Layer]) -> list[Layer]:
    """Stages of the network in their order, as far as they have more than one place."""
    info = getattr(backbone, "feature_info", None) or []
    names = [str(one["module"]) for one in info if isinstance(one, dict)]
    tokens = [n for n in names if n in seen and seen[n].kind == "tokens"]
    if tokens:
        last = tokens[-1]
        before = f"{last}.norm1"
        names = [*_trunk(backbone), before if seen[last].prefix and before in seen else last]
    else:
        outer = [n for n in seen if n.count(".") <= 1 and seen[n].kind != "tokens"]
        names += outer[-1:]
    order = list(seen)
    return [seen[n] for n in sorted(set(names) & set(seen), key=order.index)]


def _trunk(backbone: nn.Module) -> list[str]:
    """Stages of the convolutional network before a transformer, where there is one."""
    trunk = getattr(getattr(backbone, "patch_embed", None), "backbone", None)
    return [f"patch_embed.backbone.{n}" for n, _ in trunk.named_children()] if trunk else []


def _layers(backbone: nn.Module, channels: int, size: tuple[int, int]) -> dict[str, Layer]:
    """Every layer that gives a map of several places, in the order in which they are done."""
    modules: list[Any] = list(backbone.modules())
    grid = next((tuple(m.grid_size) for m in modules if hasattr(m, "grid_size")), None)
    last = str(getattr(backbone, "output_fmt", "")).endswith("NHWC")
    found: dict[str, Layer] = {}

    def note(name: str, module: nn.Module, made: object) -> None:
        if isinstance(made, Tensor):
            layer = _layout(name, module, tuple(made.shape), grid, last)
            if layer and min(layer.grid) > 1:
                found.pop(name, None)  # of a layer that runs twice, the later counts
                found[name] = layer

    hooks = [m.register_forward_hook(lambda m, _, made, n=n: note(n, m, made))
             for n, m in backbone.named_modules() if n]
    try:
        place = next(backbone.parameters()).device
        with torch.no_grad():
            backbone(torch.zeros((1, channels, *size), device=place))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _layout(
    name: str, module: nn.Module, shape: tuple[int, ...], grid: tuple[int, ...] | None, last: bool
) -> Layer | None:
    if len(shape) == 4:
        if last and not isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            return Layer(name, (shape[1], shape[2]), "pixels")
        return Layer(name, (shape[2], shape[3]), "planes")
    if len(shape) == 3 and grid and len(grid) == 2 and shape[1] >= grid[0] * grid[1]:
        return Layer(name, (grid[0], grid[1]), "tokens", shape[1] - grid[0] * grid[1])
    return None
