"""A trained segmenter as `cell-segment unet` uses it: its card, and its network on a device."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libcell.data import models
from libcell.errors import DataError, Unavailable
from libcell.nn.segmenter import ARCHITECTURE

if TYPE_CHECKING:
    from libcell.nn.segmenter.network import Segmenter, Shape


@dataclass(frozen=True)
class Segmentation:
    """What the card of a segmenter says.

    channels  of the image, in order; pmin, pmax, invert: see `contrast.levels`
    reach_px  how far a cell's pixels may be from its centre
    min_area_px   smaller cells are none
    """

    shape: "Shape"
    channels: tuple[str, ...]
    pmin: float
    pmax: float
    invert: str
    reach_px: int
    min_area_px: int
    target: str


def load_card(path: Path) -> Segmentation:
    """The card of a segmenter. DataError for a model of another kind, Unavailable without torch."""
    card = models.load_card(path)
    if card["architecture"] != ARCHITECTURE:
        raise DataError(f"{path}: is a model of architecture {card['architecture']}; this needs "
                        f"{ARCHITECTURE} (cell-train segmenter makes it)")
    shape_of = _network().Shape
    try:
        taken = card["input"]
        shape = shape_of(**card["network"] | {"widths": tuple(card["network"]["widths"])})
        found = Segmentation(shape, tuple(taken["channels"]), float(taken["pmin"]),
                             float(taken["pmax"]), str(taken["invert"]), int(card["reach_px"]),
                             int(card["min_area_px"]), str(card["target"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its card lacks what a segmenter's says ({error})") from error
    if len(found.channels) != shape.channels:
        raise DataError(f"{path}: its card names {len(found.channels)} channels, its network has "
                        f"{shape.channels}")
    return found


def _network() -> Any:
    try:
        from libcell.nn.segmenter import network
    except ImportError as error:
        raise Unavailable("cell-segment unet needs torch (pip install 'libcell[train]')") from error
    return network


@functools.lru_cache(maxsize=2)
def _loaded(path: Path, stamp: tuple[int, int], device: str) -> "Segmenter":
    """One network for all threads of a process: in use it changes nothing of itself."""
    import torch

    from libcell.nn import stored

    card = load_card(path)
    made: Segmenter = stored.restore(lambda: _network().Segmenter(card.shape),
                                     models.load_tensors(path), str(path))
    fused: Segmenter = made.fused().to(device)
    if card.shape.ndim == 2:
        fused.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return fused


def load_network(path: Path, device: str) -> "Segmenter":
    """The network, ready for use on a device; kept between the blocks that a worker does."""
    state = (path / models.CARD).stat()
    return _loaded(path, (state.st_ino, state.st_mtime_ns), device)
