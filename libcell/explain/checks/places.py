"""Where in a crop a map lies: nucleus, cell or background."""

from typing import NamedTuple

import numpy as np

BACKGROUND = "background"
ORDER = ("nuclei", "cytoplasm", "cells")  # what lies within what; a pixel counts for the first


class Located(NamedTuple):
    """energy (n,): the part of a map's strength that lies in a region; area (n,): the part of the
    pixels that does; peak (n,) bool: whether its highest value does."""

    energy: np.ndarray
    area: np.ndarray
    peak: np.ndarray

    @property
    def density(self) -> np.ndarray:
        """(n,): how many times stronger the map is there than on average; NaN without pixels."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.energy / self.area)


def regions(masks: dict[str, np.ndarray], seen: np.ndarray) -> dict[str, np.ndarray]:
    """From masks (n,H,W) by compartment to regions that do not overlap, and the background.

    `seen` (H,W) are the pixels that the network was shown. An object's neighbours are background.
    """
    free = np.broadcast_to(seen, next(iter(masks.values())).shape).copy()
    found = {}
    for name in sorted(masks, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER)):
        found[name] = masks[name] & free
        free &= ~masks[name]
    return found | {BACKGROUND: free}


def locate(maps: np.ndarray, regions: dict[str, np.ndarray]) -> dict[str, Located]:
    """Of signed maps (n,H,W). A region's energy is its sum, whatever the sign: pluses beside
    minuses are noise. An empty map has no energy anywhere (NaN)."""
    shown = np.any(list(regions.values()), axis=0)
    sums = {name: np.abs((maps * region).sum(axis=(1, 2))) for name, region in regions.items()}
    total = np.sum(list(sums.values()), axis=0)
    strength = np.where(shown, np.abs(maps), 0).reshape(len(maps), -1)
    highest = np.arange(len(maps)), strength.argmax(axis=1)
    made = {}
    for name, region in regions.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            energy = np.where(total > 0, sums[name] / total, np.nan)
        made[name] = Located(energy, region.sum(axis=(1, 2)) / shown.sum(axis=(1, 2)),
                             region.reshape(len(maps), -1)[highest])
    return made
