"""Plotly figures of a report, as JSON values. Colours are safe for the colour-blind."""

import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
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
        texttemplate="%{text}", colorscale="Cividis", reversescale=True, zmin=0, zmax=1,
        customdata=keys, xgap=2, ygap=2,
        hovertemplate="true %{y}, predicted %{x}: %{text}<extra></extra>",
        colorbar={"title": {"text": "share of<br>true class"}, "thickness": 12}))
    height = 190 + 62 * len(truth)
    figure.update_layout(**LAYOUT, height=height)
    figure.update_xaxes(title_text="predicted", type="category")
    figure.update_yaxes(title_text="true", type="category", autorange="reversed",
                        automargin=True, title_standoff=12)
    return _json(figure)


def importance(groups: Sequence[str], mean: Sequence[float], sd: Sequence[float],
               score: str) -> dict[str, Any]:
    """Bars of what the score loses, largest on top, with one standard deviation."""
    figure = go.Figure(go.Bar(
        x=list(mean), y=list(map(shown, groups)), orientation="h", marker_color=OKABE_ITO[0],
        error_x={"type": "data", "array": list(sd), "color": INK, "thickness": 1},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>"))
    figure.update_layout(**LAYOUT | {"margin": {"l": 170, "r": 20, "t": 10, "b": 50}},
                         height=90 + 28 * len(groups))
    figure.update_xaxes(title_text=f"loss of {score.replace('_', ' ')} when shuffled",
                        zeroline=True, zerolinecolor="#888", gridcolor="#e3e6ea")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    return _json(figure)


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
