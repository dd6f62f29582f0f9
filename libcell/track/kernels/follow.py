"""How far single tracks are followed (Bise et al. 2011; Chen 2021; as traccuracy counts them).

Of each track the links are counted that one track of the other side has as well; the link from
its mother belongs to a daughter.
"""

import math

import numpy as np

from libcell.track.kernels.tracks import Tracks, edges


def followed(truth: Tracks, result: Tracks, matches: np.ndarray) -> dict[str, float]:
    """target_effectiveness: part of all true links; track_fractions: mean over true tracks;
    track_purity: part of all found links. nan where there are no links."""
    ours, theirs = edges(truth), edges(result)
    rows = [_rows(s) for s in (truth, result)]
    pairs = [(rows[0].get((t, a)), rows[1].get((t, b))) for t, a, b in matches.tolist()]
    partners: dict[int, list[int]] = {}
    for a, b in pairs:
        if a is not None and b is not None:
            partners.setdefault(a, []).append(b)
    there = dict(zip(zip(theirs.source.tolist(), theirs.target.tolist()),
                     result.track_id[theirs.target].tolist()))
    common: dict[tuple[int, int], int] = {}
    for s, e in zip(ours.source.tolist(), ours.target.tolist()):
        for x in partners.get(s, ()):
            for y in partners.get(e, ()):
                if (x, y) in there:
                    key = (int(truth.track_id[e]), there[x, y])
                    common[key] = common.get(key, 0) + 1
    effectiveness, fractions = _longest(common, truth.track_id[ours.target], 0)
    purity, _ = _longest(common, result.track_id[theirs.target], 1)
    return {"target_effectiveness": effectiveness, "track_fractions": fractions,
            "track_purity": purity}


def _rows(tracks: Tracks) -> dict[tuple[int, int], int]:
    keys = zip(tracks.t.tolist(), tracks.label.tolist())
    return {key: row for row, key in enumerate(keys)}


def _longest(
    common: dict[tuple[int, int], int], owner: np.ndarray, side: int
) -> tuple[float, float]:
    """The part of all links that the best partner of each track has, and the mean over tracks."""
    ids, counts = np.unique(owner, return_counts=True)
    if not ids.size:
        return math.nan, math.nan
    best = dict.fromkeys(ids.tolist(), 0)
    for key, count in common.items():
        best[key[side]] = max(best[key[side]], count)
    most = np.array([best[k] for k in ids.tolist()])
    return float(most.sum() / counts.sum()), float((most / counts).mean())
