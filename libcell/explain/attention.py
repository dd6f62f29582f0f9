"""What counted: crops of a bag with their attention, stages of a sequence with their certainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from libcell.explain.attended.bags import Bag
    from libcell.explain.attended.stages import Course
    from libcell.run.job import Job

TABLES = ("bags", "predictions")


@dataclass(frozen=True)
class Options:
    """Where the crops are, and how much is shown."""

    crops: Annotated[str, Opt("crop store of the instances, or of the sequences",
                              ("-c", "--crops"), path=True)]
    images: Annotated[str | None, Opt("image store: show each bag's crops in their field of view",
                                      path=True)] = None
    most: Annotated[int, Opt("bags and sequences shown one by one", least=1)] = 12
    each: Annotated[int, Opt("crops shown from either end of a bag", least=1)] = 6


def run(job: Job, options: Options) -> None:
    """Read the tables, look up the crops, write the page."""
    from pathlib import Path

    from libcell.errors import DataError
    from libcell.explain.attended import bags, page

    paths = [f for p in job.inputs.paths(*TABLES, "bundle") for f in _files(p)]
    found = {kind: some for kind in TABLES if (some := _tables(paths, kind)) is not None}
    attended, predicted = found.get("bags"), found.get("predictions")
    store = Path(options.crops)
    images = Path(options.images) if options.images else None
    shown: list[Bag] = []
    courses: list[Course] = []
    classes: list[str] = []
    if attended is not None:
        if "attention" not in attended.column_names:
            raise DataError(f"{paths[0]}: has no column attention; give the attention.parquet that "
                            "cell-train predict makes with a model of bags")
        shown = bags.of_table(attended, predicted, store, images, options.most, options.each)
    elif predicted is not None:
        classes, courses = _courses(predicted, store)
    job.root.write_text(page.page(shown, classes, courses, options.most), "utf-8")
    job.publish("report", len(shown) or len(courses))


def _files(path: Path) -> list[Path]:
    """A table, or those of the folder that `cell-train predict` makes with a model of bags."""
    if not path.is_dir():
        return [path]
    from libcell.errors import DataError

    found = [f for name in ("attention", "predictions") if (f := path / f"{name}.parquet").exists()]
    if not found:
        raise DataError(f"{path}: holds no attention.parquet; give what cell-train predict made")
    return found


def _tables(paths: list[Path], kind: str) -> pa.Table | None:
    """All tables of one kind, joined; DataError for one that is of none of `TABLES`."""
    import pyarrow as pa

    from libcell.data import tables
    from libcell.schema import versions

    own = [p for p in paths if versions.require(
        tables.mark(tables.open_parquet(p).schema_arrow), *TABLES, where=str(p)) == kind]
    if not own:
        return None
    parts = [tables.read(p, kind) for p in own]
    schema = tables.unify(parts)
    return pa.concat_tables([tables.conform(p, schema) for p in parts])


def _courses(predicted: pa.Table, store: Path) -> tuple[list[str], list[Course]]:
    from libcell.data import crops
    from libcell.errors import DataError, MissingInput
    from libcell.explain.attended import stages

    try:
        sequences = crops.open_crops(store).sequences()
    except MissingInput as error:
        if not store.exists():
            raise
        raise DataError(f"{store}: holds no sequences; give a store of cell-crop sequences, or the "
                        "attention.parquet of a model of bags") from error
    return stages.of_tables(predicted, sequences, str(store))


METHOD = Method(
    name="attention",
    summary="What counted: crops of a bag by attention, stages of a sequence over time.",
    run=run,
    options=Options,
    reads=("bags", "predictions", "bundle"),
    writes="report",
    suffix=".html",
    example="cell-explain attention predicted -c c.crops.zarr --images plate.ome.zarr -o x.html",
)
