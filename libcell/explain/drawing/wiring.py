"""A connectome with its neurons coloured by activity, one panel per class, as SVG.

Drawn by a template, as gates are: it opens in any browser and goes into a paper as it is.
"""

from importlib import resources
from typing import Any

import jinja2
import numpy as np
import pyarrow as pa
from plotly.colors import diverging, unlabel_rgb

from libcell.explain.drawing.overlay import CIVIDIS, coloured
from libcell.nn.connectome.graph import ROLES, Graph

PANEL, HEIGHT, TOP = 330, 640, 46
COLUMNS = (70, 165, 260)
PUOR = np.array([unlabel_rgb(c) for c in diverging.PuOr]) / 255
NAMED = 3  # neurons per role whose name is written: those that stand out most


def draw(table: pa.Table, graph: Graph) -> str:
    """SVG text from table `neurons`. Of several classes the colour is the difference from their
    mean, in standard deviations of all neurons' differences; of one it is the activity itself."""
    names = list(dict.fromkeys(table.column("explained").to_pylist()))
    activity = np.array([_activity(table, name) for name in names])
    shown, scale = activity, CIVIDIS
    if len(names) > 1:
        apart = activity - activity.mean(axis=0, keepdims=True)  # NaN where nothing reaches
        shown, scale = 0.5 + apart / (6 * max(float(np.nanstd(apart)), 1e-12)), PUOR
    else:
        shown = activity / max(float(np.nanmax(activity)), 1e-12)
    places = _places(graph)
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    text = resources.files("libcell.explain.drawing").joinpath("templates", "wiring.svg.j2")
    return environment.from_string(text.read_text("utf-8")).render(
        panels=[{"name": name, "neurons": _neurons(values, graph, places, scale)}
                for name, values in zip(names, shown)],
        lines=[(*places[a], *places[b]) for a, b in graph.edges.tolist()],
        roles=list(zip(COLUMNS, ROLES)), w=PANEL, h=HEIGHT,
        legend=("difference from the mean of classes: purple more, orange less"
                if len(names) > 1 else "activity: yellow high, blue low"))


def _activity(table: pa.Table, name: str) -> np.ndarray:
    rows = [i for i, v in enumerate(table.column("explained").to_pylist()) if v == name]
    values = table.column("activity").take(pa.array(rows)).to_pylist()
    return np.array([np.nan if v is None else v for v in values])


def _places(graph: Graph) -> list[tuple[float, float]]:
    """A column per role, neurons in their order."""
    made: list[tuple[float, float]] = [(0.0, 0.0)] * len(graph)
    for role, x in enumerate(COLUMNS):
        members = np.flatnonzero(graph.roles == role)
        step = (HEIGHT - TOP - 24) / max(1, len(members) - 1)
        for k, i in enumerate(members.tolist()):
            made[i] = (float(x), round(TOP + k * step, 1))
    return made


def _neurons(values: np.ndarray, graph: Graph, places: list[tuple[float, float]],
             scale: np.ndarray) -> list[dict[str, Any]]:
    colours = (coloured(np.nan_to_num(values, nan=0.5)[None], scale)[0] * 255).round().astype(int)
    apart = np.abs(np.nan_to_num(values, nan=0.5) - np.nanmean(values))
    named = {int(i) for role in range(len(ROLES))
             for i in sorted(np.flatnonzero(graph.roles == role), key=lambda i: -apart[i])[:NAMED]}
    return [{"x": x, "y": y, "name": graph.names[i], "told": i in named,
             "fill": "#ffffff" if np.isnan(values[i]) else "#{:02x}{:02x}{:02x}".format(*c)}
            for i, ((x, y), c) in enumerate(zip(places, colours.tolist()))]
