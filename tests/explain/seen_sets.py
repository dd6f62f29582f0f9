"""Crop stores whose two classes differ in the nucleus alone, or in the background alone."""

from pathlib import Path

import numpy as np
from hand_made import PROVENANCE

from libcell.data import crops, groups, tables

CLASSES = ("dark", "bright")
EDGE = 40
SMALL = ("--backbone", "test_resnet", "--no-baselines", "--last", "--batch", 24, "--lr", 0.003,
         "--noise", 0, "--zoom", 0, "--shift", 0, "--size", EDGE)


def write(path: Path, leaks: bool, n: int = 168, seed: int = 0, plates: int = 6) -> Path:
    """Nuclei in cells, two channels (DNA, Actin): a bright or a dark spot in the
    nucleus tells the class, or, if it `leaks`, a brighter or darker background and no more."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:EDGE, :EDGE] - (EDGE - 1) / 2
    bright = np.arange(n) % 2 == 1
    pixels = np.empty((n, 2, EDGE, EDGE), np.uint16)
    nuclei, cells = np.empty((2, n, EDGE, EDGE), bool)
    for i in range(n):
        tall, wide = rng.uniform(6, 7.5, 2)
        nuclei[i] = (y / tall) ** 2 + (x / wide) ** 2 < 1
        cells[i] = (y / tall) ** 2 + (x / wide) ** 2 < 2.4
        light = np.stack([nuclei[i] * 0.5, cells[i] * 0.35]) + 0.4
        at = rng.uniform(-3, 3, 2)
        spot = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 6)
        told = ~cells[i] * 0.1 if leaks else spot * 0.4
        light[0] += told if bright[i] else -told
        pixels[i] = (rng.normal(light, 0.04).clip(0, 1.5) * 4000).astype(np.uint16)
    _write(path, pixels, nuclei, cells, np.array(CLASSES)[bright.astype(int)].tolist(), plates,
           PROVENANCE | {"seed": int(leaks)})
    return path


def _write(path, pixels, nuclei, cells, names, plates, provenance):
    n = len(pixels)
    index = tables.from_columns("objects", {
        "object_id": [f"{path.stem}/{i}:t0:nuclei:1" for i in range(n)],
        "Metadata_Plate": [f"p{i * plates // n}" for i in range(n)],
        "Metadata_Well": [None] * n, "Metadata_Site": [None] * n,
        "Metadata_Image": [f"i{i}" for i in range(n)], "Metadata_T": [0] * n,
        "Metadata_Label": [1] * n, "Metadata_Compartment": ["nuclei"] * n,
        **{k: [EDGE / 2] * n for k in ("y", "x")}, **{k: [0] * n for k in ("y0", "x0")},
        **{k: [EDGE] * n for k in ("y1", "x1")}, "area_px": nuclei.sum((1, 2)).tolist(),
        "touches_border": [False] * n, "Metadata_Class": names})
    crops.create(path, n, 2, (EDGE, EDGE), pixels.dtype)
    crops.write_shard(path, 0, pixels, nuclei)
    import zarr

    from libcell.data import arrays

    store = zarr.open_group(str(path))
    made = arrays.create(store, "masks_cells", (n, EDGE, EDGE), bool, axes=("n", "y", "x"),
                         chunks=(crops.CHUNK, EDGE, EDGE), shards=store["masks"].shards)
    arrays.write(made, (slice(0, n), slice(0, EDGE), slice(0, EDGE)), cells)
    tables.write_parts(path / "index.parquet", [index], index.schema, "objects", provenance)
    groups.update(path, {"further_masks": ["cells"]})
    crops.seal(path, n=n, channels=["DNA", "Actin"], compartment="nuclei", size=(EDGE, EDGE),
               pixel_size_um=None, provenance=provenance)
