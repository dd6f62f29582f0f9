"""InstanSeg: its published form is one file of TorchScript, network and clustering together.

Such a file holds code (of torch's own little language), so it runs only if the user names it.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from libcell.data import weights as store
from libcell.errors import DataError, short
from libcell.segment.foreign.networks import Network, View

FILE = "instanseg.pt"
LEAST_PX = 128  # smaller images are padded: it looks at windows of 64 px around each seed
SAME_SCALE = 0.01  # relative difference of pixel sizes that is none
LOW, HIGH = -2.0, 3.0  # its own cut of normalised values


@dataclass(frozen=True)
class Card:
    """What the file says of itself."""

    compartments: tuple[str, ...]
    pixel_size_um: float
    takes: tuple[str, ...]


def read(path: Path, trusted: str | None, device: str = "cpu") -> Any:
    """The module of a `.pt`, or of a folder or zip that holds one. DataError unless it is trusted
    by its name."""
    if trusted != path.name:
        raise DataError(f"{path}: a TorchScript file holds code, which is not run unless you trust "
                        f"whoever made it and say so (--trust {path.name})")
    is_module = path.is_file() and path.suffix == ".pt"
    content = path.read_bytes() if is_module else store.read_member(path, FILE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is a form of the past
            return torch.jit.load(io.BytesIO(content), map_location=device).eval()
    except RuntimeError as error:
        raise DataError(f"{path}: not a file of TorchScript ({short(error)})") from error


def card(module: Any, path: Path, target: str) -> Card:
    """DataError if the module is not InstanSeg's, or does not give the target."""
    try:
        both = bool(module.cells_and_nuclei)
        size = float(module.pixel_size or 0)
    except AttributeError as error:
        raise DataError(f"{path}: weights of another architecture than InstanSeg's") from error
    if not both and target != "all":
        raise DataError(f"{path}: tells no nuclei from cells; leave --target away")
    names = ("nuclei", "cells") if target == "all" else (target,)
    takes = tuple(a.name for a in module.forward.schema.arguments)
    return Card(names if both else (), size, takes)


def load(path: Path, device: str, settings: dict[str, Any]) -> Network:
    """The network on a device."""
    module = read(path, settings["trust"], device)
    about = card(module, path, settings["target"])
    more: dict[str, Any] = {n: v for n, v in settings["thresholds"] if v is not None}
    unknown = sorted(set(more) - set(about.takes))
    if unknown:
        raise DataError(f"{path}: this version of InstanSeg has no {', '.join(unknown)}")
    if about.compartments:
        wanted = [int(n in about.compartments) for n in ("nuclei", "cells")]
        more["target_segmentation"] = torch.tensor(wanted)

    def network(pixels: np.ndarray, view: View, batch: int) -> np.ndarray:
        """Labels (K,1,Y,X) of (C,1,Y,X)."""
        height, width = pixels.shape[2:]
        image = torch.from_numpy(np.ascontiguousarray(pixels[:, 0]))[None].to(device)
        image = _to_scale(image.clamp(LOW, HIGH), settings["pixel_size"] or view.pixel_size_um,
                          about.pixel_size_um)
        seen = image.shape[2:]
        short = [max(0, LEAST_PX - n) for n in seen]
        image = torch.nn.functional.pad(image, (0, short[1], 0, short[0]))
        found = _called(module, image, more, path)[..., : seen[0], : seen[1]]
        if tuple(seen) != (height, width):
            found = interpolate(found, size=(height, width), mode="nearest")
        return found[0].cpu().numpy().astype(np.uint32)[:, None]

    return network


def _called(module: Any, image: torch.Tensor, more: dict[str, Any], path: Path) -> torch.Tensor:
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of what the file does
            found: torch.Tensor = module(image, **more)
            return found
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        raise DataError(f"{path}: cannot take {image.shape[1]} channels (--channels) of "
                        f"{image.shape[2]} x {image.shape[3]} px: {last}") from error


def _to_scale(image: torch.Tensor, here_um: float | None, wanted_um: float) -> torch.Tensor:
    """The image (1,C,Y,X) in the pixel size that the network knows, where both are known."""
    if not here_um or not wanted_um or abs(here_um / wanted_um - 1) <= SAME_SCALE:
        return image
    size = [max(1, round(n * here_um / wanted_um)) for n in image.shape[2:]]
    return interpolate(image, size=size, mode="bilinear")
