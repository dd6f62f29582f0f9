"""What a recipe must reach: numbers from the tables that it leaves, beside their bounds."""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq


@dataclass(frozen=True)
class Figure:
    """One number, called `text`; `read(out)` gives it and its bound, from a recipe's folder.

    It must be `more` than its bound, or else less.
    """

    text: str
    read: Callable[[Path], tuple[float, float]]
    more: bool = True

    def judge(self, out: Path) -> tuple[float, float, bool]:
        """The number, its bound, and whether it holds."""
        value, bound = self.read(out)
        return value, bound, value > bound if self.more else value < bound


def score(
    file: str, metric: str, bound: float | str, *, end: str = "value", model: str | None = None,
    text: str = "",
) -> Figure:
    """A metric of a table of scores, over all rows, above a number or above another metric.

    `end`: "low" takes the lower end of its interval instead. `model`: of a comparison.
    """

    def read(out: Path) -> tuple[float, float]:
        rows = [r for r in pq.read_table(out / file).to_pylist()
                if not r.get("group") and not r.get("label") and r.get("model") == model]
        found = {r["metric"]: r for r in rows}
        beside = found[bound]["value"] if isinstance(bound, str) else bound
        value = found[metric][end]
        return math.nan if value is None else value, beside  # nan is not above anything

    plain = " ".join(filter(None, (model, metric.replace("_", " "))))
    return Figure((text or plain) + (" (low end)" if end == "low" else ""), read)


def largest_shift_error(transforms: str, truth: str, bound_px: float) -> Figure:
    """How far shifts found (y, x into the reference: minus what was hidden) are off, at worst."""

    def read(out: Path) -> tuple[float, float]:
        with (out / truth).open(newline="") as file:
            hidden = {f"{r['Metadata_Well'][0]}/{r['Metadata_Well'][1:]}/{r['Metadata_Site']}":
                      (float(r["dy"]), float(r["dx"])) for r in csv.DictReader(file)}
        rows = pq.read_table(out / transforms).to_pylist()
        if len(rows) < len(hidden):
            raise ValueError(f"{out / transforms}: {len(rows)} of {len(hidden)} fields")
        errors = []
        for row in rows:
            dy, dx = hidden[row["Metadata_Image"]]
            errors.append(max(abs(row["dy"] + dy), abs(row["dx"] + dx)))
        return max(errors), bound_px

    return Figure("largest error of a hidden shift, px", read, more=False)


def rows(file: str, wanted: int) -> Figure:
    """Rows of a table, at least so many."""
    return Figure(f"{file}, rows",
                  lambda out: (pq.read_metadata(out / file).num_rows, wanted - 1))


def size(file: str, least_bytes: int) -> Figure:
    """Size of a file that must be there, such as a report."""
    return Figure(f"{file}, bytes", lambda out: ((out / file).stat().st_size, least_bytes))
