"""A network as a worker gets it: what it is, and a copy that stays loaded between blocks."""

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.errors import Unavailable

_loaded = threading.local()  # networks keep state while they work, so each thread has its own


@dataclass(frozen=True)
class View:
    """What a network is told of the pixels that it is given.

    `share` is the field's area in units of the window's; `anisotropy` the distance of planes in
    units of the distance of pixels, where it is known; `pixel_size_um` that of y and x.
    """

    share: float = 1.0
    anisotropy: float | None = None
    pixel_size_um: float | None = None


Network = Callable[[np.ndarray, View, int], np.ndarray]
"""(C,Z,Y,X) float32 normalised pixels, view, batch -> (K,Z,Y,X) labels, one K per compartment;
what belongs to one object has the same number in all of them."""


@dataclass(frozen=True)
class Spec:
    """Which network: the module that loads it, its weights, and what it may be told.

    A module has `load(weights, device, settings) -> Network`.
    """

    module: str
    weights: Path
    digest: str
    settings: dict[str, Any]
    device: str = "cpu"
    threads: int = 1
    batch: int = 8

    @property
    def key(self) -> tuple[str, ...]:
        """What a loaded network is known by; a file that was replaced is another network."""
        return (self.module, self.digest, repr(self.settings), self.device)


def require_torch(extra: str) -> None:
    """Unavailable if torch is not there; `extra` brings it and whatever else is needed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise Unavailable(f"torch is not installed (pip install 'libcell[{extra}]')")


def network(spec: Spec) -> Network:
    """The network of this thread, loaded once."""
    import torch

    torch.set_num_threads(spec.threads)
    if getattr(_loaded, "key", None) != spec.key:
        module = importlib.import_module(spec.module)
        _loaded.network = module.load(spec.weights, spec.device, spec.settings)
        _loaded.key = spec.key
    found: Network = _loaded.network
    return found


def run(spec: Spec, pixels: np.ndarray, view: View) -> tuple[np.ndarray, int]:
    """Labels (K,Z,Y,X) of some pixels, and the batch that the device had room for."""
    import torch

    batch = spec.batch
    while True:
        try:
            return network(spec)(pixels, view, batch), batch
        except torch.cuda.OutOfMemoryError as error:
            if batch == 1:
                raise Unavailable(f"--device {spec.device}: not enough memory even for a batch of "
                                  "1; use smaller tiles (--tile) or --device cpu") from error
            batch //= 2
            torch.cuda.empty_cache()
