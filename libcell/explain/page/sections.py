"""What a report shows, one dataclass per kind of section; `render` turns them into HTML."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True)
class Picture:
    """A crop as PNG bytes, with the object it shows."""

    object_id: str
    png: bytes
    caption: str = ""
    wide: bool = False  # two pictures side by side


@dataclass(frozen=True)
class Section:
    """Base: a heading, and a sentence that says how to read what follows."""

    template: ClassVar[str]

    title: str
    about: str


@dataclass(frozen=True)
class Figures(Section):
    """Key figures: (value, what it counts)."""

    template = "figures"
    values: list[tuple[str, str]]


@dataclass(frozen=True)
class Table(Section):
    """A small table; numbers are formatted by whoever fills it."""

    template = "table"
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Chart(Section):
    """A plotly figure as its JSON value, with the text that stands for it without JavaScript."""

    template = "chart"
    name: str
    figure: dict[str, Any]
    alternative: str
    # object_ids of the report's `thumbs`, by the customdata of what is clicked
    examples: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column that the points of a plane can be coloured by.

    Either `labels`, the values that occur, and `values`, a row's place among them, int (n,), -1
    where it has none; or no labels, and `values` numbers (n,), NaN where there is none.
    """

    name: str
    values: np.ndarray
    labels: list[str] | None = None


@dataclass(frozen=True)
class Plane(Section):
    """Objects at positions (n, 2): to hover over, to colour, and to choose with a lasso.

    All can be chosen; only those of the rows `drawn` (m,) are drawn as points, and may have one
    of the report's `thumbs`; where that is not all, `density` (b, b) counts them all in a grid
    over the span of the positions.
    """

    template = "plane"
    name: str
    ids: list[str]
    positions: np.ndarray
    drawn: np.ndarray
    columns: list[Column]
    density: np.ndarray | None
    alternative: str


@dataclass(frozen=True)
class Gallery(Section):
    """Pictures of single objects."""

    template = "gallery"
    pictures: list[Picture]


@dataclass(frozen=True)
class Provenance(Section):
    """How each input was made: (what, command, version, parameters as text, digest)."""

    template = "provenance"
    steps: list[dict[str, str]]


@dataclass(frozen=True)
class Report:
    """A whole report."""

    title: str
    generated_by: str
    sections: list[Section]
    warnings: list[str] = field(default_factory=list)
    thumbs: dict[str, bytes] = field(default_factory=dict)  # WebP, by object_id
