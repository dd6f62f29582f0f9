"""How a movie's objects move from one frame to the next: a smooth field, growth included.

First the drift that most objects share, by a vote; then, from links that are believed so far, a
straight line (an affine map) through the moves of each object's neighbours. A line follows a
colony that grows, faster at its rim, where a mean would lag behind.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

NEIGHBOURS = 12  # objects that a place's motion is read from
STIFF = 0.05  # draws the slopes to 0 where few neighbours, or one side only, would say them
TIMES = 2  # rounds of the fit, in which neighbours that moved otherwise lose weight
VOTES = 200  # moves that vote for the drift at most, the likeliest ones


@dataclass(frozen=True)
class Flow:
    """Moves that are believed: `moves` (n, d) at `places` (n, d), px; still where there are none.
    """

    places: np.ndarray
    moves: np.ndarray

    def at(self, where: np.ndarray) -> np.ndarray:
        """(m, d) float64: how far something at `where` (m, d) moves, px."""
        count = min(NEIGHBOURS, len(self.places))
        if not count or not len(where):
            return np.zeros_like(where)
        far, near = cKDTree(self.places).query(where, k=np.arange(1, count + 1))
        moves = self.moves[near]
        middle = np.median(moves, axis=1)
        if count < 2 * (where.shape[1] + 1):
            return middle
        reach = np.maximum(far[:, -1:], 1e-9)
        steps = (self.places[near] - where[:, None]) / reach[:, :, None]
        return middle + _line(steps, moves - middle[:, None], far / reach)


def _line(steps: np.ndarray, moves: np.ndarray, far: np.ndarray) -> np.ndarray:
    """(m, d): values at the middle of lines fitted through `moves` (m, k, d) at `steps` from it."""
    count, d = steps.shape[1:]
    terms = np.concatenate([np.ones((*steps.shape[:2], 1)), steps], axis=2)
    ridge = np.diag([1e-9] + [STIFF * count] * d)
    weight = (1 - (0.95 * far) ** 3) ** 3
    for _ in range(TIMES):
        weighed = np.swapaxes(terms * weight[:, :, None], 1, 2)
        line = np.linalg.solve(weighed @ terms + ridge, weighed @ moves)
        rest = np.linalg.norm(moves - terms @ line, axis=2)
        usual = 2 * np.median(rest, axis=1, keepdims=True) + 1e-6
        weight = weight / (1 + (rest / usual) ** 2)
    return np.asarray(line[:, 0])


def drift(moves: np.ndarray, weights: np.ndarray, size: float) -> np.ndarray:
    """(d,) px: the move (m, d) that most others are like; 0 if there are none.

    Moves far larger than an object count less.
    """
    if not len(moves):
        return np.zeros(moves.shape[1])
    best = np.argsort(-weights, kind="stable")[:VOTES]
    moves, weights = moves[best], weights[best]
    apart = ((moves[:, None] - moves[None]) ** 2).sum(axis=2)
    votes = np.exp(-apart / 2 / (0.35 * size) ** 2) @ weights
    far = (moves**2).sum(axis=1) / (4 * size) ** 2
    return np.asarray(moves[np.argmax(votes * np.exp(-far / 2))])
