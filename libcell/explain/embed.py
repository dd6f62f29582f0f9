"""Embeddings or features laid on a plane, and figures that say how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from libcell.explain.kernels.separability import Figure
    from libcell.run.job import Job

JUDGED = 50  # principal components of the table that figures are computed in
FEW = 2


@dataclass(frozen=True)
class Options:
    """How rows are laid on the plane, what they are coloured by, and what batches are."""

    method: Annotated[str, Opt("pca keeps distances, tsne and umap (extra `umap`) neighbours")
                      ] = "pca"
    colour: Annotated[tuple[str, ...], Opt("columns to colour by; how far the values of text "
                                           "columns lie apart is told in figures")] = ()
    join: Annotated[tuple[str, ...], Opt("tables with further columns, by object_id: predictions",
                                         path=True)] = ()
    batch: Annotated[str | None, Opt("column whose values ought to be mixed "
                                     "[Metadata_Plate, where there are two or more]")] = None
    families: Annotated[tuple[str, ...], Opt("use features of these families")] = ()
    channels: Annotated[tuple[str, ...], Opt("use features of these channels")] = ()
    compartments: Annotated[tuple[str, ...], Opt("use features of these, e.g. Nuclei")] = ()
    missing: Annotated[str, Opt("what goes where values are NaN or infinite",
                                choices=("refuse", "rows", "columns"))] = "refuse"
    scale: Annotated[str, Opt("standard: every column weighs the same; auto: of features, not of "
                              "embeddings", choices=("auto", "standard", "none"))] = "auto"
    rows: Annotated[int | None, Opt("lay a sample of so many rows [tsne 10000, umap 50000, "
                                    "pca all]", least=3)] = None
    neighbours: Annotated[int, Opt("of umap, and of the figures", least=2)] = 15
    min_dist: Annotated[float, Opt("of umap: how close points may lie", least=0, most=1)] = 0.1
    perplexity: Annotated[float, Opt("of tsne: about how many neighbours count", least=1)] = 30.0


def run(job: Job, options: Options) -> None:
    """Read, choose columns, lay them, judge, write."""
    from libcell.data import tables
    from libcell.explain import planes
    from libcell.explain.kernels import plain_columns, separability

    way = planes.load(options.method)
    table = joined(job.inputs.table("features", "embeddings"), options.join)
    _require_columns(table, options)
    X, rows, names = _matrix(table, options)
    drawn = separability.sample(len(X), options.rows or way.MOST, job.seed)
    _tell(job, table.num_rows, len(rows), len(drawn))
    X, table = X[drawn], table.take(rows[drawn])
    if _standard(table, options):
        X = plain_columns.scaled(X)
    judged = plain_columns.narrowed(X, JUDGED)
    settings = planes.Settings(job.seed, options.perplexity, options.neighbours, options.min_dist)
    place = way.place(X if way.WIDEST > JUDGED else judged, settings)
    figures = {"": _figures(judged, table, options, job.seed),
               "_plane": _figures(place, table, options, job.seed)}
    made = tables.from_columns("planes", {
        n: table.column(n) for n in table.column_names if n not in names and not _feature(n)
    } | {"plane_1": place[:, 0], "plane_2": place[:, 1]})
    _write(job, options, made, figures)


def joined(table: pa.Table, paths: tuple[str, ...]) -> pa.Table:
    """`table` with the columns of further ones that it lacks, by object_id; null where a table
    does not know an object."""
    from pathlib import Path

    import pyarrow as pa

    from libcell.data import tables
    from libcell.schema.tables import TABLES

    keyed = [n for n, m in TABLES.items() if "object_id" in m.model_fields]
    for path in map(Path, paths):
        other = tables.read(path, *keyed)
        place = {v: i for i, v in enumerate(other.column("object_id").to_pylist())}
        where = pa.array([place.get(v) for v in table.column("object_id").to_pylist()], pa.int64())
        for name in other.column_names:
            if name not in table.column_names:
                table = table.append_column(name, other.column(name).take(where))
    return table


def _require_columns(table: pa.Table, options: Options) -> None:
    from libcell.errors import DataError

    asked = [*options.colour, *([options.batch] if options.batch else [])]
    unknown = [n for n in asked if n not in table.column_names]
    if unknown:
        own = [n for n in table.column_names if not _feature(n) and n != "object_id"]
        raise DataError(f"no column {unknown[0]!r}; there are {', '.join(own)} and those of the "
                        "features (columns of another table: --join TABLE)")


def _feature(name: str) -> bool:
    """Whether a column is no key and nothing that came with a join."""
    from libcell.schema.columns import NOT_FEATURES

    return not NOT_FEATURES.fullmatch(name)


def _matrix(table: pa.Table, options: Options) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The columns to lay, float (m, p) without gaps, the rows they are of, and their names."""
    from libcell.data import matrix
    from libcell.explain.kernels.plain_columns import without_gaps
    from libcell.schema.columns import choose_columns

    numbers = [n for n in matrix.numeric_columns(table) if n not in options.colour]
    names = choose_columns(
        numbers, compartments=options.compartments or None, families=options.families or None,
        channels=options.channels or None)
    return without_gaps(matrix.matrix(table, names), names, options.missing)


