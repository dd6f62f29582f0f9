"""The input contract of a crop classifier: which pixels it is fed, and how they are scaled."""

from pathlib import Path
from typing import Any

import numpy as np

from libcell.data.crop_reader import CropReader
from libcell.errors import DataError

PERCENTILES = (0.1, 99.9)
AT_ONCE = 512


def reader_of(contract: dict[str, Any], path: Path, rows: np.ndarray | None = None) -> CropReader:
    """A store's crops as a model wants them; DataError if the store lacks channels or masks."""
    window = contract["window_px"]
    return CropReader(path, contract["region"], size=(window[0], window[1]),
                      channels=tuple(contract["channels"]), rows=rows)


def make(path: Path, options: Any, train: np.ndarray) -> dict[str, Any]:
    """The card's `input`, from the options channels, region, window, size, mask_channel and
    normalise, and from the pixels of the rows `train`."""
    window = (options.window, options.window) if options.window else None
    reader = CropReader(path, options.region, size=window, channels=options.channels, rows=train)
    edge = options.size
    return {
        "kind": "crops",
        "columns": None,
        "channels": list(reader.channels),
        "region": options.region,
        "window_px": list(reader.size_px),
        "size_px": [edge, edge] if edge else list(reader.size_px),
        "mask_channel": options.mask_channel,
        "dtype": str(reader.dtype),
        "normalisation": _normalisation(options.normalise, reader),
    }


def _normalisation(kind: str, reader: CropReader) -> dict[str, Any]:
    if kind == "crop":
        return {"kind": "crop", "percentiles": list(PERCENTILES)}
    if kind == "range":
        if reader.dtype.kind not in "ui":
            raise DataError(f"{reader.store.path}: crops are {reader.dtype}, which has no largest "
                            "value; use --normalise train or crop")
        return {"kind": "range", "full": float(np.iinfo(reader.dtype).max)}
    mean, sd = _moments(reader)
    return {"kind": "train", "mean": mean.tolist(), "sd": np.where(sd > 0, sd, 1.0).tolist()}


def _moments(reader: CropReader) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel (C,) over all pixels."""
    n, total, squares = 0, 0.0, 0.0
    for batch in reader.in_order(AT_ONCE):
        values = batch.crops.astype(np.float64)
        n += values[:, 0].size
        total = total + values.sum(axis=(0, 2, 3))
        squares = squares + (values**2).sum(axis=(0, 2, 3))
    mean = np.asarray(total) / n
    return mean, np.sqrt(np.maximum(np.asarray(squares) / n - mean**2, 0))
