"""Bags and what is known of their instances: a bag table joined with embeddings or features."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.data import matrix, tables
from libcell.errors import DataError
from libcell.schema import columns, versions

KINDS = ("embeddings", "features")
AT_ONCE = 8192  # rows of a table that are looked at together
BAG = "bag"  # the compartment of a row that stands for a bag
KEYS = ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Image", "Metadata_T",
        "Metadata_Label", "Metadata_Compartment")


@dataclass(frozen=True)
class Bags:
    """`table` (b rows): `object_id` (the bag's own name), the keys of its first instance, and the
    columns alike in all instances of each bag; `instances` (m rows), bag by bag and in order:
    bag_id, object_id, position, keys and Metadata columns. Those of bag i are starts[i] :
    starts[i + 1]. Instance j is `values[rows[j]]`, float32 (n,p), NaN where undefined, of the
    columns `names`. `varying` says of other columns in which bag they differ."""

    table: pa.Table
    instances: pa.Table
    starts: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    names: list[str]
    varying: dict[str, str]

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def bag(self) -> np.ndarray:
        """int64 (m,): which bag each instance is in."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def of(self, bag: int) -> np.ndarray:
        """float32 (k,p): a bag's instances."""
        return self.values[self.rows[self.starts[bag] : self.starts[bag + 1]]]

    def part(self, start: int, stop: int) -> "Bags":
        """Bags start : stop."""
        a, b = self.starts[start], self.starts[stop]
        return replace(self, table=self.table.slice(start, stop - start),
                       instances=self.instances.slice(a, b - a),
                       starts=self.starts[start : stop + 1] - a, rows=self.rows[a:b])

    def save(self, folder: Path) -> None:
        """Leave them where a block finds them (see `load`)."""
        folder.mkdir(exist_ok=True)
        tables.write_part(folder / "bags.arrow", self.table)
        tables.write_part(folder / "instances.arrow", self.instances)
        for name in ("starts", "rows", "values"):
            np.save(folder / f"{name}.npy", getattr(self, name))


def load(folder: Path, names: list[str], start: int, stop: int) -> Bags:
    """Bags start : stop of those that were saved; what is not asked for is not read."""
    starts, rows, values = (np.load(folder / f"{n}.npy", mmap_mode="r")
                            for n in ("starts", "rows", "values"))
    whole = Bags(tables.read_part(folder / "bags.arrow"),
                 tables.read_part(folder / "instances.arrow"), starts, rows, values, names, {})
    return whole.part(start, stop)


def read(
    bags: Sequence[Path], embedded: Sequence[Path], wanted: list[str] | None, *,
    allow_missing: bool,
) -> tuple[Bags, str]:
    """Bags of tables `bags` (or of crop stores that hold one), and the number of instances left
    out and why, in words, empty if none is.

    `embedded` are tables of embeddings or features, of which the columns `wanted` are taken, or
    all. An instance that they lack, or that is NaN throughout, is an error unless missing ones
    are allowed; bags without any instance are then left out, too.
    DataError for infinite values, for an object that is in two rows, for two bags of one name.
    """
    listed = _listed(bags)
    keys, values, names = _known(embedded, listed.column("object_id"), wanted)
    place = pc.index_in(listed.column("object_id"), keys.column("object_id")).to_numpy(
        zero_copy_only=False)
    there = np.isfinite(place)
    rows = np.where(there, place, 0).astype(np.int64)
    if len(values):
        there &= ~np.isnan(values).all(axis=1)[rows]
    said = _missing(listed, there, allow_missing)
    kept = np.flatnonzero(there)
    return _bags(_joined(listed.take(kept), keys.take(rows[kept])), rows[kept], values, names), said


def _listed(paths: Sequence[Path]) -> pa.Table:
    """All rows of the bag tables, each bag's together and in its order."""
    parts = [tables.read(p / "bags.parquet" if p.is_dir() else p, "bags") for p in paths]
    seen: set[str] = set()
    for path, part in zip(paths, parts):
        names = set(part.column("bag_id").unique().to_pylist())
        if names & seen:
            raise DataError(f"{path}: bag {min(names & seen)} is in another table, too; bags of "
                            "different tables need different names")
        seen |= names
    schema = tables.unify(parts)
    table = pa.concat_tables([tables.conform(p, schema) for p in parts]).combine_chunks()
    if not table.num_rows:
        raise DataError(f"{paths[0]}: holds no bag")
    bag = table.column("bag_id").dictionary_encode().combine_chunks().indices.to_numpy()
    return table.take(np.lexsort((table.column("position").to_numpy(), bag)))


def _missing(listed: pa.Table, there: np.ndarray, allowed: bool) -> str:
    if there.all():
        return ""
    first = listed.column("object_id")[int(np.argmin(there))].as_py()
    left = listed.filter(pa.array(there))
    lost = len(listed.column("bag_id").unique()) - len(left.column("bag_id").unique())
    said = (f"{int((~there).sum())} of {len(there)} instances are not in --embeddings, or NaN "
            f"there, e.g. {first}")
    if not there.any():
        raise DataError(f"{said}; are these tables of one crop store?")
    if not allowed:
        raise DataError(f"{said}; embed the store that the bags are of, or say --allow-missing")
    return said + (f"; {lost} bags are left out" if lost else "")


# -- embeddings ------------------------------------------------------------------------------


def _known(
    paths: Sequence[Path], objects: pa.ChunkedArray, wanted: list[str] | None
) -> tuple[pa.Table, np.ndarray, list[str]]:
    """Keys (n rows) and values (n,p) of the rows of `objects`, and the columns' names."""
    chosen = objects.unique()
    keys: list[pa.Table] = []
    values: list[np.ndarray] = []
    for path in paths:
        for part in _batches(path):
            names = wanted or _columns(part)
            absent = sorted(set(names) - set(part.column_names))
            if absent:
                raise DataError(f"{path}: lacks {len(absent)} of the columns, e.g. "
                                f"{', '.join(absent[:3])}")
            wanted = names
            some = part.filter(pc.is_in(part.column("object_id"), chosen))
            told = [n for n in some.column_names if n.startswith(tables.METADATA)]
            keys.append(some.select(["object_id", *told]))
            values.append(matrix.matrix(some, names).astype(np.float32))
    schema = tables.unify(keys)
    table = pa.concat_tables([tables.conform(k, schema) for k in keys]).combine_chunks()
    found = np.concatenate(values)
    _require_sound(table, found, wanted or [])
    return table, found, wanted or []


def _require_sound(keys: pa.Table, values: np.ndarray, names: list[str]) -> None:
    bad = np.isinf(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(f"infinite value in {names[column]} of "
                        f"{keys.column('object_id')[int(row)].as_py()}")
    counted = pc.value_counts(keys.column("object_id"))
    twice = counted.filter(pc.greater(counted.field("counts"), 1))
    if len(twice):
        raise DataError(f"--embeddings: {twice.field('values')[0].as_py()} stands in two rows; "
                        "give the table of one network")


def _batches(path: Path) -> Iterator[pa.Table]:
    """A table's rows, some at a time; at least one part, empty where the table is."""
    if path.suffix.lower() == ".csv":
        yield tables.read(path, "features")
        return
    file = tables.open_parquet(path)
    name = versions.require(tables.mark(file.schema_arrow), *KINDS, where=str(path))
    empty = file.schema_arrow.empty_table()
    tables.check(empty, name, str(path))
    yield empty
    for batch in file.iter_batches(AT_ONCE):
        yield pa.Table.from_batches([batch])


def _columns(table: pa.Table) -> list[str]:
    """Dimensions of an embedding, or all features but positions."""
    numbers = matrix.numeric_columns(table)
    return [n for n in numbers if n.startswith("emb_")] or columns.choose_columns(numbers)


# -- bags ------------------------------------------------------------------------------------


def _joined(listed: pa.Table, keys: pa.Table) -> pa.Table:
    """Rows of the bag table with what the embeddings know of them; the bag table's own word
    counts where both have a column."""
    own = ["bag_id", "object_id", "position",
           *(n for n in listed.column_names if n.startswith(tables.METADATA))]
    made = listed.select(own)
    for name in keys.column_names:
        if name not in own:
            made = made.append_column(name, keys.column(name))
    return made


def _bags(joined: pa.Table, rows: np.ndarray, values: np.ndarray, names: list[str]) -> Bags:
    bag = joined.column("bag_id").combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.flatnonzero(np.diff(bag, prepend=-1))
    firsts = joined.take(first)
    ids = firsts.column("bag_id")
    alike = {"object_id": ids}
    varying: dict[str, str] = {}
    for name in (n for n in joined.column_names if n.startswith(tables.METADATA)):
        apart = _apart(joined.column(name), first)
        if apart is None or name in KEYS:
            alike[name] = firsts.column(name)
        if apart is not None:
            varying[name] = ids[apart].as_py()
    alike["Metadata_Compartment"] = pa.array([BAG] * len(first))
    starts = np.append(first, len(bag))
    alike["Metadata_Instances"] = pa.array(np.diff(starts))
    return Bags(pa.table(alike), joined, starts, rows, values, names, varying)


def _apart(column: pa.ChunkedArray, first: np.ndarray) -> int | None:
    """The first bag in which a column has two values; null is one."""
    codes = column.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    if not len(first):
        return None
    differ = np.minimum.reduceat(codes, first) != np.maximum.reduceat(codes, first)
    return int(np.argmax(differ)) if differ.any() else None


def require_alike(bags: Bags, names: Iterable[str], what: str) -> None:
    """DataError where one of the columns has two values in a bag."""
    for name in names:
        if name in bags.varying:
            raise DataError(f"{what} {name}: bag {bags.varying[name]} has instances of two; a bag "
                            "needs one value, which its table may state")
