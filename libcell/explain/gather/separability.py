"""Figures of a plane as a table `scores`, and as a section."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from libcell.data import tables
from libcell.explain.page.sections import Section, Table

if TYPE_CHECKING:
    from libcell.explain.kernels.separability import Figure

ABOUT = "Metadata_Column"  # the column whose values a figure is about
PLANE = "_plane"
# metric -> name, what is best, metric that says what chance or an ideal would give
SHOWN = {
    "silhouette": ("silhouette, -1 to 1", "1", None),
    "knn_purity": ("neighbours of the same class", "1", "knn_purity_chance"),
    "batch_entropy": ("batches among neighbours, entropy", "1", None),
    "batch_lisi": ("batches among neighbours, number (LISI)", "as many as in all",
                   "batch_lisi_best"),
    "kbet_accepted": ("neighbourhoods with batches like all (kBET)", "0.95", None),
}


def score_table(figures: "Mapping[str, Mapping[str, Sequence[Figure]]]") -> pa.Table:
    """Table `scores` from figures by suffix ("" in the table, `_plane` on the plane) and column."""
    rows = [
        {"metric": f.metric + place, "value": f.value, "low": None, "high": None, "n": f.n,
         "split": None, "label": f.label, "group": None, ABOUT: column}
        for place, by_column in figures.items() for column, some in by_column.items()
        for f in some
    ]
    names = ("metric", "value", "low", "high", "n", "split", "label", "group", ABOUT)
    return tables.from_columns("scores", {n: [r[n] for r in rows] for n in names})


def is_ours(table: pa.Table) -> bool:
    """Whether a table `scores` holds figures of a plane."""
    return ABOUT in table.column_names


def section(name: str, table: pa.Table) -> Section | None:
    """Overall figures in the table and on the plane, beside what chance would give."""
    found: dict[tuple[str, str], Any] = {
        (r[ABOUT], r["metric"]): r["value"] for r in table.to_pylist() if r["label"] is None}
    shown = []
    for column in dict.fromkeys(c for c, _ in found):
        for metric, (text, best, chance) in SHOWN.items():
            if (column, metric) in found:
                beside = found.get((column, chance)) if chance else None
                shown.append([column.removeprefix("Metadata_"), text, _told(found[column, metric]),
                              _told(found.get((column, metric + PLANE))), best, _told(beside)])
    if not shown:
        return None
    return Table(
        f"How far classes lie apart{name}", "Computed in the columns that were laid on the plane, "
        "and on the plane itself: where the two differ, believe the first. Classes should lie "
        "apart, batches should not.",
        ["column", "figure", "in the table", "on the plane", "best", "chance, or all rows"], shown)


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
