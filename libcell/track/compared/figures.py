"""Fields of view put together to one comparison, and its figures under the names in use."""

import math
from typing import Any

import numpy as np

from libcell.track.compared.pairs import Found
from libcell.track.kernels.follow import followed
from libcell.track.kernels.score import Score, score
from libcell.track.kernels.tracks import Tracks

APART = 1 << 32  # between the ids of two fields of view
Figures = dict[str, float | None]


def figures(fields: list[Found], tolerance: int) -> Figures:
    """All figures over all fields of view; None where nothing defines one."""
    truth, result, matches = joined(fields)
    found = score(truth, result, matches, tolerance)
    segs = [f.seg for f in fields if f.seg is not None]
    seg = sum(segs) / truth.t.size if segs and truth.t.size else None
    values = _challenge(found) | {"SEG": seg} | _counted(found) | {
        "complete_tracks": found.complete_tracks} | followed(truth, result, matches)
    return {k: None if v is None or math.isnan(v) else v for k, v in values.items()}


def joined(fields: list[Found]) -> tuple[Tracks, Tracks, np.ndarray]:
    """All fields as one, their labels and tracks numbered apart."""
    matches = [f.matches + np.array([0, 1, 1]) * k * APART for k, f in enumerate(fields)]
    return (_joined([f.truth for f in fields]), _joined([f.result for f in fields]),
            np.concatenate([np.zeros((0, 3), np.int64), *matches]))


def _joined(parts: list[Tracks]) -> Tracks:
    nothing = np.zeros(0, np.int64)
    columns = [[nothing], [nothing], [nothing], [nothing]]
    for k, p in enumerate(parts):
        shift = k * APART
        parent = np.where(p.parent_track_id > 0, p.parent_track_id + shift, 0)
        for column, values in zip(columns, (p.t, p.label + shift, p.track_id + shift, parent)):
            column.append(values)
    return Tracks(*(np.concatenate(c) for c in columns))


def _challenge(found: Score) -> dict[str, Any]:
    c = found.challenge
    return {"DET": c.det, "TRA": c.tra, "LNK": c.lnk, "AOGM": c.aogm,
            "AOGM_splits": c.non_split, "AOGM_missed_objects": c.fn_nodes,
            "AOGM_false_objects": c.fp_nodes, "AOGM_false_links": c.fp_edges,
            "AOGM_missed_links": c.fn_edges, "AOGM_wrong_links": c.wrong_edges}


def _counted(found: Score) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, c in (("link", found.edges), ("division", found.divisions_near)):
        values |= {f"{name}_precision": c.precision, f"{name}_recall": c.recall,
                   f"{name}_f1": c.f1, f"{name}s_found": c.tp, f"{name}s_missed": c.fn,
                   f"{name}s_false": c.fp}
    return values | {"mitotic_branching_correctness": found.divisions_near.jaccard}
