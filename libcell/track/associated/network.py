"""trackastra's transformer (Gallusser & Weigert 2024): its own code, weights that are given.

Its own loading fetches what it does not find and unpickles what it is handed; here the folder (or
zip) is read as tensors and settings.
"""

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import weights
from libcell.errors import DataError, Unavailable, reading, short
from libcell.track.kernels.ellipses import Objects

EXTRA = "trackastra is not installed (pip install 'libcell[trackastra]')"
FEATURES = "wrfeat"  # what the network is told of each object; the other kinds need more packages
FILES = ("model.pt", "config.yaml", "train_config.yaml")


@dataclass(frozen=True)
class Seen:
    """A frame as the network is told of it: its objects in raster order, and their features."""

    objects: Objects
    features: Any


@dataclass
class Associations:
    """A loaded network. `window`: frames that it sees together; `axes`: 2 or 3."""

    model: Any
    window: int
    axes: int
    device: str

    def see(self, t: int, objects: Objects, frame: np.ndarray, pixels: np.ndarray) -> Seen:
        """Features of the objects of a frame: labels and pixels (Z, Y, X).

        DataError where a network of planes is handed a stack.
        """
        if self.axes == 2 and frame.shape[0] > 1:
            raise DataError(f"the network was trained on single planes, the labels have "
                            f"{frame.shape[0]}; give weights for 3D")
        if not len(objects):
            return Seen(objects, None)
        from trackastra.data.wrfeat import WRFeatures
        from trackastra.utils import normalize

        values = normalize(pixels.astype(np.float32))
        cut = (frame, values) if self.axes == 3 else (frame[0], values[0])
        return Seen(objects, WRFeatures.from_mask_img(
            _renumbered(cut[0], objects.labels)[None], cut[1][None], t_start=t))

    def among(self, frames: list[Seen]) -> np.ndarray:
        """(n, n) float32 0..1: association of each object of the frames with each later one."""
        import torch
        from trackastra.data.wrfeat import WRFeatures

        found = WRFeatures.concat([f.features for f in frames if f.features is not None])
        times = torch.from_numpy(found.timepoints).long()[None].to(self.device)
        places = torch.from_numpy(found.coords)[None].to(self.device)
        told = torch.from_numpy(found.features_stacked)[None].to(self.device)
        coords = torch.cat([times[..., None].float(), places], dim=2)
        with torch.no_grad():
            raw = self.model(coords, features=told)
            scores = self.model.normalize_output(raw, times, coords)
        return np.asarray(scores[0].cpu().numpy())


def _renumbered(frame: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """int32: objects numbered from 1 in the order of `labels`, whatever their values are."""
    order = np.argsort(labels)
    spot = np.minimum(np.searchsorted(labels[order], frame), labels.size - 1)
    return np.where(frame > 0, order[spot] + 1, 0).astype(np.int32)


def require() -> None:
    """Unavailable without the extra."""
    from importlib.util import find_spec

    if find_spec("trackastra") is None:
        raise Unavailable(EXTRA)


def load(path: Path, device: str) -> Associations:
    """The network of a folder or zip. DataError says what is wrong with it."""
    import torch

    from libcell.nn import torchvision_ops

    missing = [n for n in FILES if n not in weights.members(path)]
    if missing:
        raise DataError(f"{path}: holds no {missing[0]}; expected {', '.join(FILES)}, as "
                        "trackastra saves a model")
    settings, trained = (_settings(path, n) for n in FILES[1:])
    if "pretrained_feat_dim" in settings or trained.get("features") != FEATURES:
        raise DataError(f"{path}: wants features {trained.get('features')!r} of objects; only "
                        f"{FEATURES!r} are made here")
    torchvision_ops.load()
    with _hushed():
        from trackastra.model.model import TrackingTransformer
    try:
        model = TrackingTransformer(**settings)
        model.load_state_dict(_tensors(path))
    except (TypeError, RuntimeError) as error:
        raise DataError(f"{path}: is no network of this trackastra ({short(error)})") from error
    torch.set_num_threads(1)
    axes = int(model.config["coord_dim"])
    return Associations(model.to(device).eval(), int(model.config["window"]), axes, device)


def _settings(path: Path, name: str) -> dict[str, Any]:
    import yaml

    with reading(path, f"{name} is not YAML of plain values"):
        found = yaml.safe_load(weights.read_member(path, name, weights.SETTINGS))
    if not isinstance(found, dict):
        raise DataError(f"{path}: {name} holds no settings")
    return found


def _tensors(path: Path) -> dict[str, Any]:
    """The state dict; of a checkpoint of lightning, the part that is the network."""
    import torch

    with reading(path, f"{FILES[0]} holds more than tensors, or none"):
        found = torch.load(io.BytesIO(weights.read_member(path, FILES[0])), map_location="cpu",
                           weights_only=True)
        if "state_dict" in found:
            found = {k.removeprefix("model."): v for k, v in found["state_dict"].items()
                     if k.startswith("model.")}
        return dict(found)


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """trackastra sets up everybody's logging when it is imported."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("trackastra").setLevel(logging.ERROR)
