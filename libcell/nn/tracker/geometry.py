"""What may have become of each cell, and how it looks before any network: places and shapes.

Hypotheses are the nearest few cells around where a cell is expected, and pairs of them as
daughters. What is measured of each is relative to the cells' size; what `cell-track lap` would
say of it is where the network's own judgement begins.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from libcell.nn.tracker.cells import Cells, united

NEAREST = 6  # cells around where one is expected
GATE = 3.0  # how far they may be, in sizes
PAIRS = 12  # would-be daughters of one cell at most, the likeliest
MASS = (0.4, 2.5)  # daughters together to their mother
LOOSE, EXTRA, DIVISION = 16.0, 8.0, 3.0  # as in `lap`: two loose ends, a further one, a division
MOVE, SHAPE, GROWTH, UNEQUAL = 0.25, 0.2, 0.2, 0.3  # as in `lap`: widths, in sizes
FREEDOM = 4.0  # of Student's t
RIVAL = 10.0  # costs that rivals are ahead or behind by at most
LINK_COLUMNS, SPLIT_COLUMNS = 9, 14


@dataclass(frozen=True)
class Candidates:
    """What may have become of the cells `a` of a frame among those, `b`, of a later one.

    links         (m, 2) int64: row in a, row in b; splits (k, 3): mother, two daughters
    link_facts    (m, LINK_COLUMNS) float32, split_facts (k, SPLIT_COLUMNS) float32
    link_steps    (m, d) float32: from a cell to where it went, in x pixels; split_steps (k, d): to
                  the middle of both daughters
    link_prior, split_prior  float32: what the hypothesis gains by places and shapes alone
    size          of a usual cell, px
    """

    links: np.ndarray
    splits: np.ndarray
    link_facts: np.ndarray
    split_facts: np.ndarray
    link_steps: np.ndarray
    split_steps: np.ndarray
    link_prior: np.ndarray
    split_prior: np.ndarray
    size: float


def candidates(a: Cells, b: Cells, moves: np.ndarray, size: float, shaped: bool) -> Candidates:
    """All that is within reach.

    moves   (n, d) float64: how far the cells of `a` are expected to move, x pixels
    shaped  False: spreads and sizes are guesses, and are not looked at
    """
    near = _near(a.centres + moves, b.centres, GATE * size)
    row, place = np.nonzero(near >= 0)
    links = np.stack([row, near[row, place]], axis=1)
    facts, cost = _facts(a, links[:, 0], b, links[:, 1], moves, size, shaped)
    rivals = np.stack([_ahead(cost, links[:, 0], len(a)), _ahead(cost, links[:, 1], len(b))], 1)
    splits = _pairs(near, a, b, moves, size, shaped)
    pair = united(b, splits[:, 1], splits[:, 2])
    split_facts, split_cost = _facts(a, splits[:, 0], pair, np.arange(len(splits)), moves, size,
                                     shaped)
    sisters, apart = _sisters(b, splits, size, shaped)
    least_out, least_in = _least(cost, links[:, 0], len(a)), _least(cost, links[:, 1], len(b))
    more = np.stack([
        sisters, apart, np.clip(split_cost - least_out[splits[:, 0]], -RIVAL, RIVAL),
        least_out[splits[:, 0]], least_in[splits[:, 1]], least_in[splits[:, 2]],
        np.abs(np.log(b.sizes[splits[:, 1]] / b.sizes[splits[:, 2]])) * shaped], axis=1)
    return Candidates(
        links, splits, _narrow(np.concatenate([facts, rivals], axis=1)),
        _narrow(np.concatenate([split_facts, more], axis=1)),
        _narrow(b.centres[links[:, 1]] - a.centres[links[:, 0]], False),
        _narrow(pair.centres - a.centres[splits[:, 0]], False),
        _narrow(LOOSE - cost, False), _narrow(LOOSE + EXTRA - DIVISION - split_cost - sisters,
                                              False), size)


def _near(places: np.ndarray, centres: np.ndarray, gate: float) -> np.ndarray:
    """(n, NEAREST) int64 rows of `centres`, -1 where there are fewer."""
    found = np.full((len(places), NEAREST), -1, np.int64)
    if len(places) and len(centres):
        count = min(NEAREST, len(centres))
        far, near = cKDTree(centres).query(places, k=np.arange(1, count + 1),
                                           distance_upper_bound=gate)
        found[:, :count] = np.where(np.isfinite(far), near, -1)
    return found


def _facts(
    a: Cells, i: np.ndarray, b: Cells, j: np.ndarray, moves: np.ndarray, size: float, shaped: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(m, 7) what is known of rows `i` of `a` as rows `j` of `b`, and its cost (m,)."""
    rest = (b.centres[j] - a.centres[i] - moves[i]) / size
    far = np.linalg.norm(rest, axis=1)
    cost = _t((far / MOVE) ** 2, rest.shape[1])
    within = np.linalg.norm(np.linalg.solve(a.roots[i], rest[..., None] * size)[..., 0], axis=1)
    direct = np.linalg.norm(b.centres[j] - a.centres[i], axis=1) / size
    bent, growth = np.zeros(len(i)), np.zeros(len(i))
    if shaped:
        bent = np.linalg.norm(a.roots[i] - b.roots[j], axis=(1, 2)) / size
        growth = np.log(b.sizes[j] / a.sizes[i])
        axes = rest.shape[1]
        cost = cost + _t((bent / SHAPE) ** 2, axes * (axes + 1) // 2) + _t((growth / GROWTH)**2, 1)
    return np.stack([far, within, direct, bent, growth, np.abs(growth), cost], axis=1), cost


def _pairs(
    near: np.ndarray, a: Cells, b: Cells, moves: np.ndarray, size: float, shaped: bool
) -> np.ndarray:
    """(k, 3) int64: a cell and two of its candidates that may be its daughters."""
    p, q = np.triu_indices(NEAREST, 1)
    i = np.repeat(np.arange(len(near)), p.size)
    made = np.stack([i, near[:, p].ravel(), near[:, q].ravel()], axis=1)
    made = made[(made[:, 1] >= 0) & (made[:, 2] >= 0)]
    pair = united(b, made[:, 1], made[:, 2])
    expected = a.centres[made[:, 0]] + moves[made[:, 0]]
    off = np.linalg.norm(pair.centres - expected, axis=1)
    fits = off <= GATE * size
    if shaped:
        ratio = pair.sizes / a.sizes[made[:, 0]]
        fits &= (ratio >= MASS[0]) & (ratio <= MASS[1])
    made, off = made[fits], off[fits]
    order = np.lexsort((off, made[:, 0]))
    made = made[order]
    first = np.searchsorted(made[:, 0], made[:, 0])
    return made[np.arange(len(made)) - first < PAIRS]


def _sisters(
    b: Cells, splits: np.ndarray, size: float, shaped: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(k,) cost of two cells as sisters, and their distance in sizes."""
    one, two = splits[:, 1], splits[:, 2]
    apart = np.linalg.norm(b.centres[one] - b.centres[two], axis=1) / size
    if shaped:
        return _t((np.log(b.sizes[one] / b.sizes[two]) / UNEQUAL) ** 2, 1), apart
    return _t((apart / 2) ** 2, b.centres.shape[1]), apart


def _least(cost: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """(count,) the least cost of each group, at most `LOOSE`."""
    least = np.full(count, LOOSE)
    np.minimum.at(least, group, cost)
    return least


def _ahead(cost: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """(m,) by how much the best rival in the same group is cheaper (above 0) or dearer."""
    least = _least(cost, group, count)
    best = cost <= least[group]
    second = _least(cost[~best], group[~best], count)
    return np.clip(cost - np.where(best, second[group], least[group]), -RIVAL, RIVAL)


def _t(square: np.ndarray, axes: int) -> np.ndarray:
    return np.asarray((FREEDOM + axes) / 2 * np.log1p(square / FREEDOM))


def _narrow(values: np.ndarray, squeeze: bool = True) -> np.ndarray:
    """As the network takes them: large values squeezed."""
    made = np.sign(values) * np.log1p(np.abs(values)) if squeeze else values
    return np.asarray(made, np.float32)
