"""A report's dataclasses to HTML: one file, no network, the same bytes for the same data."""

import base64
import json
from importlib import resources
from typing import Any

import jinja2
import plotly.offline
from markupsafe import Markup

from libcell.explain.page.packing import packed
from libcell.explain.page.sections import Chart, Plane, Report

LIMIT_BYTES = 20_000_000


def render(report: Report) -> str:
    """The whole page. Everything that comes from data is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )
    environment.filters["data_uri"] = data_uri
    environment.filters["script_json"] = script_json
    charts = [s for s in report.sections if isinstance(s, Chart)]
    planes = [s for s in report.sections if isinstance(s, Plane)]
    return environment.get_template("report.html.j2").render(
        report=report, style=Markup(_template("report.css")),
        script=Markup(_template("report.js")), plane_script=Markup(_template("plane.js")),
        near_script=Markup(_template("near.js")),
        plotly=Markup(plotly.offline.get_plotlyjs()) if charts or planes else None,
        charts={c.name: c.figure for c in charts},
        examples={c.name: c.examples for c in charts if c.examples},
        planes={p.name: packed(p) for p in planes},
        thumbs={i: base64.b64encode(webp).decode() for i, webp in report.thumbs.items()},
    )


def _template(name: str) -> str:
    return resources.files("libcell.explain.page").joinpath("templates", name).read_text("utf-8")


def data_uri(png: bytes) -> str:
    """PNG bytes as an address that needs no network."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def script_json(value: Any) -> Markup:
    """JSON that can stand inside a script element: `<` would let data end the element."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True).replace("<", "\\u003c")
    return Markup(text)
