"""Where the frames of a film lie on its first one, frame after frame.

Sign as in `translation`: (dy, dx) in px is added to a frame's coordinates.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from libcell.align.kernels.resample import Region, valid_region
from libcell.align.kernels.translation import Shift, find_shift


@dataclass(frozen=True)
class Step:
    """What is to be done with one frame.

    dy, dx  px by which it is moved: its own shift if `matched`, otherwise the last good one
    found   how it matches the frame that it was compared with; None where it was compared with
            none: the reference itself, and frames that show nothing
    reason  why it does not match; empty if matched
    """

    dy: float
    dx: float
    found: Shift | None
    matched: bool
    reason: str = ""


def follow(
    frames: Iterable[np.ndarray], accumulate: bool, max_shift_px: float | None = None
) -> Iterator[Step]:
    """One step per frame (Y, X); the frames are held two at a time.

    The reference is the first frame that shows anything. Each later frame is compared with it
    or, with `accumulate`, with the last frame that matched, whose own shift is added;
    `max_shift_px` limits what is compared, so with `accumulate` the way from frame to frame.
    """
    still: np.ndarray | None = None
    base = last = (0.0, 0.0)
    for frame in frames:
        fault = _fault(frame)
        if fault:
            yield Step(*last, None, False, fault)
        elif still is None:
            still = frame
            yield Step(0.0, 0.0, None, True)
        else:
            found = find_shift(still, frame, max_shift_px, related=True)
            if found.matched:
                last = (base[0] + found.dy, base[1] + found.dx)
                if accumulate:
                    still, base = frame, last
            yield Step(*last, found, found.matched, found.reason)


def _fault(frame: np.ndarray) -> str:
    """Why a frame says nothing about its place; empty if it may."""
    if not frame.size:
        return "the frame is empty"
    low, high = float(frame.min()), float(frame.max())
    if not np.isfinite((low, high)).all():  # a NaN anywhere is both minimum and maximum
        return "the frame has values that are not finite"
    return "the frame is constant" if low == high else ""


def shared_region(
    shape: tuple[int, int], shifts: Iterable[tuple[float, float]], order: int
) -> Region:
    """The (y, x) slices of the reference where every frame, moved by its shift, has data.

    Slices of length 0 mean that there is no such place.
    """
    regions = [valid_region(shape, shape, shift, order) for shift in shifts]
    spans = []
    for axis in (0, 1):
        start = max((r[axis].start for r in regions), default=0)
        stop = min((r[axis].stop for r in regions), default=shape[axis])
        spans.append(slice(start, stop) if start < stop else slice(0, 0))
    return spans[0], spans[1]
