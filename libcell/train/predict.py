"""A model's class and probabilities for every row of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from libcell.run.job import Job

ROWS = 65_536  # of one block
KEYS = ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Image", "Metadata_T",
        "Metadata_Label", "Metadata_Compartment")


@dataclass(frozen=True)
class Options:
    """Which model, and what is already known of the rows."""

    model: Annotated[str, Opt("model that `cell-train` made", ("-m", "--model"), path=True)]
    target: Annotated[str | None, Opt("column with the known class [the model's target]")] = None


def run(job: Job, options: Options) -> None:
    """Predict block by block."""
    from pathlib import Path

    from libcell.data import matrix, models, tables

    path = Path(options.model)
    card = models.load_card(path)
    table = job.inputs.table(card["input"]["kind"])
    models.require_columns(card, table.column_names, path)
    if options.target:
        matrix.column_text(table, options.target, "--target")  # an error if there is none
    scratch = job.parts / "input.arrow"
    tables.write_part(scratch, table)
    blocks = [
        Block(f"rows {i}", {"table": scratch, "start": i, "model": path,
                            "target": options.target or card["target"]})
        for i in range(0, max(table.num_rows, 1), ROWS)
    ]
    job.table("predictions", "predict", predict_rows, blocks)


def predict_rows(table: Path, start: int, model: Path, target: str) -> pa.Table:
    """Table `predictions` of rows start : start + 65536."""
    import numpy as np

    from libcell.data import matrix, models, tables
    from libcell.nn import forest_arrays, forest_walk
    from libcell.train.kernels.cleaning import refuse_infinite

    card = models.load_card(model)
    arrays = forest_arrays.ForestArrays.from_tensors(models.load_tensors(model))
    rows = tables.read_part(table).slice(start, ROWS)
    X = matrix.matrix(rows, card["input"]["columns"])
    refuse_infinite(X, card["input"]["columns"])
    proba = forest_walk.predict_proba(arrays, X)
    classes = np.array(card["classes"], dtype=object)
    own = {n: rows.column(n) for n in rows.column_names if n.startswith("Metadata_")}
    told = target in rows.column_names
    columns = {
        "object_id": rows.column("object_id"),
        **{k: own.pop(k) for k in list(own) if k in KEYS},
        "target": matrix.column_text(rows, target, "--target") if told else [None] * len(X),
        "predicted": classes[proba.argmax(axis=1)] if len(X) else [],
        "split": matrix.parts_of(rows, card["split"]),
        **own,
        **{f"p_{c}": proba[:, i] for i, c in enumerate(classes)},
    }
    return tables.from_columns("predictions", columns)


METHOD = Method(
    name="predict",
    summary="A model's class and probabilities for every row of a table.",
    run=run,
    options=Options,
    reads=("features", "embeddings"),
    writes="predictions",
    suffix=".parquet",
    example="cell-train predict f.parquet -m c.model -o p.parquet",
    streams=True,
)
