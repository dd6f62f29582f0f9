"""Tables of tracks made by hand."""

from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import tables

# (image, t, label, track, parent): divisions of 2 and of 3, a gap, a lone child, two fields
ROWS = [("a", 0, 1, 1, 0), ("a", 0, 2, 2, 0), ("a", 1, 7, 1, 0), ("a", 1, 2, 3, 2),
        ("a", 1, 3, 4, 2), ("a", 2, 1, 3, 2), ("a", 3, 1, 5, 1), ("a", 3, 2, 3, 2),
        ("b", 0, 5, 1, 0), ("b", 1, 1, 2, 1), ("b", 1, 2, 3, 1), ("b", 1, 3, 4, 1),
        ("b", 4, 9, 2, 1)]


def links(rows: list[tuple[Any, ...]] = ROWS, **more: Any) -> pa.Table:
    """A table `links` of rows; places are drawn."""
    image, t, label, track, parent = (list(c) for c in zip(*rows)) if rows else ([],) * 5
    rng = np.random.default_rng(0)
    return tables.from_columns("links", {
        "object_id": [f"{i}:t{n}:nuclei:{k}" for i, n, k in zip(image, t, label)],
        "Metadata_Image": image, "Metadata_T": t, "Metadata_Label": label, "track_id": track,
        "parent_track_id": parent, "y": rng.uniform(0, 99, len(t)), "x": rng.uniform(0, 99, len(t)),
        "score": pa.nulls(len(t), pa.float64()), "Metadata_Compartment": ["nuclei"] * len(t),
    } | more)
