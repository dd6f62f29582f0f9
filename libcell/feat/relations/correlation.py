"""How two channels go together in each object: CellProfiler's MeasureColocalization.

Pearson's correlation and the slope of the regression (Correlation, Slope), the overlap
coefficient and its two halves (Overlap, K; Manders et al. 1993), the parts of each channel that
lie where the other one is (Manders), the same weighted by how alike the ranks are (RWC; Singan
et al. 2011) and above thresholds found by Costes et al. (2004). Thresholds of Overlap, K, Manders
and RWC are 15 % of the object's brightest pixel in each channel, as CellProfiler sets them.

Costes' thresholds are searched on the grid of the image's dtype (CellProfiler: 255 or 65535
steps), and for other dtypes in 65535 steps up to the object's own largest value. A pixel that is
not finite in one of the channels is left out of the pair.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from libcell.errors import DataError
from libcell.feat.families import Column
from libcell.feat.families._groups import Groups
from libcell.feat.relations import by_label
from libcell.feat.relations._correlate import correlate, ranks
from libcell.feat.relations._scene import Part, Scene

NAME = "correlation"
THRESHOLD = 0.15  # of the object's largest value, in each channel
STEPS = 65535.0
MEANINGS = {
    "Correlation": "Pearson's correlation", "Slope": "of the regression of the second on the first",
    "Overlap": "overlap coefficient above the thresholds",
    "K": "sum of products / sum of squares of the first named",
    "Manders": "part of the first named where the second is above its threshold",
    "RWC": "the same, weighted by how near the ranks are",
    "Costes": "the same, above Costes' thresholds",
}
ONE_WAY = ("Correlation", "Slope", "Overlap")
ORDER = (*((k, False) for k in ONE_WAY),
         *((k, back) for k in ("K", "Manders", "RWC", "Costes") for back in (False, True)))


def columns(channels: Sequence[str], others: Sequence[str]) -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(_name(kind, pair, back), "1", MEANINGS[kind])
            for pair in combinations(channels, 2) for kind, back in ORDER]


def _name(kind: str, pair: tuple[str, str], back: bool) -> str:
    return f"Correlation_{kind}_" + "_".join(reversed(pair) if back else pair)


def measure(scene: Scene) -> dict[str, np.ndarray]:
    """Features of every object for every pair of the scene's channels."""
    pairs = list(combinations(scene.channels, 2))
    labels, rows = [], []
    for part in scene.parts() if pairs else ():
        labels.append(part.index.labels)
        images = {c: _Channel(scene.pixels(c, *part.window), part) for c in scene.channels}
        rows.append(np.concatenate(
            [_pair(images[a], images[b], part) for a, b in pairs], axis=1))
    if not pairs:
        return {}
    found = by_label(labels, rows)
    names = [_name(kind, pair, back) for pair in pairs for kind, back in ORDER]
    return {name: found[:, i] for i, name in enumerate(names)}


class _Channel:
    """A channel's values of all object pixels (p,), and the largest value of its dtype."""

    def __init__(self, image: np.ndarray, part: Part) -> None:
        if image.dtype.kind not in "uifb":
            raise DataError(f"correlation needs images of real numbers, not {image.dtype}")
        self.values = part.index.values(image)
        self.finite = np.isfinite(self.values)
        self.top = float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 0.0
        self._each = part.index.each

    @cached_property
    def ranks(self) -> np.ndarray:
        return ranks(self.values, self._each.starts, self._each.stops)


def _pair(a: _Channel, b: _Channel, part: Part) -> np.ndarray:
    """Features (n,11) of one pair in the order of `ORDER`."""
    top = a.top if a.top == b.top else 0.0
    each, both = part.index.each, a.finite & b.finite
    if both.all():
        return correlate(a.values, b.values, a.ranks, b.ranks, each.starts, each.stops,
                         THRESHOLD, top, top or STEPS)
    kept = Groups(np.bincount(each.owner[both], minlength=len(each.counts)))
    x, y = a.values[both], b.values[both]
    return correlate(x, y, ranks(x, kept.starts, kept.stops), ranks(y, kept.starts, kept.stops),
                     kept.starts, kept.stops, THRESHOLD, top, top or STEPS)
