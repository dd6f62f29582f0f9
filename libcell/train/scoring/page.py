"""The pictures of a score, as one page that needs no network."""

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.offline

from libcell.train.kernels.operating import Operating

INK = "#1b1f24"
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
LAYOUT = {"template": "none", "font": {"family": "system-ui, sans-serif", "size": 13, "color": INK},
          "margin": {"l": 150, "r": 30, "t": 20, "b": 60}}
HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px system-ui,sans-serif;color:#1b1f24;max-width:60rem;margin:2rem auto;
padding:0 1rem}}h2{{margin-top:2.5rem}}.picture{{overflow-x:auto}}
.picture>div{{min-width:44rem}}</style>
<script>{script}</script><h1>{title}</h1><p>{text}</p>
"""


def page(
    found: dict[str, Any], curves: dict[str, Operating],
    groups: list[tuple[str, int, float, float]], rivals: dict[str, tuple[float, Any]], title: str,
    more: dict[str, go.Figure] | None = None,
) -> str:
    """HTML of confusion, rivals, ROC, precision-recall, reliability and groups.

    `found` is `classification_scores` (plain); `rivals` balanced accuracy and interval by name;
    `more` further pictures by heading.
    """
    figures = {
        "Confusion": _confusion(found["confusion"]),
        "Balanced accuracy beside baselines": _rivals(found, rivals),
        "Receiver operating characteristic": _lines(
            {k: (c.false_positive, c.true_positive) for k, c in curves.items()},
            "false positives, share of the others", "true positives, share of the class"),
        "Precision and recall": _lines(
            {k: (c.recall, c.precision) for k, c in curves.items()}, "recall", "precision"),
        "Reliability": _reliability(found["reliability"]),
        "Groups": _groups(groups),
    } | (more or {})
    text = (f"{found['n']} objects in {found['n_groups']} groups; balanced accuracy "
            f"{found['balanced_accuracy']:.3f}, macro F1 {found['macro_f1']:.3f}, expected "
            f"calibration error {found['ece']:.3f}")
    parts = [HEAD.format(title=html.escape(title), text=html.escape(text),
                         script=plotly.offline.get_plotlyjs())]
    for i, (name, figure) in enumerate(figures.items()):
        figure.update_layout(**LAYOUT)
        drawn = figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"figure-{i}",
                               config={"responsive": True, "displaylogo": False})
        parts.append(f'<h2>{name}</h2><div class="picture">{drawn}</div>')
    return "\n".join(parts) + "\n</html>\n"


def _shown(text: object) -> str:
    """Plotly reads tags where they are not escaped."""
    return html.escape(str(text), quote=False)


def _confusion(table: dict[str, Any]) -> go.Figure:
    counts = np.array(table["counts"], float)
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, where=totals > 0, out=np.zeros(counts.shape))
    figure = go.Figure(go.Heatmap(
        z=share.tolist(), x=[_shown(c) for c in table["columns"]],
        y=[_shown(r) for r in table["rows"]], zmin=0, zmax=1, colorscale="Blues",
        xgap=1, ygap=1, text=counts.astype(int).tolist(),
        texttemplate="%{text}", hovertemplate="true %{y}, predicted %{x}: %{z:.0%}<extra></extra>",
        colorbar={"title": {"text": "share of<br>true class"}, "thickness": 12}))
    figure.update_layout(height=200 + 32 * len(counts))
    figure.update_xaxes(title={"text": "predicted", "standoff": 12}, type="category",
                        automargin=True, tickangle=-45)
    figure.update_yaxes(title_text="true", type="category", autorange="reversed", automargin=True)
    return figure


def _rivals(found: dict[str, Any], rivals: dict[str, tuple[float, Any]]) -> go.Figure:
    own = (found["balanced_accuracy"], found["intervals"]["balanced_accuracy"])
    majority = (found["majority_baseline"]["balanced_accuracy"], (None, None))
    bars = {"this model": own, **rivals, "majority": majority}
    high = [(i[1] - v) if i[1] is not None else 0 for v, i in bars.values()]
    low = [(v - i[0]) if i[0] is not None else 0 for v, i in bars.values()]
    figure = go.Figure(go.Bar(
        x=[v for v, _ in bars.values()], y=[_shown(k) for k in bars], orientation="h",
        marker_color=[COLOURS[0]] + ["#9aa3ad"] * (len(bars) - 1),
        error_x={"type": "data", "symmetric": False, "array": high, "arrayminus": low}))
    figure.update_layout(height=120 + 36 * len(bars))
    figure.update_xaxes(range=[0, 1], title_text="balanced accuracy, 95 % interval over groups")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    return figure


def _lines(curves: dict[str, tuple[np.ndarray, np.ndarray]], x: str, y: str) -> go.Figure:
    figure = go.Figure()
    for i, (name, (across, up)) in enumerate(curves.items()):
        figure.add_trace(go.Scatter(
            x=across.round(4).tolist(), y=up.round(4).tolist(), name=_shown(name), mode="lines",
            line={"color": COLOURS[i % len(COLOURS)],
                  "dash": ("solid", "dash", "dot")[i // len(COLOURS) % 3]}))
    figure.update_layout(height=460)
    figure.update_xaxes(range=[0, 1], title_text=x)
    figure.update_yaxes(range=[0, 1.02], title_text=y)
    return figure


def _reliability(bins: list[dict[str, Any]]) -> go.Figure:
    used = [b for b in bins if b["n"]]
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", name="honest",
                                  line={"color": "#9aa3ad", "dash": "dash"}))
    figure.add_trace(go.Scatter(
        x=[b["confidence"] for b in used], y=[b["accuracy"] for b in used], name="this model",
        mode="lines+markers", text=[f"{b['n']} objects" for b in used],
        marker={"color": COLOURS[0]}))
    figure.update_layout(height=380)
    figure.update_xaxes(range=[0, 1], title_text="probability of the predicted class")
    figure.update_yaxes(range=[0, 1.02], title_text="share that is right")
    return figure


def _groups(groups: list[tuple[str, int, float, float]]) -> go.Figure:
    figure = go.Figure(go.Bar(
        x=[g[2] for g in groups], y=[_shown(g[0]) for g in groups], orientation="h",
        marker_color=COLOURS[0], text=[f"{g[1]} objects" for g in groups]))
    figure.update_layout(height=120 + 26 * len(groups))
    figure.update_xaxes(range=[0, 1], title_text="accuracy in each group")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    return figure
