"""The best links of a whole movie, or of overlapping windows of it as it goes by.

Frames are tied together by links over gaps alone: without them a window of one frame is exact.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from libcell.track.solver import packing
from libcell.track.solver.hypotheses import EMPTY, Hypotheses, join


@dataclass(frozen=True)
class Window:
    """How many frames are solved together, and how many of them are decided anew by the next."""

    frames: int = 12
    again: int = 6


Solver = Callable[[Hypotheses], np.ndarray]


def chosen(
    steps: Iterable[Hypotheses], window: Window | None, solve: Solver = packing.best
) -> Iterator[Hypotheses]:
    """The links taken into each frame, in the frames' order, as soon as they are settled.

    `steps` are all hypotheses whose targets are in frame 0, 1, 2 ... (the first is empty); their
    sources may be in any earlier one. Without a window the movie is one problem.
    """
    waiting: list[Hypotheses] = []
    used = np.zeros(0, np.int64)
    for step in steps:
        waiting.append(step)
        if window and len(waiting) == window.frames:
            found = _solve(waiting, used, solve)
            settled = found[: window.frames - window.again]
            yield from settled
            waiting = waiting[len(settled):]
            used = _still_asked(_sources(join(settled)), used, waiting)
    yield from _solve(waiting, used, solve)


def _solve(steps: list[Hypotheses], used: np.ndarray, solve: Solver) -> list[Hypotheses]:
    free = [s.take(~(np.isin(s.source, used) | np.isin(s.others, used))) for s in steps]
    take = solve(join(free))
    ends = np.cumsum([len(s) for s in free])
    return [s.take(t) for s, t in zip(free, np.split(take, ends[:-1]))] if free else []


def _still_asked(new: np.ndarray, old: np.ndarray, waiting: list[Hypotheses]) -> np.ndarray:
    """Sources that are spoken for and that hypotheses of the frames to come still name."""
    named = _sources(join(waiting)) if waiting else EMPTY.source
    return np.intersect1d(np.concatenate([new, old]), named)


def _sources(found: Hypotheses) -> np.ndarray:
    return np.concatenate([found.source, found.others[found.merge]])
