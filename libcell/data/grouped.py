"""The rows of each field of view in a table, found without going through all rows each time."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

IMAGE = "Metadata_Image"


class Grouped:
    """A table whose rows are looked up by a value of theirs: `by`, the name of a column, or a
    value (n,) for each row. Tables of ours lie field by field, and are then cut, not copied."""

    def __init__(self, table: pa.Table, by: str | pa.ChunkedArray = IMAGE):
        column = table.column(by) if isinstance(by, str) else by
        coded = column.dictionary_encode().unify_dictionaries()
        parts = [c.indices.fill_null(-1).to_numpy() for c in coded.chunks]
        codes = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        if (np.diff(codes) < 0).any():
            order = np.argsort(codes, kind="stable")
            table, codes = table.take(order), codes[order]
        values = coded.chunk(0).dictionary.to_pylist() if parts else []
        ends = np.searchsorted(codes, np.arange(len(values) + 1))
        self._table = table
        self._spans = dict(zip(values, zip(ends[:-1].tolist(), ends[1:].tolist())))

    def of(self, value: Any) -> pa.Table:
        """The rows of one value, in their order; no row where none has it."""
        start, stop = self._spans.get(value, (0, 0))
        return self._table.slice(start, stop - start)


def members(index: np.ndarray, count: int) -> list[np.ndarray]:
    """Row numbers (m,), ascending, of each of `count` groups; `index` int (n,) is a row's group."""
    order = np.argsort(index, kind="stable")
    return np.split(order, np.cumsum(np.bincount(index, minlength=count)))[:count]


def image_of(object_id: pa.ChunkedArray) -> pa.ChunkedArray:
    """The field of view that stands at the start of each `image:t:compartment:label`."""
    return pc.list_element(pc.split_pattern(object_id.cast(pa.string()), ":", max_splits=3,
                                            reverse=True), 0)
