"""A trained tracker as `cell-track embed` uses it: its card, and its network on a device."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libcell.data import models
from libcell.errors import DataError, Unavailable
from libcell.nn.tracker import ARCHITECTURE

if TYPE_CHECKING:
    from libcell.nn.tracker.network import Shape, Tracker


@dataclass(frozen=True)
class Tracking:
    """What the card of a tracker says.

    channels  of the image, in order; pmin, pmax, invert: see `contrast.levels`
    edge_px   of a square or cube as large as a cell that it learnt from
    target    what the cells are called
    sure      probabilities (cell, centre) that 19 in 20 of the cells that it knows reach
    """

    shape: "Shape"
    channels: tuple[str, ...]
    pmin: float
    pmax: float
    invert: str
    edge_px: float
    target: str
    sure: tuple[float, float]


def load_card(path: Path) -> Tracking:
    """The card of a tracker. DataError for a model of another kind, Unavailable without torch."""
    card = models.load_card(path)
    if card["architecture"] != ARCHITECTURE:
        raise DataError(f"{path}: is a model of architecture {card['architecture']}; this needs "
                        f"{ARCHITECTURE} (cell-train tracker makes it)")
    shape_of = _network().Shape
    try:
        taken = card["input"]
        shape = shape_of(**card["network"] | {"widths": tuple(card["network"]["widths"])})
        found = Tracking(shape, tuple(taken["channels"]), float(taken["pmin"]),
                         float(taken["pmax"]), str(taken["invert"]), float(card["edge_px"]),
                         str(card["target"]),
                         (float(card["sure"]["cell"]), float(card["sure"]["centre"])))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its card lacks what a tracker's says ({error})") from error
    if len(found.channels) != shape.channels:
        raise DataError(f"{path}: its card names {len(found.channels)} channels, its network has "
                        f"{shape.channels}")
    return found


def _network() -> Any:
    try:
        from libcell.nn.tracker import network
    except ImportError as error:
        raise Unavailable("cell-track embed needs torch (pip install 'libcell[train]')") from error
    return network


@functools.lru_cache(maxsize=2)
def _loaded(path: Path, stamp: tuple[int, int], device: str) -> "Tracker":
    """One network for all threads of a process: in use it changes nothing of itself."""
    from libcell.nn import stored

    made: Tracker = stored.restore(lambda: _network().Tracker(load_card(path).shape),
                                   models.load_tensors(path), str(path))
    return made.to(device)


def load_network(path: Path, device: str) -> "Tracker":
    """The network, ready for use on a device; kept between the blocks that a worker does."""
    state = (path / models.CARD).stat()
    return _loaded(path, (state.st_ino, state.st_mtime_ns), device)
