"""Stages over time: what a model of sequences saw in each frame, and how sure it was."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.data.grouped import members
from libcell.errors import DataError


@dataclass(frozen=True)
class Course:
    """One sequence of n frames: `frames` (n,), `chances` (n,k) NaN in gaps, places of the
    `predicted` and `known` classes (n,), -1 where there is none."""

    name: str
    frames: np.ndarray
    chances: np.ndarray
    predicted: np.ndarray
    known: np.ndarray


def of_tables(predicted: pa.Table, sequences: pa.Table, where: str
              ) -> tuple[list[str], list[Course]]:
    """The classes, and the course of every sequence that was predicted; DataError if none was."""
    classes = [c.removeprefix("p_") for c in predicted.column_names if c.startswith("p_")]
    place = pc.index_in(sequences.column("object_id"), value_set=predicted.column("object_id"))
    at = place.fill_null(-1).to_numpy()
    if not (at >= 0).any():
        raise DataError(f"{where}: its sequences hold none of the predicted objects; give the crop "
                        "store that was predicted")
    chances = np.column_stack([predicted.column(f"p_{c}").to_numpy() for c in classes])
    number = {c: i for i, c in enumerate(classes)}
    seen, known = (np.array([number.get(v, -1) for v in predicted.column(c).to_pylist()])
                   for c in ("predicted", "target"))
    made = []
    names = sequences.column("sequence_id").to_numpy(zero_copy_only=False)
    position = sequences.column("position").to_numpy()
    frames = sequences.column("Metadata_T").to_numpy()
    found = {name: k for k, name in enumerate(dict.fromkeys(names.tolist()))}
    index = np.array([found[name] for name in names.tolist()], np.int64)
    for name, rows in zip(found, members(index, len(found))):
        rows = rows[np.argsort(position[rows], kind="stable")]
        own = at[rows]
        if (own < 0).all():
            continue
        there = own >= 0
        course = Course(name, frames[rows], np.full((len(rows), len(classes)), np.nan),
                        np.full(len(rows), -1), np.full(len(rows), -1))
        course.chances[there] = chances[own[there]]
        course.predicted[there], course.known[there] = seen[own[there]], known[own[there]]
        made.append(course)
    return classes, made


def matrix(courses: list[Course], what: str) -> np.ndarray:
    """(sequences, longest) float: places of `predicted` or `known` classes, NaN where none is."""
    made = np.full((len(courses), max(len(c.frames) for c in courses)), np.nan)
    for row, course in zip(made, courses):
        values = getattr(course, what)
        row[: len(values)] = np.where(values >= 0, values, np.nan)
    return made
