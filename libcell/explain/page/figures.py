"""Plotly figures of a report, as JSON values. Colours are safe for the colour-blind."""

import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
FEW = 8
BLUES = ((0, "#f7fbff"), (0.5, "#6baed6"), (1, "#08306b"))  # light to dark, so grey prints do
INK = "#1b1f24"
LAYOUT = {
    "template": "none",
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
    "margin": {"l": 70, "r": 20, "t": 20, "b": 55},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
}


def shown(text: object) -> str:
    """Text as plotly writes it: it reads tags such as <b> and <a> where they are not escaped."""
    return html.escape(str(text), quote=False)


def _json(figure: go.Figure) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(figure.to_json(engine="json"))
    return value


def confusion(counts: np.ndarray, truth: Sequence[str], predicted: Sequence[str]) -> dict[str, Any]:
    """Heat map of a confusion matrix (true, predicted); rows are normalised, counts written in."""
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, where=totals > 0, out=np.zeros(counts.shape))
    text = [[f"{int(n)}<br>{s:.0%}" for n, s in zip(a, b)] for a, b in zip(counts, share)]
    keys = [[f"{t}|{p}" for p in predicted] for t in truth]
    figure = go.Figure(go.Heatmap(
        z=share.tolist(), x=list(map(shown, predicted)), y=list(map(shown, truth)), text=text,
        texttemplate="%{text}", colorscale=BLUES, zmin=0, zmax=1,
        customdata=keys, xgap=2, ygap=2,
        hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
        colorbar={"title": {"text": "share of<br>true class"}, "thickness": 12}))
    height = 190 + (62 if len(truth) <= FEW else 44) * len(truth)
    figure.update_layout(**LAYOUT, height=height)
    figure.update_xaxes(title_text="predicted", type="category", automargin=True,
                        title_standoff=16)
    figure.update_yaxes(title_text="true", type="category", autorange="reversed",
                        automargin=True, title_standoff=12)
    return _json(figure)


def importance(groups: Sequence[str], mean: Sequence[float], sd: Sequence[float],
               label: str) -> dict[str, Any]:
    """Bars, largest on top, with one standard deviation; `label` says what of."""
    figure = go.Figure(go.Bar(
        x=list(mean), y=list(map(shown, groups)), orientation="h", marker_color=OKABE_ITO[0],
        error_x={"type": "data", "array": list(sd), "color": INK, "thickness": 1},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>"))
    figure.update_layout(**LAYOUT | {"margin": {"l": 170, "r": 20, "t": 10, "b": 50}},
                         height=90 + 28 * len(groups))
    figure.update_xaxes(title_text=shown(label), zeroline=True, zerolinecolor="#888",
                        gridcolor="#e3e6ea")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    return _json(figure)


def swarm(parts: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """A row of dots per column, the first on top: (name, values (n,), contributions (n,)).

    Dots lie at their contribution, spread out where many are, coloured by the rank of their value.
    """
    figure = go.Figure()
    for row, (name, values, added) in enumerate(parts):
        figure.add_trace(go.Scatter(
            x=_rounded(added), y=_rounded(-row + _spread(added)), mode="markers",
            customdata=_rounded(values), name=shown(name), showlegend=False,
            marker={"size": 4, "color": _rounded(_ranks(values)), "colorscale": "Cividis",
                    "cmin": 0, "cmax": 1, "showscale": row == 0,
                    "colorbar": {"title": {"text": "value"}, "thickness": 12,
                                 "tickvals": [0, 1], "ticktext": ["low", "high"]}},
            hovertemplate=shown(name) + " = %{customdata:.4g}: %{x:.3f}<extra></extra>"))
    figure.update_layout(**LAYOUT | {"margin": {"l": 170, "r": 20, "t": 10, "b": 50}},
                         height=110 + 34 * len(parts))
    figure.update_xaxes(title_text="added to the score of the answered class, log-odds",
                        zeroline=True, zerolinecolor="#888", gridcolor="#e3e6ea")
    figure.update_yaxes(tickvals=[-i for i in range(len(parts))], automargin=True,
                        ticktext=[shown(n) for n, _, _ in parts], showgrid=False, zeroline=False)
    return _json(figure)


def _spread(x: np.ndarray) -> np.ndarray:
    """Offsets (n,) within 0.4 of 0: wider where more of `x` lie, the same each time."""
    bins = 60
    span = max(float(np.ptp(x)), 1e-12)
    place = ((x - x.min()) / span * (bins - 1)).astype(int)
    counts = np.bincount(place, minlength=bins)
    order = np.argsort(place, kind="stable")
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.empty(len(x), np.int64)
    rank[order] = np.arange(len(x)) - first[place[order]]
    side = np.where(rank % 2, -1, 1) * ((rank + 1) // 2)
    return 0.8 * side / max(int(counts.max()), 10)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1; NaN stays so, and is drawn without a colour."""
    known = np.isfinite(values)
    ranks = np.full(len(values), np.nan)
    some = np.unique(values[known], return_inverse=True)[1]
    ranks[known] = some / max(int(some.max(initial=0)), 1)
    return ranks


def _rounded(values: np.ndarray) -> list[float | None]:
    """Four digits do for a picture, and are a third of the text."""
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in values.tolist()]


def plate(rows: Sequence[str], columns: Sequence[str], values: np.ndarray, label: str,
          texts: list[list[str]]) -> dict[str, Any]:
    """Heat map of a plate: one value per well, NaN where there is none."""
    shown = [[None if np.isnan(v) else float(v) for v in row] for row in values]
    figure = go.Figure(go.Heatmap(
        z=shown, x=list(columns), y=list(rows), colorscale="Cividis", xgap=3, ygap=3,
        text=texts, hovertemplate="%{text}<extra></extra>",
        colorbar={"title": {"text": label}, "thickness": 12}))
    figure.update_layout(**LAYOUT, height=110 + 30 * len(rows))
    figure.update_xaxes(side="top", type="category", showgrid=False)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return _json(figure)


def distribution(values: dict[str, np.ndarray], label: str) -> dict[str, Any]:
    """Box plots of one feature by class, from quantiles, so that no single cell is stored."""
    figure = go.Figure()
    for i, (name, some) in enumerate(values.items()):
        low, q1, median, q3, high = np.nanpercentile(some, (5, 25, 50, 75, 95))
        figure.add_trace(go.Box(
            name=f"{shown(name)} (n = {len(some)})", q1=[q1], median=[median], q3=[q3],
            x=[shown(name)],
            lowerfence=[low], upperfence=[high], marker_color=OKABE_ITO[i % len(OKABE_ITO)]))
    figure.update_layout(**LAYOUT, height=320, showlegend=False)
    figure.update_xaxes(type="category")
    figure.update_yaxes(title_text=shown(label), gridcolor="#e3e6ea")
    return _json(figure)
