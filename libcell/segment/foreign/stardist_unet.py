"""StarDist's network in torch, with the weights that Keras saved.

`config.json` says what it is made of; the weights are those of `weights_*.h5`. TensorFlow is not
needed: the network is plain convolutions, and gives what TensorFlow gives but for rounding.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from libcell.data import weights as store
from libcell.errors import DataError, Unavailable, reading

WEIGHTS = "weights_best.h5"
THRESHOLDS = {"prob": 0.5, "nms": 0.4}  # StarDist's own, where none were optimised
BATCH_NORM_EPS = 1e-3  # as Keras has it
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "linear": nn.Identity, "elu": nn.ELU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh,
}


@dataclass(frozen=True)
class Config:
    """What StarDist's `config.json` and `thresholds.json` say that matters here."""

    rays: int
    channels: int
    grid: tuple[int, int]
    depth: int
    kernel: tuple[int, int]
    filters: int
    expansion: float
    convolutions: int
    pool: tuple[int, int]
    activation: str
    last_activation: str
    batch_norm: bool
    features: int
    probability: float
    nms: float

    @property
    def divisor(self) -> tuple[int, int]:
        """What the height and the width must be multiples of."""
        y, x = (p**self.depth * g for p, g in zip(self.pool, self.grid))
        return y, x


def read_config(path: Path) -> Config:
    """The configuration of a model's folder or zip. DataError if it is not one of ours."""
    with reading(path, "not a StarDist model"):
        found = json.loads(store.read_member(path, "config.json", store.SETTINGS))
        thresholds = _thresholds(path)
        if found["n_dim"] != 2 or found["backbone"] != "unet" or found.get("n_classes"):
            raise DataError(f"{path}: a StarDist network of {found['n_dim']} dimensions, backbone "
                            f"{found['backbone']}, {found.get('n_classes') or 'no'} classes; here "
                            "run 2D U-Nets without classes")
        made = Config(
            rays=int(found["n_rays"]), channels=int(found["n_channel_in"]),
            grid=_two(found["grid"]), depth=int(found["unet_n_depth"]),
            kernel=_two(found["unet_kernel_size"]), filters=int(found["unet_n_filter_base"]),
            expansion=found.get("unet_expansion", 2),
            convolutions=int(found["unet_n_conv_per_depth"]), pool=_two(found["unet_pool"]),
            activation=found["unet_activation"], last_activation=found["unet_last_activation"],
            batch_norm=bool(found["unet_batch_norm"]), features=int(found["net_conv_after_unet"]),
            probability=float(thresholds["prob"]), nms=float(thresholds["nms"]),
        )
    _require_sane(made, path)
    return made


def _require_sane(config: Config, path: Path) -> None:
    """DataError for a network that nobody would make: one that has no end, or no room."""
    numbers = {"n_rays": config.rays, "n_channel_in": config.channels,
               "unet_n_filter_base": config.filters, "net_conv_after_unet": config.features}
    numbers |= dict(zip(("unet_kernel_size", "unet_pool"), map(max, (config.kernel, config.pool))))
    wrong = [f"{n} {v}" for n, v in numbers.items() if not 0 <= v <= 1024]
    wrong += [f"grid {g}" for g in config.grid if g not in (1, 2, 4, 8, 16, 32)]
    deep = config.depth, config.convolutions, config.expansion
    wrong += [f"depth, convolutions and expansion {deep}"] if not (
        0 <= deep[0] <= 10 and 1 <= deep[1] <= 100 and 0 < deep[2] <= 8) else []
    if wrong:
        raise DataError(f"{path}: no StarDist network has {', '.join(wrong)}")


def _thresholds(path: Path) -> dict[str, float]:
    if "thresholds.json" not in store.members(path):
        return THRESHOLDS
    found: dict[str, float] = json.loads(
        store.read_member(path, "thresholds.json", store.SETTINGS))
    return found


def _two(values: Any) -> tuple[int, int]:
    y, x = values
    return int(y), int(x)


