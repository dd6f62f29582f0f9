"""Stages of a cell cycle in the order in which they come, and time counted from one of them."""

import numpy as np

from libcell.compiled import compiled

SKIP = 3.0  # price of a stage that is passed over, in -log of a probability: one frame at 5 %
LEAST = 1e-3  # no frame is surer than that of what a stage is not


def in_order(probabilities: np.ndarray) -> np.ndarray:
    """The likeliest course (T,) of stages, given how likely each frame (T,K) shows each.

    A frame is in the stage of the one before or in a later one; after the last stage comes the
    first again. Each stage that is passed over costs SKIP. (Viterbi's algorithm.)
    """
    costs = -np.log(np.clip(probabilities, LEAST, 1.0))
    found: np.ndarray = _cheapest(costs.astype(np.float64), SKIP)
    return found


@compiled
def _cheapest(costs, skip):  # type: ignore[no-untyped-def] # pragma: no cover
    frames, stages = costs.shape
    total = costs[0].copy()
    came = np.zeros((frames, stages), np.int64)
    for t in range(1, frames):
        now = np.empty(stages)
        for k in range(stages):
            best, source = total[k], k
            for steps in range(1, stages):
                before = (k - steps) % stages
                price = total[before] + skip * (steps - 1)
                if price < best:
                    best, source = price, before
            now[k], came[t, k] = best + costs[t, k], source
        total = now
    path = np.empty(frames, np.int64)
    path[-1] = np.argmin(total)
    for t in range(frames - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return path


def segments(stages: np.ndarray) -> list[tuple[int, int, int]]:
    """(stage, first index, one past the last) of each stretch of one stage."""
    starts = np.flatnonzero(np.diff(stages, prepend=stages[:1] - 1))
    stops = [*starts[1:], len(stages)]
    return [(int(stages[a]), int(a), int(b)) for a, b in zip(starts, stops)]


def usual_lengths(tracks: list[tuple[np.ndarray, np.ndarray]]) -> dict[int, float]:
    """The median length of each stage in frames, over those whose begin and end were seen; a track
    is its stages and its frames' numbers."""
    seen: dict[int, list[float]] = {}
    for stages, t in tracks:
        for stage, a, b in segments(stages)[1:-1]:
            seen.setdefault(stage, []).append(float(t[b] - t[a]))
    return {stage: float(np.median(lengths)) for stage, lengths in sorted(seen.items())}


def aligned_time(
    stages: np.ndarray, t: np.ndarray, anchor: int, lengths: dict[int, float]
) -> np.ndarray | None:
    """Time (T,) in frames from the first frame of stage `anchor`; None where none is seen.

    `t` are the frames' numbers. Stages that `lengths` names are stretched to that length where
    both ends were seen, so that they begin together in all tracks; the first and the last one of
    a track, cut by the film, keep their pace.
    """
    parts = segments(stages)
    onset = next((i for i, (stage, *_) in enumerate(parts) if stage == anchor and i > 0), None)
    if onset is None:
        return None
    at = [float(t[a]) for _, a, _ in parts]
    span = [at[i + 1] - at[i] for i in range(len(parts) - 1)]
    span[1:] = [lengths.get(parts[i][0], s) for i, s in enumerate(span[1:], start=1)]
    new = np.concatenate([[0.0], np.cumsum(span)])
    out = np.empty(len(t))
    for i, (_, a, b) in enumerate(parts):
        pace = 1.0
        if 0 < i < len(parts) - 1:
            pace = span[i] / (at[i + 1] - at[i])
        out[a:b] = new[i] + pace * (t[a:b] - at[i])
    shifted: np.ndarray = out - new[onset]
    return shifted
