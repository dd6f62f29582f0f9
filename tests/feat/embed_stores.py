"""Small crop stores, and a model of ours that nothing trained, for the tests of cell-feat embed."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from hand_made import PROVENANCE

from libcell.data import crops, models, tables
from libcell.nn import classifier, untrained

EDGE = 32


def pixels(n: int, channels: int, dtype: Any, seed: int) -> np.ndarray:
    """Crops (n,C,32,32) of soft spots of different brightness in noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:EDGE, :EDGE] - EDGE / 2
    spot = np.exp(-(y**2 + x**2) / (2 * rng.uniform(2, 8, (n, channels, 1, 1)) ** 2))
    made = rng.uniform(0.3, 0.8, (n, channels, 1, 1)) * spot + rng.random(spot.shape) * 0.2
    full = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1.0
    return (made * full).astype(dtype)


def store(
    path: Path, n: int = 20, channels: int = 2, dtype: Any = np.uint16, seed: int = 0,
    values: np.ndarray | None = None,
) -> Path:
    """A store of `n` crops whose masks are discs of radius 10, in two plates."""
    made = pixels(n, channels, dtype, seed) if values is None else values
    y, x = np.mgrid[:EDGE, :EDGE] - EDGE / 2
    masks = np.repeat((np.hypot(y, x) < 10)[None], n, axis=0)
    index = tables.from_columns("objects", {
        "object_id": [f"{path.stem}/{i}:t0:nuclei:1" for i in range(n)],
        "Metadata_Plate": [f"p{i % 2}" for i in range(n)], "Metadata_Well": [None] * n,
        "Metadata_Site": [None] * n, "Metadata_Image": [f"i{i}" for i in range(n)],
        "Metadata_T": [0] * n, "Metadata_Label": [1] * n, "Metadata_Compartment": ["nuclei"] * n,
        **{k: [16.0] * n for k in ("y", "x")}, **{k: [0] * n for k in ("y0", "x0")},
        **{k: [EDGE] * n for k in ("y1", "x1")}, "area_px": [300] * n,
        "touches_border": [False] * n, "Metadata_Class": ["ab"[i % 2] for i in range(n)]})
    crops.create(path, n, channels, (EDGE, EDGE), made.dtype)
    rows = crops.shard_rows(channels, EDGE, EDGE, made.dtype.itemsize)
    for start in range(0, n, rows):
        crops.write_shard(path, start, made[start : start + rows], masks[start : start + rows])
    tables.write_parts(path / "index.parquet", [index], index.schema, "objects", PROVENANCE)
    crops.seal(path, n=n, channels=[f"c{i + 1}" for i in range(channels)], compartment="nuclei",
               size=(EDGE, EDGE), pixel_size_um=None, provenance=PROVENANCE)
    return path


def model(path: Path, channels: int = 2, **taken: Any) -> Path:
    """A classifier as `cell-train cnn` writes it; `taken` changes its card's `input`."""
    names = [f"c{i + 1}" for i in range(channels)]
    contract = {
        "kind": "crops", "columns": None, "channels": names, "region": "patch",
        "window_px": [EDGE, EDGE], "size_px": [24, 24], "mask_channel": False, "dtype": "uint16",
        "normalisation": {"kind": "train", "mean": [2e4] * channels, "sd": [1e4] * channels},
    } | taken
    network = {"backbone": "test_resnet", "channels": channels + contract["mask_channel"],
               "size_px": contract["size_px"], "head": {"name": "linear", "options": {}}}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = classifier.build(network, 2)
        untrained.wake(made.backbone)
    models.save(path, {k: v.numpy() for k, v in made.state_dict().items()}, {
        "provenance": PROVENANCE, "architecture": "test_resnet+linear", "classes": ["a", "b"],
        "target": "Metadata_Class", "input": contract, "network": network,
        "training_data": "sha256:" + "0" * 64, "split": {}, "metrics": {}, "seed": 0})
    return path
