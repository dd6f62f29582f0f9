"""Sheets of crops with their maps, one per class, in an explanation store."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zarr

from libcell.data import tables
from libcell.data.crop_reader import CropReader
from libcell.data.output import write_file
from libcell.explain.drawing import overlay
from libcell.explain.page.pictures import windows

FOLDER = "pictures"
EDGE = 112
PAIRS = 4  # beside each other on a sheet


def write_sheets(root: Path, store: Path, contract: Mapping[str, Any], most: int) -> None:
    """PNG per class of a store that is being written at `root`: up to `most` of its crops beside
    their maps, those with the highest probability, spread over its range."""
    table = tables.read(root / "index.parquet", "explanations")
    explained = table.column("explained").to_numpy(zero_copy_only=False)
    (root / FOLDER).mkdir(exist_ok=True)
    for name in sorted(set(explained.tolist())):
        rows = np.flatnonzero(explained == name)
        content = _sheet(root, store, contract, table, _spread(table, rows, most))
        safe = re.sub(r"[^\w.+-]", "_", str(name))
        write_file(root / FOLDER / f"{safe}.png", content)


def _spread(table: pa.Table, rows: np.ndarray, most: int) -> np.ndarray:
    """Crops of all sorts: from the surest to the least sure; all channels of a crop together."""
    chances = table.column("probability").to_numpy()[rows]
    which = table.column("crop").to_numpy()[rows]
    order, first = np.unique(which, return_index=True)
    ranked = order[np.argsort(-chances[first], kind="stable")]
    step = np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(int)
    place = {c: i for i, c in enumerate(ranked[step].tolist())}
    kept = [r for r, c in zip(rows.tolist(), which.tolist()) if c in place]
    return np.array(sorted(kept, key=lambda r: (place[int(table.column("crop")[r].as_py())], r)))


def _sheet(root: Path, store: Path, contract: Mapping[str, Any], table: pa.Table,
           rows: np.ndarray) -> bytes:
    some = table.take(pa.array(rows))
    which = some.column("crop").to_numpy()
    reader = CropReader(store, channels=tuple(contract["channels"]), rows=which)
    batch = next(reader.in_order(len(which)))
    maps: Any = zarr.open_group(str(root), mode="r")["maps"]
    ranges = windows(batch.crops)
    tiles = []
    for i, row in enumerate(rows.tolist()):
        picture = overlay.shown(batch.crops[i], ranges)
        values = np.asarray(maps[row]).astype(np.float32)
        with_map = overlay.outlined(overlay.overlaid(picture, values), batch.masks[i])
        tiles.append((_caption(some, i), [picture, with_map]))
    return overlay.sheet(tiles, EDGE, min(PAIRS, len(tiles)))


def _caption(some: pa.Table, i: int) -> str:
    row = {n: some.column(n)[i].as_py() for n in ("explained", "channel", "probability", "target")}
    text = f"{row['explained']} {row['probability']:.2f}"
    if row["target"] not in (None, row["explained"]):
        text += f" (is {row['target']})"
    return f"{text} {row['channel']}" if row["channel"] else text
