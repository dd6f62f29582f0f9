"""Features on one scale, plate by plate, from the control wells or all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import numpy as np

    from libcell.run.job import Job

AT_ONCE = 16  # columns that are scaled together, so that only theirs are held twice


@dataclass(frozen=True)
class Options:
    """Which scale, learnt from which rows."""

    scale: Annotated[str, Opt(
        "z: mean and sd; robust-z: median and MAD; sphere: uncorrelated as well",
        choices=("z", "robust-z", "sphere"))] = "z"
    by: Annotated[tuple[str, ...], Opt("columns whose values are scaled apart; all: none")] = (
        "Metadata_Plate",)
    controls: Annotated[tuple[str, ...], Opt(
        "COLUMN=VALUE: rows that the scale is learnt from [all]")] = ()
    sphering: Annotated[str, Opt("kind of whitening", choices=(
        "ZCA-cor", "ZCA", "PCA-cor", "PCA"))] = "ZCA-cor"


def run(job: Job, options: Options) -> None:
    """Learn and apply the scale group by group."""
    import numpy as np

    from libcell.data import matrix
    from libcell.errors import DataError
    from libcell.feat.profiles import table as profile

    table = job.inputs.table(*profile.KINDS)
    names = profile.feature_columns(table)
    X = matrix.matrix(table, names, order="F")
    X[~np.isfinite(X)] = np.nan
    controls = profile.rows_where(table, options.controls)
    by = () if options.by == ("all",) else options.by
    groups = []  # name, rows, and those that the scale is learnt from
    for group, rows in profile.group_rows(table, by).items():
        name = "/".join(str(g) for g in group if g is not None) or "the table"
        learnt = rows[controls[rows]]
        if not len(learnt):
            raise DataError(f"{name}: has none of the controls")
        groups.append((name, rows, learnt))
    flat = 0
    width = len(names) if options.scale == "sphere" else AT_ONCE  # which mixes columns
    for first in range(0, len(names), width):
        part = X[:, first : first + width]
        missing = np.isnan(part)
        for name, rows, learnt in groups:
            try:
                part[rows] = _scale(part[learnt], options)(part[rows])
            except DataError as error:
                raise DataError(f"{name}: {error}") from error
        flat += int((np.isnan(part) & ~missing).any(axis=0).sum())
    if flat:
        job.reporter.warn(f"{flat} of {len(names)} columns do not vary in some group: undefined "
                          "there (cell-feat select drops them)")
    table = profile.with_matrix(table, names, X)  # what was is let go
    job.write_table(profile.kind_of(table), table)


def _scale(X: np.ndarray, options: Options) -> Any:
    from libcell.feat.profiles import scaling

    if options.scale == "sphere":
        return scaling.sphere(X, options.sphering)
    return scaling.z(X) if options.scale == "z" else scaling.robust_z(X)


METHOD = Method(
    name="normalize",
    summary="Features on one scale, plate by plate, from the control wells or all.",
    run=run,
    options=Options,
    reads=("features", "embeddings", "profiles"),
    writes="features",
    suffix=".parquet",
    example="cell-feat normalize f.parquet --scale robust-z \\\n"
            "  --controls Metadata_Compound=DMSO -o z.parquet",
    paper="Caicedo et al. 2017, doi:10.1038/nmeth.4397; Kessy et al. 2018, "
          "doi:10.1080/00031305.2016.1277159 (sphering)",
    streams=True,
)