class StarUNet(nn.Module):
    """(1,C,Y,X) float32 to object probability (1,1,y,x) and distances (1,rays,y,x), y and x being
    Y and X by the grid. The layers are made in the order in which Keras makes them."""

    def __init__(self, config: Config):
        super().__init__()
        self._config = config
        self._width = config.channels
        self.pooled = nn.ModuleList(self._pool_to_grid())
        self.down = nn.ModuleList()
        skips = []
        for level in range(config.depth):
            self.down.append(self._block([self._filters(level)] * config.convolutions))
            skips.append(self._width)
        middle = [self._filters(config.depth)] * (config.convolutions - 1)
        self.middle = self._block([*middle, self._filters(max(0, config.depth - 1))])
        self.up = nn.ModuleList()
        for level in reversed(range(config.depth)):
            self._width += skips[level]
            inner = [self._filters(level)] * (config.convolutions - 1)
            last = config.activation if level else config.last_activation
            self.up.append(self._block([*inner, self._filters(max(0, level - 1))], last))
        self.features = self._block([config.features]) if config.features else nn.Identity()
        self.prob = nn.Conv2d(self._width, 1, 1)
        self.dist = nn.Conv2d(self._width, config.rays, 1)
        self.pool = nn.MaxPool2d(config.pool)
        self.grow = nn.Upsample(scale_factor=config.pool)

    def _filters(self, level: int) -> int:
        return int(self._config.filters * self._config.expansion**level)

    def _pool_to_grid(self) -> list[nn.Module]:
        made: list[nn.Module] = []
        at = [1, 1]
        while tuple(at) != self._config.grid:
            step = [2 if g > a else 1 for g, a in zip(self._config.grid, at)]
            at = [a * s for a, s in zip(at, step)]
            made.append(self._block([self._config.filters] * self._config.convolutions,
                                    batch_norm=False))
            made.append(nn.MaxPool2d((step[0], step[1])))
        return made

    def _block(
        self, filters: list[int], last: str | None = None, batch_norm: bool | None = None
    ) -> nn.Sequential:
        config = self._config
        layers: list[nn.Module] = []
        for k, out in enumerate(filters):
            layers.append(nn.Conv2d(self._width, out, config.kernel, padding="same"))
            if config.batch_norm if batch_norm is None else batch_norm:
                layers.append(nn.BatchNorm2d(out, eps=BATCH_NORM_EPS))
            is_last = last is not None and k == len(filters) - 1
            layers.append(_activation(last if is_last and last else config.activation))
            self._width = out
        return nn.Sequential(*layers)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probability and distances."""
        for layer in self.pooled:
            image = layer(image)
        skips = []
        for block in self.down:
            image = block(image)
            skips.append(image)
            image = self.pool(image)
        image = self.middle(image)
        for block, skip in zip(self.up, reversed(skips)):
            image = block(torch.cat([self.grow(image), skip], dim=1))
        image = self.features(image)
        return torch.sigmoid(self.prob(image)), self.dist(image)


def _activation(name: str) -> nn.Module:
    if name not in ACTIVATIONS:
        raise DataError(f"StarDist network with activation {name!r}; known are "
                        f"{', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def load(path: Path, config: Config) -> StarUNet:
    """The network of a model's folder or zip, with its weights."""
    with reading(path, "its configuration describes no network that can be made"):
        net = StarUNet(config)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    # the output layers are named; all others come in the order in which they were made
    arrays = read_layers(path)
    hidden = [a for name, a in arrays if name not in ("prob", "dist")]
    ordered = [*hidden, *(a for wanted in ("prob", "dist") for n, a in arrays if n == wanted)]
    if len(ordered) != len(layers):
        raise DataError(f"{path}: weights of another architecture: {len(ordered)} layers, its "
                        f"configuration has {len(layers)}")
    for number, (layer, values) in enumerate(zip(layers, ordered)):
        _fill(layer, values, f"{path}: layer {number + 1} of {len(layers)}")
    return net.eval()


def read_layers(path: Path) -> list[tuple[str, list[np.ndarray]]]:
    """Name and arrays of each layer that has any, from Keras' HDF5, as it lists them: in the
    order in which a network's input passes through them."""
    try:
        import h5py
    except ImportError as error:
        raise Unavailable("h5py is not installed (pip install 'libcell[segment-stardist]')"
                          ) from error
    with (reading(path, f"{WEIGHTS} is not what Keras saves"),
          h5py.File(io.BytesIO(store.read_member(path, WEIGHTS))) as file):
        root = file.get("model_weights", file)
        found = [(_text(n), _arrays(root[_text(n)])) for n in root.attrs["layer_names"]]
    return [(name, arrays) for name, arrays in found if arrays]


def _arrays(group: Any) -> list[np.ndarray]:
    return [np.asarray(group[_text(n)]) for n in group.attrs["weight_names"]]


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _fill(layer: nn.Module, values: list[np.ndarray], where: str) -> None:
    if isinstance(layer, nn.Conv2d):
        first = values[0].transpose(3, 2, 0, 1) if values[0].ndim == 4 else values[0]
        values = [first, *values[1:]]
        targets = [layer.weight, layer.bias]
    else:
        assert isinstance(layer, nn.BatchNorm2d)
        targets = [layer.weight, layer.bias, layer.running_mean, layer.running_var]
    shapes = [tuple(t.shape) for t in targets if t is not None]
    if shapes != [v.shape for v in values]:
        raise DataError(f"{where}: weights of another architecture: {[v.shape for v in values]}, "
                        f"its configuration has {shapes}")
    with reading(where), torch.no_grad():
        for target, value in zip(targets, values):
            assert target is not None
            target.copy_(torch.from_numpy(np.ascontiguousarray(value)))
