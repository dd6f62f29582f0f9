"""The course of a training without labels as one SVG file: what is told of classes, epoch by
epoch, beside the untrained backbone, and whether embeddings keep filling their space."""

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2

NAME = "curves.svg"
WIDTH, HEIGHT = 460, 130  # of a panel's plot, in SVG units
COLOURS = ("#0072B2", "#D55E00", "#009E73")
PANELS = {  # title: part, figures
    "balanced accuracy on held-out groups": ("validation", ("linear", "neighbours")),
    "directions that embeddings differ in (rank)": ("validation", ("rank",)),
    "spread of unit embeddings (0: collapsed, 1: every direction alike)": (
        "validation", ("spread",)),
    "what the teacher's answer tells of a picture, nats": ("train", ("information", "kl")),
    "loss": ("train", ("loss",)),
}


def draw(
    history: Iterable[Mapping[str, Any]], untrained: Mapping[str, float], classes: int
) -> str:
    """SVG text from the rows of table `curves`; `untrained` are figures to compare with, and
    `classes` how many there are to guess among (0: none are known)."""
    courses: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in history:
        courses.setdefault((row["part"], row["metric"]), []).append((row["epoch"], row["value"]))
    last = max(epoch for course in courses.values() for epoch, _ in course)
    made = []
    for title, (part, names) in PANELS.items():
        lines = [(n, courses[part, n], False) for n in names if (part, n) in courses]
        lines += [(f"{n}, untrained", [(1, untrained[n]), (last, untrained[n])], True)
                  for n in names if lines and n in untrained]
        if lines:
            chance = 1 / classes if classes and "linear" in names else None
            made.append(_panel(title, lines, last, chance))
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    text = resources.files("libcell.train.selfsup").joinpath("templates", "course.svg.j2")
    return environment.from_string(text.read_text("utf-8")).render(
        panels=made, w=WIDTH, h=HEIGHT, epochs=[(_x(e, last), str(e)) for e in _epochs(last)])


def _panel(
    title: str, lines: Sequence[tuple[str, list[tuple[int, float]], bool]], last: int,
    chance: float | None,
) -> dict[str, Any]:
    values = [v for _, course, _ in lines for _, v in course]
    low, high = min([0.0, *values]), max(values)
    high = high if high > low else low + 1.0
    if chance is not None:
        title = f"{title} (chance {chance:.2g})"

    def y(value: float) -> float:
        return round(HEIGHT * (1 - (value - low) / (high - low)), 2)

    return {"title": title, "ticks": [(y(t), f"{t:.3g}") for t in (low, (low + high) / 2, high)],
            "lines": [_line(name, [(_x(e, last), y(v)) for e, v in course], still, k)
                      for k, (name, course, still) in enumerate(lines)]}


def _line(name: str, at: list[tuple[float, float]], still: bool, k: int) -> dict[str, Any]:
    return {"name": name, "still": still, "colour": COLOURS[k % 2 if still else k],
            "path": "M" + "L".join(f"{x} {y}" for x, y in at), "dots": [] if still else at}


def _x(epoch: int, last: int) -> float:
    return round((epoch - 1) / max(1, last - 1) * WIDTH, 2)


def _epochs(last: int) -> list[int]:
    """A few round numbers of epochs along the axis, the first and the last among them."""
    step = max(1, 10 ** math.floor(math.log10(last)) // 2)
    return sorted({1, last, *(e for e in range(step, last - step // 2 + 1, step))})
