"""A plate that takes milliseconds to make, and what a folder holds."""

from pathlib import Path

import numpy as np
import tifffile

from libcell.data import tables

WELLS = ("A01", "A02", "B01", "B02")
PATTERN = "{well}_s{site}_{channel}.tif"


def write_raw(folder: Path, wells: tuple[str, ...] = WELLS, edge: int = 128) -> Path:
    """One TIFF per well and channel (DNA, GFP): bright blobs on a noisy ground."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, well in enumerate(wells):
        image = blobs(edge, seed=number)
        for pixels, channel in zip(image, ("DNA", "GFP")):
            tifffile.imwrite(folder / f"{well}_s0_{channel}.tif", pixels)
    return folder


def blobs(edge: int, seed: int) -> np.ndarray:
    """(2,Y,X) uint16: about one nucleus per 45 x 45 px, the same places in both channels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    image = rng.normal(200, 20, (2, edge, edge))
    for _ in range(max(1, (edge // 45) ** 2)):
        cy, cx = rng.uniform(10, edge - 10, 2)
        spread = rng.uniform(3, 6)
        height = 3000 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * spread**2))
        image += height[None] * np.array([1, 0.4])[:, None, None]
    return image.clip(0, 65535).astype(np.uint16)


def write_features(path: Path, wells: int = 10, rows: int = 6) -> Path:
    """A feature table whose two conditions differ in area and intensity."""
    n = wells * rows
    rng = np.random.default_rng(3)
    well = np.repeat([f"A{w + 1:02d}" for w in range(wells)], rows)
    treated = np.repeat(np.arange(wells) % 2, rows)
    label = np.tile(np.arange(1, rows + 1), wells)
    columns = {
        "object_id": [f"A/{w}/0:0:nuclei:{k}" for w, k in zip(well, label)],
        "Metadata_Plate": ["p"] * n,
        "Metadata_Well": well.tolist(),
        "Metadata_Site": ["0"] * n,
        "Metadata_Image": [f"A/{w[1:]}/0" for w in well],
        "Metadata_T": np.zeros(n, np.int32),
        "Metadata_Label": label,
        "Metadata_Compartment": ["nuclei"] * n,
        "Metadata_Condition": np.where(treated, "drug", "dmso").tolist(),
        "Nuclei_AreaShape_Area": 100 + 40 * treated + rng.normal(0, 5, n),
        "Nuclei_Intensity_MeanIntensity_DNA": 500 + 90 * treated + rng.normal(0, 20, n),
    }
    table = tables.from_columns("features", columns)
    provenance = {"command": "a test", "version": "0", "parameters": {}, "inputs": []}
    tables.write_parts(path, [table], table.schema, "features", provenance)
    return path


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder (the hidden ones too): content and time of change."""
    return {
        p.relative_to(folder).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*")) if p.is_file()
    }


def contents(path: Path) -> dict[str, bytes]:
    """What a store or a file holds, without times."""
    if path.is_file():
        return {"": path.read_bytes()}
    found = {name: content for name, (content, _) in tree(path).items()}
    assert found, f"{path} holds no file"
    return found
