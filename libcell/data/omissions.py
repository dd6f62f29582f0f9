"""What a source holds that an output goes without: table `omissions`, item by item."""

from collections.abc import Iterable

import pyarrow as pa

from libcell.data import tables


def table(left: Iterable[tuple[str, str, str]], image: str | None) -> pa.Table:
    """Table `omissions` of (source, item, reason) of one field of view, or of none."""
    rows = list(left)
    return tables.from_columns("omissions", {
        "source": [source for source, _, _ in rows], "item": [item for _, item, _ in rows],
        "Metadata_Image": [image] * len(rows), "reason": [reason for _, _, reason in rows],
    })
