"""Attention as one page that needs no network."""

import html

import numpy as np
import plotly.graph_objects as go
import plotly.offline

from libcell.explain.attended.bags import Bag, Instance
from libcell.explain.attended.stages import Course, matrix
from libcell.explain.page.figures import LAYOUT, OKABE_ITO, shown
from libcell.explain.page.render import data_uri

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Attention</title>
<style>body{font:15px system-ui,sans-serif;color:#1b1f24;max-width:66rem;margin:2rem auto;
padding:0 1rem}h2{margin-top:2.5rem}section{border-top:1px solid #d0d7de;margin-top:1.5rem}
figure{display:inline-block;margin:2px;text-align:center;font-size:12px}figure img{display:block}
.row{margin:.4rem 0}.row b{display:inline-block;width:8.5rem;vertical-align:top}</style>
"""


def page(bags: list[Bag], classes: list[str], courses: list[Course], most: int) -> str:
    """HTML of bags with their instances, and of sequences with their stages; either may be none."""
    parts = [HEAD]
    if courses:
        parts.append(f"<script>{plotly.offline.get_plotlyjs()}</script>")
    parts.append("<h1>What the model attended to</h1>")
    if bags:
        parts += ["<h2>Bags</h2><p>Attention adds up to 1 in each bag.</p>", *map(_bag, bags)]
    if courses:
        figures = {"Stages seen": _matrix(courses, classes, "predicted")}
        if any((c.known >= 0).any() for c in courses):
            figures["Stages known"] = _matrix(courses, classes, "known")
        for course in courses[:most]:
            figures[f"How sure: {course.name}"] = _posterior(course, classes)
        for i, (name, figure) in enumerate(figures.items()):
            parts.append(f"<h2>{html.escape(name)}</h2>" + figure.to_html(
                full_html=False, include_plotlyjs=False, div_id=f"figure-{i}"))
    return "\n".join(parts) + "\n</html>\n"


def _bag(bag: Bag) -> str:
    told = ", ".join(f"{k} {html.escape(str(v))}" for k, v in bag.told.items())
    parts = [f"<section><h3>{html.escape(bag.name)}</h3><p>{told + '; ' if told else ''}"
             f"{bag.n} crops, of which the most attended tenth holds {bag.tenth:.0%} of the "
             "attention</p>", _row("most attended", bag.top)]
    if bag.bottom:
        parts.append(_row("least attended", bag.bottom))
    if bag.field:
        where, png = bag.field
        parts.append(f'<figure><img src="{data_uri(png)}" alt=""><figcaption>'
                     f"{html.escape(where)}: purple little attention, yellow much</figcaption>"
                     "</figure>")
    return "".join(parts) + "</section>"


def _row(text: str, instances: list[Instance]) -> str:
    figures = "".join(
        f'<figure><img src="{data_uri(i.png)}" title="{html.escape(i.object_id)}" '
        f'alt="{html.escape(i.object_id)}"><figcaption>{i.attention:.3f}</figcaption></figure>'
        for i in instances)
    return f'<div class="row"><b>{text}</b>{figures}</div>'


def _matrix(courses: list[Course], classes: list[str], what: str) -> go.Figure:
    values = matrix(courses, what)
    colours = [OKABE_ITO[i % len(OKABE_ITO)] for i in range(len(classes))]
    k = len(classes)
    scale = [(edge / k, c) for i, c in enumerate(colours) for edge in (i, i + 1)]
    text = [["" if np.isnan(v) else shown(classes[int(v)]) for v in row] for row in values]
    figure = go.Figure(go.Heatmap(
        z=[[None if np.isnan(v) else int(v) for v in row] for row in values],
        y=[shown(c.name) for c in courses], zmin=-0.5, zmax=k - 0.5, colorscale=scale, text=text,
        hovertemplate="%{y}, %{x}: %{text}<extra></extra>", ygap=1,
        colorbar={"tickvals": list(range(k)), "ticktext": list(map(shown, classes)),
                  "thickness": 12}))
    figure.update_layout(**LAYOUT, height=120 + min(900, 16 * len(courses)))
    figure.update_xaxes(title_text="frame of the sequence")
    figure.update_yaxes(autorange="reversed", type="category", automargin=True)
    return figure


def _posterior(course: Course, classes: list[str]) -> go.Figure:
    figure = go.Figure()
    for i, name in enumerate(classes):
        values = [None if np.isnan(v) else round(float(v), 4) for v in course.chances[:, i]]
        figure.add_trace(go.Scatter(
            x=course.frames.tolist(), y=values, name=shown(name), mode="lines", stackgroup="one",
            line={"width": 0.5, "color": OKABE_ITO[i % len(OKABE_ITO)]}))
    figure.update_layout(**LAYOUT, height=240)
    figure.update_xaxes(title_text="frame")
    figure.update_yaxes(range=[0, 1], title_text="probability")
    return figure
