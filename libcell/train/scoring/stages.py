"""Predictions of tracked cells as courses of stages: how long stages last, and the label matrix."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from libcell.data import matrix
from libcell.train.sequences import durations

TRACK = ("Metadata_Track", "Metadata_Sequence")
SHOWN = 40  # sequences of the label matrix, the longest
# Okabe and Ito's colours, as `cell-align stages` has them
COLOURS = ("#56b4e9", "#f0e442", "#e69f00", "#d55e00", "#cc79a7", "#009e73", "#0072b2")
OTHER = "#9aa3ad"  # a stage that the model does not know


@dataclass(frozen=True)
class Film:
    """One track, a place a frame: true and predicted stage int (T,), -1 where nothing is known."""

    name: str
    truth: np.ndarray
    predicted: np.ndarray


def films(known: pa.Table, classes: Sequence[str]) -> list[Film]:
    """Tracks of two frames or more of predictions whose target is known, by image and name; a
    true stage that is not of `classes` has their number. Empty where no column names tracks."""
    column = next((c for c in TRACK if c in known.column_names), None)
    if column is None or known.column("Metadata_T").null_count:
        return []
    keys = zip(known.column("Metadata_Image").to_pylist(), known.column(column).to_pylist())
    place = {str(c): i for i, c in enumerate(classes)}
    truth, said = (np.array([place.get(v, len(place)) for v in matrix.column_text(
        known, c, c).astype(str)], np.int64) for c in ("target", "predicted"))
    t = known.column("Metadata_T").to_numpy().astype(np.int64)
    rows: dict[tuple[str, str], list[int]] = {}
    for row, (image, track) in enumerate(keys):
        if track is not None:
            rows.setdefault((str(image), str(track)), []).append(row)
    return [_film(f"{image}:{track}" if column == TRACK[0] else track, t[at], truth[at], said[at])
            for (image, track), at in rows.items() if len(set(t[at])) > 1]


def _film(name: str, t: np.ndarray, truth: np.ndarray, said: np.ndarray) -> Film:
    made = np.full((2, int(np.ptp(t)) + 1), -1)
    made[:, t - t.min()] = truth, said
    return Film(name, made[0], made[1])


def duration_rows(found: Sequence[Film], classes: Sequence[str], part: str) -> list[dict[str, Any]]:
    """Rows of table `scores`, of each stage with stretches that no film cuts: their mean length,
    and mean error and mean absolute error of the predicted one, in frames."""
    lasting = durations.errors([durations.bridged(f.truth) for f in found],
                               [durations.bridged(f.predicted) for f in found], len(classes) + 1)
    return [{"metric": metric, "value": value, "low": None, "high": None, "n": one.stretches,
             "split": part, "label": str(classes[one.stage]), "group": None}
            for one in lasting if one.stage < len(classes)
            for metric, value in (("stage_frames", one.frames),
                                  ("stage_frames_bias", one.bias),
                                  ("stage_frames_error", one.error))]


def label_matrix(found: Sequence[Film], classes: Sequence[str]) -> go.Figure:
    """The longest sequences below each other, each with its true stages above the predicted."""
    shown = sorted(found, key=lambda f: -len(f.truth))[:SHOWN]
    wide = max(len(f.truth) for f in shown)
    cells = np.full((3 * len(shown), wide), -1)  # the third row stays empty
    for i, film in enumerate(shown):
        cells[3 * i, : len(film.truth)] = film.truth
        cells[3 * i + 1, : len(film.truth)] = film.predicted
    names = [str(c) for c in classes] + ["unknown to the model"]
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(classes))] + [OTHER]
    steps = [(at, colours[i]) for i in range(len(names))
             for at in (i / len(names), (i + 1) / len(names))]
    values = [[None if v < 0 else int(v) for v in row] for row in cells]
    side = [f"{html.escape(f.name, quote=False)} {kind}" for f in shown
            for kind in ("true", "predicted", " ")]
    figure = go.Figure(go.Heatmap(
        z=values, y=side, zmin=-0.5, zmax=len(names) - 0.5, colorscale=steps, xgap=1,
        hovertemplate="%{y}, frame %{x}<extra></extra>",
        colorbar={"tickvals": list(range(len(names))), "thickness": 12,
                  "ticktext": [html.escape(n, quote=False) for n in names]}))
    figure.update_layout(height=160 + 14 * len(cells))
    figure.update_xaxes(title_text="frames since the sequence's first")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True,
                        tickvals=side[::3], ticktext=side[::3])
    return figure
