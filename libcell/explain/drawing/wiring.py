"""A connectome with its neurons coloured by activity, one panel per class, as SVG.

Drawn by a template, as gates are: it opens in any browser and goes into a paper as it is.
"""

from importlib import resources
from typing import Any

import jinja2
import numpy as np
import pyarrow as pa

from libcell.explain.drawing.overlay import CIVIDIS, coloured
from libcell.nn.connectome.graph import ROLES, Graph

PANEL, HEIGHT, TOP = 330, 640, 46
COLUMNS = (70, 165, 260)
NAMED = 3  # neurons per role whose name is written: the highest


def draw(table: pa.Table, graph: Graph) -> str:
    """SVG text from table `neurons`. Of several classes the colour is selectivity, of one the
    activity, in shares of the highest."""
    names = list(dict.fromkeys(table.column("explained").to_pylist()))
    what = "selectivity" if len(names) > 1 else "activity"
    values = np.array([_values(table, name, what) for name in names])
    shown = values / max(float(np.nanmax(values)), 1e-12)
    places = _places(graph)
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    text = resources.files("libcell.explain.drawing").joinpath("templates", "wiring.svg.j2")
    return environment.from_string(text.read_text("utf-8")).render(
        panels=[{"name": name, "neurons": _neurons(some, graph, places)}
                for name, some in zip(names, shown)],
        lines=[(*places[a], *places[b]) for a, b in graph.edges.tolist()],
        roles=list(zip(COLUMNS, ROLES)), w=PANEL, h=HEIGHT,
        legend=f"{what}: yellow high, blue low, white: nothing reaches it")


def _values(table: pa.Table, name: str, what: str) -> np.ndarray:
    rows = [i for i, v in enumerate(table.column("explained").to_pylist()) if v == name]
    values = table.column(what).take(pa.array(rows)).to_pylist()
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


def _neurons(values: np.ndarray, graph: Graph, places: list[tuple[float, float]]
             ) -> list[dict[str, Any]]:
    high = np.nan_to_num(values)
    colours = (coloured(high[None], CIVIDIS)[0] * 255).round().astype(int)
    named = {int(i) for role in range(len(ROLES))
             for i in sorted(np.flatnonzero(graph.roles == role), key=lambda i: -high[i])[:NAMED]}
    return [{"x": x, "y": y, "name": graph.names[i], "told": i in named,
             "fill": "#ffffff" if np.isnan(values[i]) else "#{:02x}{:02x}{:02x}".format(*c)}
            for i, ((x, y), c) in enumerate(zip(places, colours.tolist()))]
