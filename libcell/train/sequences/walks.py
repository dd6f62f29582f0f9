"""Stages along known transcripts, found without any frame's label: a cell changes little while a
stage lasts, and at once where the next begins.

Each stage is a random walk. Its first frame is drawn from all that the stage looks like, a normal
law N(m,C); each further one from the frame before it, N(x + d,D), and a little from the stage's
own look, so that a long stage does not drift into its neighbour. All laws are fitted by
expectation and maximisation, from courses that are all equally likely at first (a flat start),
while what the frames say counts more and more. Source: autoregressive hidden Markov models, Juang
and Rabiner 1985, doi:10.1109/TASSP.1985.1164727; annealing: Ueda and Nakano 1998.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from libcell.nn import forward_backward, viterbi

ROUNDS = 60
ANNEALED = 40     # rounds until the frames count in full
FIRST = 0.2       # what they count in the first
LEVEL = 0.3       # weight of a stage's own look while it lasts
OWN = 0.5         # how far a stage's spread may be its own, not that of all
ENOUGH = 50       # frames from which it is so by half of that
STEADY = 1e-3     # mean change of a chance at which the rounds end
KEPT = 0.99       # share of the features' variance that is looked at


@dataclass(frozen=True)
class Aligned:
    """Per sequence: labels int64 (T,), the stage of each frame; chances float64 (T,K)."""

    labels: list[np.ndarray]
    chances: list[np.ndarray]


@dataclass(frozen=True)
class _Films:
    """Sequences end to end: what frames look like (n,F), the step from the last one seen (n,F),
    which are there (n,), and where sequences are cut."""

    looks: np.ndarray
    steps: np.ndarray
    there: np.ndarray
    cuts: np.ndarray


def align(
    features: np.ndarray, rows: Sequence[np.ndarray], transcripts: Sequence[np.ndarray],
    classes: int,
) -> Aligned:
    """`features` float (n,F) of crops, `rows` (T,) of each sequence, -1 in a gap, `transcripts`
    int (N,) its stages in their order, N <= T."""
    films = _films(_white(features, np.unique(np.concatenate(rows))), rows)
    order, stages = _padded(transcripts)
    frames = torch.tensor([len(r) for r in rows])
    count = np.bincount(np.concatenate(transcripts), minlength=classes)
    worth = np.zeros((2, len(films.looks), classes))
    chances = np.zeros(worth.shape[1:])
    for turn in range(ROUNDS + 1):
        stay, enter = (_rows(w, films.cuts) for w in worth)
        said = forward_backward.expected(stay, enter, frames, order, stages)
        inside = torch.arange(int(frames.max())) < frames[:, None]
        stays, enters = said.stays[inside].numpy(), said.enters[inside].numpy()
        moved = np.abs(stays + enters - chances).sum(axis=1).mean()
        chances = stays + enters
        if turn == ROUNDS or (turn > ANNEALED and moved < STEADY):
            break
        trust = min(1.0, FIRST + (1 - FIRST) * turn / ANNEALED)
        worth = _worth(films, stays, enters, count, trust)
    path = viterbi.align(_rows(chances, films.cuts), frames, order, stages,
                         torch.zeros((classes, int(frames.max())), dtype=torch.float64))
    return Aligned([p[: len(r)] for p, r in zip(path.numpy(), rows)],
                   np.split(chances, films.cuts))


def _white(features: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Uncorrelated combinations of spread 1 that hold most of the variance of rows `used`."""
    seen = features[used[used >= 0]]
    spread = seen.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    centre = seen.mean(axis=0)
    _, values, axes = np.linalg.svd((seen - centre) / scale, full_matrices=False)
    share = (values**2).cumsum() / max((values**2).sum(), 1e-12)
    k = int((share < KEPT).sum()) + 1
    root = np.maximum(values[:k], 1e-9) / np.sqrt(len(seen))
    made: np.ndarray = (features - centre) / scale @ axes[:k].T / root
    return made


def _films(white: np.ndarray, rows: Sequence[np.ndarray]) -> _Films:
    at = np.concatenate(rows)
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    there = at >= 0
    seen = np.where(there, np.arange(len(at)), 0)
    for start, own in zip(starts, rows):  # a gap looks like the frame before it
        part = seen[start : start + len(own)]
        part[:] = np.maximum.accumulate(np.where(part > 0, part, start))
    looks = white[at[seen]]
    steps = np.diff(looks, axis=0, prepend=looks[:1])
    return _Films(looks, steps, there, starts[1:])


def _worth(
    films: _Films, stays: np.ndarray, enters: np.ndarray, count: np.ndarray, trust: float
) -> np.ndarray:
    """(2,n,K): log chance of each frame that goes on with a stage, and that begins it."""
    there = films.there[:, None]
    look = _log_normal(films.looks, (stays + enters) * there)
    step = _log_normal(films.steps, stays * there)
    lasting = np.clip(1 - count / np.maximum((stays + enters).sum(axis=0), 1e-9), 0.02, 0.98)
    stay = trust * (step + LEVEL * look) * there + np.log(lasting)
    enter = trust * (1 + LEVEL) * look * there
    return np.stack([stay, enter])


def _log_normal(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,K): log density of rows (n,F) under each stage's normal law, fitted to `weights` (n,K);
    a stage's covariance is drawn towards that of all, the more the fewer rows it has."""
    n, size = values.shape
    total = weights.sum(axis=0) + 1e-9
    means = weights.T @ values / total[:, None]
    own = np.stack([(values - m).T @ ((values - m) * w[:, None]) for m, w in zip(means, weights.T)])
    pooled = own.sum(axis=0) / total.sum()
    trace = max(float(np.trace(pooled)) / size, 1e-9)
    pooled = 0.95 * pooled + 0.05 * np.diag(np.diag(pooled)) + 1e-3 * trace * np.eye(size)
    made = np.empty((n, len(means)))
    for k, mean in enumerate(means):
        share = OWN * total[k] / (total[k] + ENOUGH)
        law = (1 - share) * pooled + share * own[k] / total[k]
        off = np.linalg.solve(np.linalg.cholesky(law), (values - mean).T)
        made[:, k] = -0.5 * ((off**2).sum(axis=0) + np.linalg.slogdet(law)[1])
    return made


def _padded(transcripts: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """(B,N), -1 beyond the end, and (B,) how many count."""
    stages = torch.tensor([len(t) for t in transcripts])
    order = torch.full((len(transcripts), int(stages.max())), -1)
    for row, one in zip(order, transcripts):
        row[: len(one)] = torch.from_numpy(one)
    return order, stages


def _rows(values: np.ndarray, cuts: np.ndarray) -> torch.Tensor:
    """Sequences end to end (n,K) to (B,T,K), 0 beyond their ends."""
    parts = np.split(values, cuts)
    made = np.zeros((len(parts), max(map(len, parts)), values.shape[1]))
    for row, part in zip(made, parts):
        row[: len(part)] = part
    return torch.from_numpy(made)