def _standard(table: pa.Table, options: Options) -> bool:
    if options.scale == "auto":
        return not any(n.startswith("emb_") for n in table.column_names)
    return options.scale == "standard"


def _tell(job: Job, total: int, whole: int, drawn: int) -> None:
    if whole < total:
        job.reporter.warn(f"{total - whole} of {total} rows have gaps and are left out")
    if drawn < whole:
        job.reporter.warn(f"a sample of {drawn} of {whole} rows is laid (--rows)")


def _figures(X: np.ndarray, table: pa.Table, options: Options, seed: int) -> dict[str, Any]:
    """Figures by the column that they are about: text to colour by, then the batch."""
    import numpy as np

    from libcell.explain.kernels import separability

    found: dict[str, list[Figure]] = {}
    texts = [c for c in options.colour if _is_text(table, c)]
    for column in texts:
        labels = _labels(table, column)
        some = np.array([v is not None for v in labels], bool)
        made = separability.class_figures(
            X[some], labels[some].astype(str), options.neighbours, seed) if some.any() else []
        if made:
            found[column] = made
    batch = options.batch or _batch(table)
    if batch:
        values = _labels(table, batch)
        some = np.array([v is not None for v in values], bool)
        classes = _labels(table, texts[0]) if texts else None
        if classes is not None:
            some &= np.array([v is not None for v in classes], bool)
            classes = classes[some].astype(str)
        found[batch] = found.get(batch, []) + separability.batch_figures(
            X[some], values[some].astype(str), classes, options.neighbours, seed)
    return found


def _is_text(table: pa.Table, column: str) -> bool:
    import pyarrow as pa

    return not pa.types.is_floating(table.schema.field(column).type)


def _labels(table: pa.Table, column: str) -> np.ndarray:
    from libcell.data import matrix

    return matrix.column_text(table, column, "--colour")


def _batch(table: pa.Table) -> str | None:
    name = "Metadata_Plate"
    there = name in table.column_names and len(set(table.column(name).to_pylist()) - {None}) >= FEW
    return name if there else None


def _write(job: Job, options: Options, made: pa.Table, figures: dict[str, Any]) -> None:
    """The table, or a bundle of it, its figures and a page to look at."""
    from libcell.data import tables
    from libcell.explain.gather.separability import score_table

    told = {f"{f.metric}{place}": f.value for place, by_column in figures.items()
            for some in by_column.values() for f in some if f.label is None}
    if job.output is None or job.kind == "planes":
        job.write_table("planes", made, **told)
        return
    job.root.mkdir(exist_ok=True)
    scores = score_table(figures)
    for name, table in (("planes", made), ("scores", scores)):
        tables.write_parts(job.root / f"{name}.parquet", [table], table.schema, name,
                           job.provenance())
    from libcell.explain.gather.alone import plane_page

    page = plane_page(made, scores, options.method, options.colour, job.provenance())
    (job.root / "plane.html").write_text(page, "utf-8")
    job.publish("bundle", made.num_rows, **told)


METHOD = Method(
    name="embed",
    summary="Embeddings or features on a plane: PCA, t-SNE or UMAP, and how far classes lie apart.",
    run=run,
    options=Options,
    reads=("embeddings", "features"),
    writes="planes",
    suffix=".parquet",
    also=(("bundle", ".bundle"),),
    streams=True,
    example="cell-explain embed e.parquet --method tsne --colour Metadata_Condition "
            "-o plane.bundle",
    paper="van der Maaten and Hinton 2008; McInnes et al. 2018, arXiv:1802.03426; kBET: Buettner "
          "et al. 2019, doi:10.1038/s41592-018-0254-1; LISI: Korsunsky et al. 2019, "
          "doi:10.1038/s41592-019-0619-0",
)
