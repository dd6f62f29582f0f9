"""CLANet's time-series segment sampling (arXiv:2306.16538): snippets of a bag with sampled gaps.

A bag is a time series of images. In training it is seen as if it had been filmed more sparsely:
time is cut into segments, and of each some images are drawn. At prediction all images are seen.

The published code counted its calls to know the epoch, which went wrong with several loading
processes, and divided 0 by 0 for a snippet of one image; here the number of the pass is given,
and the second part of such a snippet's weight is 0.
"""

import numpy as np

WHOLE = 5  # passes in which every bag is seen whole
LONGEST = 8  # hours between images, at most, that are learnt


def usual_gap(times: np.ndarray) -> float:
    """Mean time between a bag's images at `times` (n,) hours, within 1 to LONGEST."""
    gaps = np.diff(np.unique(times))
    return float(np.clip(gaps.mean(), 1, LONGEST)) if len(gaps) else 1.0


def draw_gap(usual: float, number: int, random: np.random.Generator) -> float:
    """Hours of a segment in pass `number`: `usual` at first, then 1 to LONGEST, normally
    distributed about it."""
    if number < WHOLE:
        return usual
    gaps = np.arange(1, LONGEST + 1)
    chance = np.exp(-(((gaps - usual) / gaps.std()) ** 2) / 2)
    return float(random.choice(gaps, p=chance / chance.sum()))


def snippet(
    times: np.ndarray, gap: float, usual: float, random: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Which of the images at `times` (n,) hours, ascending, are seen, ascending; and what the bag
    weighs in the loss then.

    A `gap` (see `draw_gap`) that is no longer than usual leaves the bag whole, of weight 1.
    """
    n = len(times)
    if gap <= round(usual) or n < 2:
        return np.arange(n), 1.0
    # an image on a border belongs to the segment that ends there
    segment = np.maximum(np.ceil((times - times[0]) / gap) - 1, 0)
    kept = np.zeros(n, bool)
    while not kept.any():
        for number in np.unique(segment):
            inside = np.flatnonzero(segment == number)
            count = random.integers(1 if len(inside) > 1 else 0, len(inside) + 1)
            kept[random.choice(inside, count, replace=False)] = True
    places = np.flatnonzero(kept)
    return places, len(places) / n + _stretch(times[places], gap, usual)


def _stretch(times: np.ndarray, gap: float, usual: float) -> float:
    """0 to 1: how far the snippet's gaps reach from the usual one to the longest allowed."""
    gaps = np.diff(times)
    if not len(gaps):
        return 0.0
    longer = (gaps[gaps <= gap] / usual - 1).sum() / ((gap / usual - 1) * len(gaps))
    return float(np.clip(longer, 0, 1))
