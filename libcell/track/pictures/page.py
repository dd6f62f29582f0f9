"""The page of a movie: the film beside its trees, one HTML file that needs no network."""

import html
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import numpy as np
import plotly.graph_objects as go
import plotly.offline
from markupsafe import Markup

from libcell.track.pictures.colours import Colours
from libcell.track.pictures.svg import dark
from libcell.track.pictures.tree import Branch, strokes

LINE = 16  # px from track to track
LAYOUT = {"template": "none", "font": {"family": "system-ui, sans-serif", "size": 12},
          "margin": {"l": 20, "r": 60, "t": 10, "b": 45}, "showlegend": False}


@dataclass(frozen=True)
class Film:
    """What the page says of a movie.

    figures  what is counted, in words and numbers
    movie    file name beside the page, if there is a movie
    """

    title: str
    made: str
    figures: dict[str, str]
    movie: str | None


def render(
    film: Film, families: list[list[Branch]], found: Colours, rgb: np.ndarray, ids: list[str],
    stages: list[str | None] | None,
) -> str:
    """The whole page; all that comes from data is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    trees = [{"name": f"track {f[0].track}: {len(f)} tracks, "
                      f"{sum(b.rows.size for b in f)} objects",
              "figure": figure(f, found, rgb, ids, stages)} for f in families]
    return environment.get_template("lineage.html.j2").render(
        film=film, trees=_json(trees), names=[t["name"] for t in trees],
        legend={n: dark(np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]))
                for n, c in found.names.items()},
        plotly=Markup(plotly.offline.get_plotlyjs()))


def _template(name: str) -> str:
    place = resources.files("libcell.track.pictures").joinpath("templates", name)
    return place.read_text("utf-8")


def _json(value: Any) -> Markup:
    """JSON that can stand inside a script element."""
    return Markup(json.dumps(value, sort_keys=True).replace("<", "\\u003c"))


def figure(
    family: list[Branch], found: Colours, rgb: np.ndarray, ids: list[str],
    stages: list[str | None] | None,
) -> dict[str, Any]:
    """A tree as plotly has it: a trace per colour, and every object to point at."""
    lines: dict[int, tuple[list[float | None], list[float | None]]] = {}
    for s in strokes(family, found.index):
        xs, ys = lines.setdefault(int(found.index[s.row]), ([], []))
        xs += [*s.x, None]
        ys += [*s.y, None]
    traces: list[Any] = [
        go.Scatter(x=x, y=y, mode="lines", hoverinfo="skip",
                   line={"color": dark(rgb[k]), "width": 3}) for k, (x, y) in lines.items()]
    rows = np.concatenate([b.rows for b in family]).tolist()
    told = [f"track {b.track}" for b in family for _ in b.rows]
    words = [f"{w}, frame {t}{f', {stages[r]}' if stages and stages[r] else ''}<br>{ids[r]}"
             for w, t, r in zip((html.escape(w) for w in told),
                                np.concatenate([b.t for b in family]).tolist(), rows)]
    traces.append(go.Scatter(
        x=np.concatenate([b.t for b in family]).tolist(),
        y=[b.place for b in family for _ in b.rows], mode="markers", text=words,
        marker={"size": 7, "opacity": 0.0}, hovertemplate="%{text}<extra></extra>"))
    traces.append(go.Scatter(
        x=[int(b.t[-1]) for b in family], y=[b.place for b in family], mode="text",
        text=[f" {b.track}" for b in family], textposition="middle right", hoverinfo="skip",
        textfont={"size": 10, "color": "#5a6470"}))
    made = go.Figure(traces)
    made.update_layout(**LAYOUT, height=90 + LINE * round(max(b.place for b in family) + 1))
    made.update_xaxes(title_text="frame", gridcolor="#e3e6ea", zeroline=False)
    made.update_yaxes(visible=False, autorange="reversed")
    value: dict[str, Any] = json.loads(made.to_json(engine="json"))
    return value
