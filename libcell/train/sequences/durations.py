"""How long stages last: true and predicted, in frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Duration:
    """Of one stage: `stretches` whose begin and end were seen, their mean true length, and the
    predicted one's mean error and mean absolute error, in frames."""

    stage: int
    stretches: int
    frames: float
    bias: float
    error: float


def stretches(stages: np.ndarray) -> list[tuple[int, int, int]]:
    """(stage, first index, one past the last) of each stretch of one stage in (T,)."""
    if not len(stages):
        return []
    starts = [0, *(np.flatnonzero(np.diff(stages)) + 1).tolist()]
    return [(int(stages[a]), a, b) for a, b in zip(starts, [*starts[1:], len(stages)])]


def bridged(stages: np.ndarray) -> np.ndarray:
    """(T,) with each gap (-1) filled whose two sides are the same stage."""
    at = np.arange(len(stages))
    before = np.maximum.accumulate(np.where(stages >= 0, at, -1))
    after = np.minimum.accumulate(np.where(stages >= 0, at, len(stages))[::-1])[::-1]
    inside = (before >= 0) & (after < len(stages))
    left, right = stages[before.clip(0)], stages[after.clip(max=len(stages) - 1)]
    return np.where((stages < 0) & inside & (left == right), left, stages)


def mean_frames(known: Sequence[np.ndarray], classes: int) -> list[float]:
    """Mean length of each stage's stretches (frames without a stage, -1, end one); 0: never."""
    total, count = np.zeros(classes), np.zeros(classes)
    for y in known:
        for stage, a, b in stretches(y):
            if stage >= 0:
                total[stage] += b - a
                count[stage] += 1
    return [float(v) for v in total / np.maximum(count, 1)]


def errors(
    truth: Sequence[np.ndarray], predicted: Sequence[np.ndarray], classes: int
) -> list[Duration]:
    """Per stage, over the true stretches that neither the film nor a gap cuts; both int (T,), per
    sequence.

    The predicted length is that of the predicted stretch of the same stage that shares most
    frames with the true one, 0 where none does.
    """
    found: list[list[tuple[int, int]]] = [[] for _ in range(classes)]
    for real, said in zip(truth, predicted):
        guessed = stretches(said)
        parts = stretches(real)
        for before, (stage, a, b), after in zip(parts, parts[1:], parts[2:]):
            if min(before[0], stage, after[0]) >= 0:
                found[stage].append((b - a, _matching(guessed, stage, a, b)))
    return [_duration(k, np.array(pairs)) for k, pairs in enumerate(found) if pairs]


def _matching(guessed: list[tuple[int, int, int]], stage: int, a: int, b: int) -> int:
    shared = [(min(b, d) - max(a, c), d - c) for s, c, d in guessed if s == stage]
    shared = [pair for pair in shared if pair[0] > 0]
    return max(shared)[1] if shared else 0


def _duration(stage: int, pairs: np.ndarray) -> Duration:
    off = pairs[:, 1] - pairs[:, 0]
    return Duration(stage, len(pairs), float(pairs[:, 0].mean()), float(off.mean()),
                    float(np.abs(off).mean()))
