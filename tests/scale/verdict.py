"""What the figures of a command say: a line of the table, and what falls short."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

from rich.table import Table

from tests.scale.costs import Cost
from tests.scale.growth import at, exponent, per_field, surely
from tests.scale.steps import Step

TIME = 1.15    # exponent; a sort has 1.05 at these sizes, what is quadratic has 2
MEMORY = 0.15  # of work field by field: 1.4 times for ten times the fields, till buffers are full
HELD = 1.15    # of what comes on top of a program beside a table that it holds
MILLION = 1_000_000
MB_OF_NOISE = 1e8  # counts as a second of time does: noise is 10 MB and a twentieth
NOISE = 1e7        # bytes by which two runs of one program differ


@dataclass(frozen=True)
class Line:
    """A command's costs by size; the exponents of time and memory; and `misses`, in words."""

    step: Step
    costs: dict[int, Cost]
    time: float | None
    memory: float
    misses: tuple[str, ...]

    @property
    def slow(self) -> bool:
        """Whether its time grows too fast."""
        return any(m.startswith("time") for m in self.misses)

    @property
    def last(self) -> Cost:
        """At the largest size."""
        return self.costs[max(self.costs)]

    @property
    def files(self) -> float:
        """And folders, of one more field."""
        return per_field(*self.of("files"))

    def of(self, what: str) -> tuple[list[int], list[float]]:
        """Sizes, and the costs called `what` at them."""
        sizes = sorted(self.costs)
        return sizes, [float(getattr(self.costs[n], what)) for n in sizes]


def judge(step: Step, costs: dict[int, Cost]) -> Line:
    """Fit growth through the last three sizes, and hold it against its bounds."""
    if len(costs) < 3:
        return Line(step, costs, None, 0.0, ("fewer than three sizes",))
    line = Line(step, costs, None, 0.0, ())
    sizes, times = line.of("cpu")
    steep = _memory(line)
    misses = []
    if surely(sizes, times) > TIME:
        misses.append(f"time ~ n^{surely(sizes, times):.2f}")
    if steep > (HELD if step.holds else MEMORY):
        misses.append(f"memory ~ n^{steep:.2f}")
    if line.files > step.files:
        misses.append(f"more than {step.files} files a field")
    told = exponent(sizes, times) if surely(sizes, times) else None  # else it is noise
    return Line(step, costs, told, steep, tuple(misses))


def _memory(line: Line) -> float:
    """Exponent of all memory; of a command that holds its table, of what grew."""
    sizes, memory = line.of("memory")
    if line.step.holds:
        return surely(sizes, [m / MB_OF_NOISE for m in memory])
    return log(max(memory[-1] - NOISE, 1.0) / memory[-2]) / log(sizes[-1] / sizes[-2])


def table(lines: list[Line]) -> Table:
    """All lines, for a terminal."""
    sizes = sorted({n for line in lines for n in line.costs})
    made = Table(title="CPU seconds by the number of fields of view (128 px, about ten cells), and "
                 "what the largest number took")
    columns = ["", "command", *map(str, sizes), "ms a field", "time ~ n^", "MB", "memory ~ n^",
               "files a field", "kB a field", "a million: h", "GB"]
    for heading in columns:
        made.add_column(heading, justify="left" if heading in ("", "command") else "right")
    for line in lines:
        made.add_row(*_cells(line, sizes))
    return made


def _cells(line: Line, sizes: list[int]) -> Iterator[str]:
    yield "MISS" if line.misses else "ok"
    yield f"{line.step.command}: {line.step.name}"
    yield from (f"{line.costs[n].cpu:.1f}" if n in line.costs else "" for n in sizes)
    if len(line.costs) < 3:
        return
    yield f"{1000 * per_field(*line.of('cpu')):.2f}"
    yield "-" if line.time is None else f"{line.time:.2f}"
    yield f"{line.last.memory / 1e6:.0f}"
    yield f"{line.memory:.2f}"
    yield f"{line.files:.1f}"
    yield f"{per_field(*line.of('size')) / 1000:.2f}"
    growth = line.time if line.slow else 1.0
    yield f"{at(MILLION, *line.of('cpu'), growth) / 3600:.1f}"
    yield f"{at(MILLION, *line.of('memory'), 1.0) / 1e9:.1f}"
