"""How well a tracking agrees with the truth, on the same or on other masks.

Objects are matched by the Cell Tracking Challenge's rule: a result object that covers more than
half of a true one is it (Matula et al., PLoS ONE 10(12) e0144959, 2015). TRA, DET and LNK are
computed as there and at celltrackingchallenge.net.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from libcell.errors import DataError
from libcell.track.kernels.frame import describe
from libcell.track.kernels.overlap import count_shared
from libcell.track.kernels.tracks import Division, Edges, Tracks, divisions, edges

# prices of the challenge: split, miss, add a node; remove, add, retype an edge
NODE_PRICES = (5.0, 10.0, 1.0)
EDGE_PRICES = (1.0, 1.5, 1.0)


@dataclass(frozen=True)
class Counted:
    """True positives, misses and inventions."""

    tp: int
    fn: int
    fp: int

    @property
    def precision(self) -> float:
        """nan where nothing was predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else math.nan

    @property
    def recall(self) -> float:
        """nan where there is nothing to find."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else math.nan

    @property
    def f1(self) -> float:
        """nan where there is nothing to find and nothing was predicted."""
        total = 2 * self.tp + self.fn + self.fp
        return 2 * self.tp / total if total else math.nan

    @property
    def jaccard(self) -> float:
        """Of divisions the mitotic branching correctness (Ulicna et al. 2021); nan as `f1`."""
        total = self.tp + self.fn + self.fp
        return self.tp / total if total else math.nan


@dataclass(frozen=True)
class Challenge:
    """The Cell Tracking Challenge's numbers; nan where the truth has no node or no edge.

    non_split counts the split operations needed: k - 1 for a result object on k true ones.
    (traccuracy 0.4 counts such objects, 1 for any k.) An edge is of the wrong kind where one
    side continues a track and the other leads to a daughter.
    """

    non_split: int
    fn_nodes: int
    fp_nodes: int
    fp_edges: int
    fn_edges: int
    wrong_edges: int
    aogm: float
    tra: float
    det: float
    lnk: float


@dataclass(frozen=True)
class Score:
    """All figures of one comparison.

    edges             links between matched objects, of any kind; matched one to one
    divisions         mother and both daughters at the same frames
    divisions_near    the same, up to `tolerance` frames too early or too late
    complete_tracks   share of the true tracks that one result track follows from its first
                      frame to its last and not beyond; nan without tracks
    """

    edges: Counted
    divisions: Counted
    divisions_near: Counted
    complete_tracks: float
    challenge: Challenge


def match_nodes(
    truth_frames: Iterable[np.ndarray], result_frames: Iterable[np.ndarray]
) -> np.ndarray:
    """(m, 3) int64: t, true label, result label, where the result covers > 1/2 of the truth.

    Both sequences are label images (Y, X) or (Z, Y, X) for the frames 0, 1, ...
    """
    found = [np.zeros((0, 3), np.int64)]
    for t, (truth, result) in enumerate(zip(truth_frames, result_frames, strict=True)):
        if truth.shape != result.shape:
            raise DataError(f"frame {t}: truth {truth.shape} and result {result.shape} differ")
        a, b = describe(truth), describe(result)
        source, target, shared = count_shared(a, b)
        most = 2 * shared > a.areas[source]
        labels = a.labels[source[most]], b.labels[target[most]]
        found.append(np.stack([np.full(labels[0].size, t), *labels], axis=1))
    return np.concatenate(found)


def score(truth: Tracks, result: Tracks, matches: np.ndarray, tolerance: int = 1) -> Score:
    """Compares two trackings whose objects are matched by `match_nodes`.

    Objects that stand in the masks but not in the tracks do not count.
    """
    pairs = _rows(truth, result, matches)
    lone = np.bincount(pairs[:, 1], minlength=result.t.size) == 1
    unique = pairs[lone[pairs[:, 1]]]
    result_of = np.full(truth.t.size, -1, np.int64)
    result_of[unique[:, 0]] = unique[:, 1]
    true_edges, result_edges = edges(truth), edges(result)
    challenge, edge_counts = _challenge(truth, result, pairs, result_of, true_edges, result_edges)
    return Score(
        edges=edge_counts,
        divisions=_count_divisions(truth, result, result_of, 0),
        divisions_near=_count_divisions(truth, result, result_of, tolerance),
        complete_tracks=_complete(truth, result, result_of),
        challenge=challenge,
    )


def _rows(truth: Tracks, result: Tracks, matches: np.ndarray) -> np.ndarray:
    """Row numbers (m, 2) of matched objects that stand in both trackings."""
    ours, theirs = (
        {key: row for row, key in enumerate(zip(tracks.t.tolist(), tracks.label.tolist()))}
        for tracks in (truth, result)
    )
    rows = [(ours.get((t, a), -1), theirs.get((t, b), -1)) for t, a, b in matches.tolist()]
    pairs = np.array(rows, np.int64).reshape(-1, 2)
    return pairs[(pairs >= 0).all(axis=1)]


def _challenge(
    truth: Tracks,
    result: Tracks,
    pairs: np.ndarray,
    result_of: np.ndarray,
    true_edges: Edges,
    result_edges: Edges,
) -> tuple[Challenge, Counted]:
    per_result = np.bincount(pairs[:, 1], minlength=result.t.size)
    nodes = (
        int(np.maximum(per_result - 1, 0).sum()),
        truth.t.size - np.unique(pairs[:, 0]).size,
        int((per_result == 0).sum()),
    )
    kinds = dict(zip(_ends(result_edges), result_edges.parent.tolist()))
    mapped = zip(*(result_of[e].tolist() for e in (true_edges.source, true_edges.target)))
    found = [kinds.get(pair) for pair in mapped]
    tp = sum(kind is not None for kind in found)
    wrong = sum(k is not None and k != p for k, p in zip(found, true_edges.parent.tolist()))
    # the challenge forgives false edges at objects that are false themselves
    countable = (per_result[result_edges.source] == 1) & (per_result[result_edges.target] == 1)
    bad = (int(countable.sum()) - tp, len(found) - tp, wrong)
    counts = Counted(tp, len(found) - tp, result_edges.source.size - tp)
    return _prices(nodes, bad, truth.t.size, len(found)), counts


def _ends(links: Edges) -> list[tuple[int, int]]:
    return list(zip(links.source.tolist(), links.target.tolist()))


def _prices(
    nodes: tuple[int, int, int], bad: tuple[int, int, int], n_nodes: int, n_edges: int
) -> Challenge:
    node_cost = sum(n * p for n, p in zip(nodes, NODE_PRICES))
    edge_cost = sum(n * p for n, p in zip(bad, EDGE_PRICES))
    empty_nodes, empty_edges = n_nodes * NODE_PRICES[1], n_edges * EDGE_PRICES[1]
    return Challenge(
        *nodes,
        *bad,
        aogm=node_cost + edge_cost,
        tra=_gain(node_cost + edge_cost, empty_nodes + empty_edges),
        det=_gain(node_cost, empty_nodes),
        lnk=_gain(edge_cost, empty_edges),
    )


def _gain(cost: float, empty: float) -> float:
    """What the result saves of making the truth from nothing, 0..1; nan if that is nothing."""
    return 1 - min(cost, empty) / empty if empty else math.nan


def _count_divisions(
    truth: Tracks, result: Tracks, result_of: np.ndarray, tolerance: int
) -> Counted:
    """Each division is counted once, the nearest in time first."""
    ours, theirs = divisions(truth), divisions(result)
    place = {k: row for row, k in enumerate(zip(truth.track_id.tolist(), truth.t.tolist()))}
    track_at = [int(result.track_id[r]) if r >= 0 else 0 for r in result_of.tolist()]
    by_mother = {d.mother: d for d in theirs}
    near = []
    for true in ours:
        for t in range(true.t - tolerance, true.t + tolerance + 1):
            row = place.get((true.mother, min(t, true.t)), -1)
            found = by_mother.get(track_at[row]) if row >= 0 else None
            if found and found.t == t and _same_division(true, found, place, track_at):
                near.append((abs(t - true.t), true.mother, found.mother))
    used: set[tuple[str, int]] = set()
    for _, mother, other in sorted(near):
        if not {("truth", mother), ("result", other)} & used:
            used |= {("truth", mother), ("result", other)}
    tp = len(used) // 2
    return Counted(tp, len(ours) - tp, len(theirs) - tp)


def _same_division(
    true: Division, found: Division, place: dict[tuple[int, int], int], track_at: list[int]
) -> bool:
    """Whether the daughters are the same where both divisions are over."""
    after = max(true.t, found.t) + 1
    rows = [place.get((daughter, after), -1) for daughter in true.daughters]
    return sorted(track_at[r] if r >= 0 else 0 for r in rows) == sorted(found.daughters)


def _complete(truth: Tracks, result: Tracks, result_of: np.ndarray) -> float:
    ids, index = np.unique(truth.track_id, return_inverse=True)
    if not ids.size:
        return math.nan
    lengths = dict(zip(*(a.tolist() for a in np.unique(result.track_id, return_counts=True))))
    followers: list[list[int]] = [[] for _ in ids]
    for track, row in zip(index.tolist(), result_of.tolist()):
        followers[track].append(int(result.track_id[row]) if row >= 0 else 0)
    whole = [len(set(f)) == 1 and lengths.get(f[0]) == len(f) for f in followers]
    return sum(whole) / ids.size


def as_dict(figures: Score) -> dict[str, float]:
    """All figures under flat names, such as 'edges.tp' or 'challenge.tra'."""
    flat: dict[str, float] = {"complete_tracks": figures.complete_tracks}
    for name in ("edges", "divisions", "divisions_near"):
        counted: Counted = getattr(figures, name)
        for key in ("tp", "fn", "fp", "precision", "recall", "f1"):
            flat[f"{name}.{key}"] = getattr(counted, key)
    for field in fields(Challenge):
        flat[f"challenge.{field.name}"] = getattr(figures.challenge, field.name)
    return flat
