"""Which crops form one bag, for multiple-instance learning."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.data import tables
from libcell.errors import DataError

HOURS = "Metadata_Hours"
CARRIED = ("Metadata_Image", "Metadata_T", HOURS, "confluency")


def bag_columns(index: pa.Table, wanted: tuple[str, ...]) -> list[str]:
    """The columns whose values name a bag: those asked for, else plate and well, else the image.

    DataError for a column that is not there.
    """
    missing = [name for name in wanted if name not in index.column_names]
    if missing:
        have = ", ".join(n for n in index.column_names if n.startswith(tables.METADATA))
        raise DataError(f"--bag: column {missing[0]!r} is not in the index; it has {have}")
    if wanted:
        return list(wanted)
    if index.column("Metadata_Well").null_count:
        return ["Metadata_Image"]
    return ["Metadata_Plate", "Metadata_Well"]


def bags_of(
    index: pa.Table, columns: list[str], patches: int, images: int
) -> tuple[pa.Table, int]:
    """Table `bags` of an index, and how many bags are left out.

    A bag is in the order of time: hours where the names told them, frame, image, rank. Images of
    fewer than `patches` crops are left out of it, and bags of fewer than `images` images.
    """
    names = _names(index, columns)
    pictures = _names(index, ["Metadata_Image", "Metadata_T"])
    enough = np.bincount(pictures[1])[pictures[1]] >= patches
    pairs = np.unique(np.column_stack([names[1], pictures[1]])[enough], axis=0)
    count = np.bincount(pairs[:, 0], minlength=len(names[0]))
    kept = np.flatnonzero(enough & (count[names[1]] >= max(images, 1)))
    order = kept[_in_time(index.take(kept), names[1][kept])]
    bag = names[1][order]
    starts = np.searchsorted(bag, bag)
    carried = {n: index.column(n).take(order) for n in (*columns, *CARRIED)
               if n in index.column_names}
    table = tables.from_columns("bags", {
        "bag_id": [names[0][b] for b in bag.tolist()],
        "object_id": index.column("object_id").take(order),
        "position": np.arange(len(order)) - starts,
    } | carried)
    return table, int(len(names[0]) - (count >= max(images, 1)).sum())


def _names(index: pa.Table, columns: list[str]) -> tuple[list[str], np.ndarray]:
    """The values of several columns joined by `/`, each once in order, and each row's number."""
    texts = [pc.fill_null(index.column(n).cast(pa.string()), "") for n in columns]
    joined = pc.binary_join_element_wise(*texts, "/") if len(texts) > 1 else texts[0]
    plain = pc.utf8_trim(joined, "/").to_numpy(zero_copy_only=False).astype(str)
    names, number = np.unique(plain, return_inverse=True)
    return names.tolist(), number


def _in_time(rows: pa.Table, bag: np.ndarray) -> np.ndarray:
    """The order of rows: by bag, then time, image and rank."""
    hours = np.zeros(rows.num_rows)
    if HOURS in rows.column_names:
        hours = rows.column(HOURS).cast(pa.float64()).to_numpy(zero_copy_only=False)
    image = np.unique(rows.column("Metadata_Image").to_numpy(zero_copy_only=False).astype(str),
                      return_inverse=True)[1]
    t, rank = (rows.column(n).to_numpy() for n in ("Metadata_T", "Metadata_Label"))
    return np.lexsort((rank, image, t, hours, bag))
