"""The checks of explanations as one page that needs no network."""

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.offline

from libcell.explain.checks.perturbing import Curves
from libcell.explain.checks.verdict import Found, Needs
from libcell.explain.page.figures import INK, LAYOUT, OKABE_ITO, shown

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Are the explanations faithful?
</title><style>body{{font:15px system-ui,sans-serif;color:#1b1f24;max-width:60rem;margin:2rem auto;
padding:0 1rem}}h2{{margin-top:2.5rem}}li{{margin:.3rem 0}}.warn{{border-left:4px solid #D55E00;
padding-left:1rem}}</style>
<script>{script}</script><h1>Are the explanations faithful?</h1>
"""


def page(found: dict[str, Found], curves: dict[str, Curves],
         forgets: dict[str, list[tuple[float, float]]], agreement: np.ndarray, needs: Needs,
         warnings: list[str]) -> str:
    """HTML of warnings and figures; `agreement` (k,k) of the explanations in their order."""
    figures = {
        "Probability as pixels are taken away, first those that the map points at":
            _curves({k: (c.deleted, c.deleted_elsewhere) for k, c in curves.items()}),
        "Probability as pixels come, first those that the map points at":
            _curves({k: (c.inserted, c.inserted_elsewhere) for k, c in curves.items()}),
        "Where the maps lie": _regions(found),
        "Likeness to itself as the network forgets": _forgets(forgets),
    }
    if len(found) > 1:
        figures["Agreement"] = _agreement(list(found), agreement)
    text = "".join(f"<li>{html.escape(w)}</li>" for w in warnings)
    parts = [HEAD.format(script=plotly.offline.get_plotlyjs()),
             f'<ul class="warn">{text}</ul>' if warnings else "<p>Every check is passed.</p>",
             f"<p>Probability of the explained class: {needs.whole:.2f}; without the background "
             f"{needs.without_background:.2f}, without the object {needs.without_object:.2f}.</p>"]
    for i, (name, figure) in enumerate(figures.items()):
        parts.append(f"<h2>{name}</h2>" + figure.to_html(
            full_html=False, include_plotlyjs=False, div_id=f"figure-{i}"))
    return "\n".join(parts) + "\n</html>\n"


def _figure(height: int = 360) -> go.Figure:
    made = go.Figure()
    made.update_layout(**LAYOUT, height=height)
    return made


def _curves(pairs: dict[str, tuple[np.ndarray, np.ndarray]]) -> go.Figure:
    made = _figure(420)
    for i, (name, (own, elsewhere)) in enumerate(pairs.items()):
        x = np.linspace(0, 1, own.shape[1]).round(3).tolist()
        for values, dash, text in ((own, "solid", shown(name)),
                                   (elsewhere, "dot", f"{shown(name)}, moved elsewhere")):
            made.add_trace(go.Scatter(
                x=x, y=values.mean(axis=0).round(4).tolist(), name=text, mode="lines",
                line={"color": OKABE_ITO[i % len(OKABE_ITO)], "dash": dash}))
    made.update_xaxes(title_text="share of pixels")
    made.update_yaxes(range=[0, 1.02], title_text="probability of the class", gridcolor="#e3e6ea")
    return made


def _regions(found: dict[str, Found]) -> go.Figure:
    made = _figure(120 + 46 * len(found))
    names = list(next(iter(found.values())).energy)
    for i, region in enumerate(names):
        made.add_trace(go.Bar(
            name=shown(region), y=[shown(n) for n in (*found, "pixels")], orientation="h",
            x=[*(f.energy[region][0] for f in found.values()),
               next(iter(found.values())).areas[region][0]],
            marker_color=OKABE_ITO[i % len(OKABE_ITO)],
            hovertemplate="%{y}: %{x:.0%} in " + shown(region) + "<extra></extra>"))
    made.update_layout(barmode="stack", margin_l=150)
    made.update_xaxes(title_text="share of the map's strength", range=[0, 1])
    made.update_yaxes(autorange="reversed", type="category")
    return made


def _forgets(forgets: dict[str, list[tuple[float, float]]]) -> go.Figure:
    made = _figure()
    for i, (name, points) in enumerate(forgets.items()):
        made.add_trace(go.Scatter(
            x=[0, *(p for p, _ in points)], y=[1, *(v for _, v in points)], name=shown(name),
            mode="lines+markers", line={"color": OKABE_ITO[i % len(OKABE_ITO)]}))
    made.update_xaxes(title_text="share of layers drawn anew, from the last", range=[0, 1.02])
    made.update_yaxes(title_text="rank correlation", gridcolor="#e3e6ea")
    return made


def _agreement(names: list[str], values: np.ndarray) -> go.Figure:
    cells: Any = [[None if np.isnan(v) else round(float(v), 3) for v in row] for row in values]
    made = go.Figure(go.Heatmap(
        z=cells, x=list(map(shown, names)), y=list(map(shown, names)), zmin=-1, zmax=1,
        colorscale="PuOr", text=cells, texttemplate="%{text}", xgap=2, ygap=2,
        textfont={"color": INK}, hovertemplate="%{x}, %{y}: %{z}<extra></extra>",
        colorbar={"title": {"text": "rank<br>correlation"}, "thickness": 12}))
    made.update_layout(**LAYOUT | {"margin": {"l": 150, "r": 20, "t": 20, "b": 60}},
                       height=160 + 44 * len(names))
    made.update_yaxes(autorange="reversed")
    return made
