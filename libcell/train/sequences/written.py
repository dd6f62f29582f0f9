"""Orders of stages that a table writes out, one a sequence, where no frame has a stage."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from libcell.data import matrix
from libcell.errors import DataError
from libcell.train.sequences.courses import Course, Material
from libcell.train.sequences.truth import read

NAME, STAGES = "sequence_id", "stages"


def orders(path: str) -> dict[str, list[str]]:
    """Stages in their order by sequence, from a table (CSV or Parquet) with columns sequence_id
    and stages, as `Interphase>Prophase>Metaphase`. DataError for a sequence named twice or
    without a stage."""
    table = read(Path(path))
    names, texts = (matrix.column_text(table, c, "--orders") for c in (NAME, STAGES))
    made: dict[str, list[str]] = {}
    for name, text in zip(names, texts):
        found = [part.strip() for part in str(text or "").split(">")]
        if not all(found):
            raise DataError(f"{path}: sequence {name}: {text!r} is no order; expected stages with "
                            "> between")
        if str(name) in made:
            raise DataError(f"{path}: names sequence {name} twice")
        made[str(name)] = found
    return made


def spread(
    index: pa.Table, courses: Sequence[Course], told: dict[str, list[str]], column: str, path: str
) -> pa.Table:
    """The index with `column`, each sequence's stages spread evenly over its frames: what splits
    and classes are made from, and nothing is learnt from. DataError where a sequence has fewer
    frames than stages, or the store none of the table's sequences."""
    values: list[str | None] = [None] * index.num_rows
    for one in courses:
        stages = told.get(one.name, [])
        if len(stages) > len(one):
            raise DataError(f"{path}: sequence {one.name} has {len(one)} frames and "
                            f"{len(stages)} stages; every stage takes a frame at least")
        for row, place in zip(one.rows, _places(len(one), len(stages))):
            if row >= 0:
                values[row] = stages[place]
    if not any(one.name in told for one in courses):
        raise DataError(f"{path}: names no sequence of the crop store, such as "
                        f"{courses[0].name if courses else 'none'}")
    if column in index.column_names:
        index = index.drop_columns([column])
    return index.append_column(column, pa.array(values, pa.string()))


def ordered(made: Material, told: dict[str, list[str]]) -> Material:
    """The material whose sequences have their own orders, though crops may be in several."""
    number = {str(name): i for i, name in enumerate(made.classes)}
    courses = {}
    for part, some in made.courses.items():
        known = [(c, np.array([number[s] for s in told[c.name]])) for c in some if c.name in told]
        courses[part] = [replace(c, y=stages[_places(len(c), len(stages))])
                         for c, stages in known]
    return Material(made.plan, courses)


def _places(frames: int, stages: int) -> np.ndarray:
    """int (frames,): which of the stages each frame has; none where there are no stages."""
    return np.arange(frames if stages else 0) * stages // max(1, frames)
