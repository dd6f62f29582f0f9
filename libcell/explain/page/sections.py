"""What a report shows, one dataclass per kind of section; `render` turns them into HTML."""

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Picture:
    """A crop as PNG bytes, with the object it shows."""

    object_id: str
    png: bytes
    caption: str = ""


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
    examples: dict[str, list[Picture]] = field(default_factory=dict)  # by customdata of a click


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
