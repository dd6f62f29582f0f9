"""A table `planes` as something to hover over and choose from."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.explain.gather import separability
from libcell.explain.gather.examples import Examples
from libcell.explain.gather.material import Material
from libcell.explain.page.packing import density
from libcell.explain.page.sections import Column, Plane, Section

CELLS = 90  # of the density, along each axis
MOST_LABELS = 40  # values that colours and symbols can still tell apart, or nearly
MOST_COLUMNS = 12
SELECTABLE = 200_000  # rows; of more a sample is taken as a whole
KEYS = ("object_id", "Metadata_Label", "Metadata_Compartment")
FIRST = ("target", "predicted", "right")


def plane(
    name: str, title: str, table: pa.Table, known: set[str], most: int,
    first: Sequence[str] = (),
) -> Plane:
    """Points of `table`, at most `most` drawn; those are drawn first whose object_id is `known`
    to have a picture. Columns `first` to colour by come first."""
    note = ""
    if table.num_rows > SELECTABLE:
        note = f" A sample of {SELECTABLE:,} of {table.num_rows:,} objects."
        table = table.take(_spread(np.arange(table.num_rows), SELECTABLE))
    ids = table.column("object_id").to_pylist()
    positions = np.column_stack([table.column(f"plane_{i}").to_numpy() for i in (1, 2)])
    drawn = _drawn(ids, known, most)
    all_drawn = len(drawn) == len(ids)
    if not all_drawn:
        note += (f" {len(drawn):,} of {len(ids):,} objects are drawn as points; the grey behind "
                 "them counts all, and the lasso takes all.")
    return Plane(
        title, "Near points look alike to the model. Hover to see the cell; draw a lasso to list "
        f"the objects in it.{note}", name, ids, positions, drawn, columns(table, first),
        None if all_drawn else density(positions, CELLS),
        f"{len(ids):,} objects on a plane; choose some by class below.")


def _drawn(ids: list[str], known: set[str], most: int) -> np.ndarray:
    """Rows to draw, ascending: evenly spread over those with a picture, else over all."""
    having = np.array([i for i, v in enumerate(ids) if v in known], np.int64)
    return _spread(having if len(having) else np.arange(len(ids)), most)


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """All of `rows`, or `most` of them, drawn with a fixed seed: the same page each time."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))


def columns(table: pa.Table, first: Sequence[str] = ()) -> list[Column]:
    """What can be coloured by: columns of few values, and numbers."""
    names = [n for n in dict.fromkeys([*first, *FIRST, *table.column_names])
             if n in table.column_names and n not in KEYS and not n.startswith("plane_")]
    made = [c for n in names if (c := _column(n, table.column(n))) is not None]
    return made[:MOST_COLUMNS]


def _column(name: str, values: pa.ChunkedArray) -> Column | None:
    shown = name.removeprefix("Metadata_")
    kind = values.type
    if pa.types.is_floating(kind):
        return Column(shown, values.to_numpy(zero_copy_only=False).astype(float))
    coded = pc.dictionary_encode(values.cast(pa.string())).combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    labels = coded.dictionary.to_pylist()
    if len(labels) == 1 and not values.null_count:
        return None  # the same for all
    if not 1 <= len(labels) <= MOST_LABELS:
        if pa.types.is_integer(kind) and labels:
            return Column(shown, values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        return None
    order = sorted(range(len(labels)), key=lambda i: labels[i])
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels))
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Column(shown, np.where(codes < 0, -1, rank[codes]), [labels[i] for i in order])


def sections(
    material: Material, crops: Examples, most: int, colour: Sequence[str]
) -> list[Section]:
    """Every table `planes`, with what predictions say of its objects, at most `most` of them drawn,
    `colour` first to colour by; then the figures of planes."""
    found: list[Section] = []
    answers = [n.content for n in material.all("predictions")]
    for i, (title, one) in enumerate(material.titles("planes")):
        table = _with_answers(_placed(one.content), answers)
        if table.num_rows:
            made = plane(f"plane{i or ''}", f"Objects on a plane{title}", table, crops.known,
                         most, colour)
            crops.want(made.ids[row] for row in made.drawn.tolist())
            found.append(made)
    for title, one in material.titles("scores", separability.is_ours):
        figures = separability.section(title, one.content)
        found += [figures] if figures else []
    return found


def _placed(table: pa.Table) -> pa.Table:
    """Rows with a position: another program may have rows that it could not place."""
    return table.filter(pc.and_(pc.is_finite(table.column("plane_1")),
                                pc.is_finite(table.column("plane_2"))))


def _with_answers(table: pa.Table, predictions: Sequence[pa.Table]) -> pa.Table:
    """The table with target, prediction and whether it is right, of the first predictions that
    know its objects, where it lacks them."""
    ids = table.column("object_id").to_pylist()
    for one in predictions:
        place = {v: i for i, v in enumerate(one.column("object_id").to_pylist())}
        where = pa.array([place.get(i) for i in ids], pa.int64())
        if where.null_count == len(ids):
            continue
        for name in ("target", "predicted", "split"):
            if name not in table.column_names:
                table = table.append_column(name, one.column(name).take(where))
        break
    if "right" not in table.column_names and {"target", "predicted"} <= set(table.column_names):
        right = pc.if_else(pc.equal(table.column("target"), table.column("predicted")),
                           "right", "wrong")
        table = table.append_column("right", right)
    return table
