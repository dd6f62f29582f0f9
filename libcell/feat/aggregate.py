"""Profiles of wells: the median or mean of the objects in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from libcell.run.job import Job

OBJECTS = ("Metadata_Image", "Metadata_T", "Metadata_Label", "Metadata_Compartment")
COUNT = "Metadata_Object_Count"


@dataclass(frozen=True)
class Options:
    """What makes a row, and how."""

    by: Annotated[tuple[str, ...], Opt("columns whose values make a row of their own")] = (
        "Metadata_Plate", "Metadata_Well")
    statistic: Annotated[str, Opt("of the objects in each", choices=("median", "mean"))] = "median"


def run(job: Job, options: Options) -> None:
    """One row per group, with the columns that are the same for all of its objects."""
    import numpy as np

    from libcell.data import matrix, tables
    from libcell.feat.profiles import table as profile

    table = job.inputs.table("features", "embeddings")
    names = profile.feature_columns(table)
    X = matrix.matrix(table, names)
    groups = profile.group_rows(table, options.by)
    made = np.array([_statistic(X[rows], options.statistic) for rows in groups.values()])
    columns: dict[str, Any] = _metadata(table, groups, options.by)
    columns[COUNT] = np.array([len(rows) for rows in groups.values()], np.int64)
    values = made.reshape(len(groups), len(names))
    columns |= {name: values[:, i] for i, name in enumerate(names)}
    job.write_table("profiles", tables.from_columns("profiles", columns))


def _statistic(X: np.ndarray, which: str) -> np.ndarray:
    """Of the values that are there, by column (p,); NaN where there is none."""
    import warnings

    import numpy as np

    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        found = np.nanmedian(X, axis=0) if which == "median" else np.nanmean(X, axis=0)
    return np.asarray(found)


def _metadata(
    table: pa.Table, groups: dict[Any, np.ndarray], by: tuple[str, ...]
) -> dict[str, Any]:
    """Columns of the user's own that have one value in every group, those of `by` first."""
    import numpy as np

    first = np.array([rows[0] for rows in groups.values()], np.int64)
    own = [n for n in table.column_names if n.startswith("Metadata_") and n not in OBJECTS]
    found = {}
    for name in dict.fromkeys([*by, *own]):
        column = table.column(name)
        values = column.to_pylist()
        if all(len({values[i] for i in rows}) == 1 for rows in groups.values()):
            found[name] = column.take(first)
    for name in ("Metadata_Plate", "Metadata_Well"):
        found.setdefault(name, [None] * len(first))
    return found


METHOD = Method(
    name="aggregate",
    summary="Profiles of wells: the median or mean of the objects in each.",
    run=run,
    options=Options,
    reads=("features", "embeddings"),
    writes="profiles",
    suffix=".parquet",
    example="cell-feat aggregate f.parquet -o w.parquet",
    paper="Caicedo et al. 2017, doi:10.1038/nmeth.4397",
    streams=True,
)
