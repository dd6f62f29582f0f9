"""Columns that say something, and each thing once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What is dropped, in the order of the options."""

    location: Annotated[bool, Opt("keep positions in the image and numbers of objects",
                                  ("--location",))] = False
    missing: Annotated[float, Opt("drop columns with more than this part missing",
                                  least=0, most=1)] = 0.05
    min_variance: Annotated[float, Opt("drop columns with a variance not above this",
                                       least=0)] = 0.0
    frequency: Annotated[float, Opt("drop columns whose second most frequent value is rarer than "
                                    "this part of the first", least=0, most=1)] = 0.05
    unique: Annotated[float, Opt("drop columns with fewer different values than this part of the "
                                 "rows", least=0, most=1)] = 0.01
    correlation: Annotated[float, Opt("drop one of two columns correlated above this; 1: none",
                                      least=0, most=1)] = 0.9
    outliers: Annotated[float | None, Opt("drop columns with a value farther than this from 0; "
                                          "of normalized tables", least=0)] = None


def run(job: Job, options: Options) -> None:
    """Drop step by step; later steps see what earlier ones left."""
    import numpy as np

    from libcell.data import matrix
    from libcell.errors import DataError
    from libcell.feat.profiles import table as profile

    table = job.inputs.table(*profile.KINDS)
    if not table.num_rows:
        raise DataError("the table has no row; there is nothing to choose columns by")
    names = np.array(profile.feature_columns(table), dtype=object)
    every = len(names)
    X = matrix.matrix(table, names.tolist(), order="F")
    dropped: dict[str, int] = {}
    for reason, step in _steps(options, names):
        out = step(X) if X.shape[1] else np.zeros(0, bool)
        dropped[reason] = int(out.sum())
        table = table.drop_columns(names[out].tolist())
        names, X = names[~out], X.T[~out].T  # of the same order
        if not len(names):
            raise DataError(f"all {every} columns are dropped, the last as {reason}; "
                            "choose less narrowly")
    told = ", ".join(f"{n} {reason}" for reason, n in dropped.items() if n)
    job.reporter.note(f"{len(names)} of {every} columns kept" + (f"; dropped: {told}" * bool(told)))
    job.write_table(profile.kind_of(table), table)


def _steps(
    options: Options, names: np.ndarray
) -> list[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    import numpy as np

    from libcell.feat.profiles import thinning
    from libcell.schema.columns import LOCATION

    place = np.array([not options.location and bool(LOCATION.fullmatch(n)) for n in names])
    found: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [
        ("location", lambda X: place),
        ("missing", lambda X: thinning.missing(X, options.missing)),
        ("constant", lambda X: thinning.constant(X, options.min_variance)),
        ("nearly constant", lambda X: thinning.near_constant(
            X, options.frequency, options.unique)),
        ("the same as another", thinning.duplicate),
    ]
    if options.outliers is not None:
        most = options.outliers
        found.append(("outlying", lambda X: thinning.outlying(X, most)))
    if options.correlation < 1:
        found.append(("correlated", lambda X: thinning.correlated(X, options.correlation)))
    return found


METHOD = Method(
    name="select",
    summary="Columns that say something, and each thing once.",
    run=run,
    options=Options,
    reads=("features", "embeddings", "profiles"),
    writes="features",
    suffix=".parquet",
    example="cell-feat select z.parquet --correlation 0.95 -o s.parquet\n"
            "cell-feat normalize f.parquet -o - | cell-feat select - -o s.parquet",
    paper="Caicedo et al. 2017, doi:10.1038/nmeth.4397",
    streams=True,
)
