"""Crop stores of sequences made by hand: discs that shrink to a bar, part, and grow again."""

from pathlib import Path
from typing import Any

import numpy as np
from hand_made import PROVENANCE

from libcell.data import crops, tables

STAGES = ("Before", "Bar", "Two", "After")  # the first and the last look alike
SIZE = 32


def looks() -> np.ndarray:
    """(4,32,32) in 0..1."""
    y, x = np.mgrid[-16:16, -16:16] + 0.5
    disc = np.hypot(y, x) < 9
    two = np.minimum(np.hypot(y, x - 7), np.hypot(y, x + 7)) < 4
    return np.stack([disc * 0.4, (np.abs(y) < 3) & (np.abs(x) < 10), two, disc * 0.4]).astype(float)


def courses(n: int, seed: int) -> list[np.ndarray]:
    """Stages of `n` sequences, each stage 2 to 5 frames long."""
    rng = np.random.default_rng(seed)
    return [np.repeat(np.arange(4), rng.integers(2, 6, 4)) for _ in range(n)]


def store(
    path: Path, stages: list[np.ndarray], *, seed: int = 0, plates: int = 6,
    names: tuple[str | None, ...] = STAGES, gaps: int = 0,
) -> Path:
    """A store of sequences with these stages, in plates of equal size; of every `gaps`-th
    sequence the third frame is missing."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    listed: list[dict[str, Any]] = []
    for i, course in enumerate(stages):
        name = f"{path.stem[0]}{i:03d}"
        for t, stage in enumerate(course):
            gap = bool(gaps) and i % gaps == 0 and t == 2
            one = f"{name}:t{t}:nuclei:1"
            listed.append({"sequence_id": f"{name}:{i + 1}", "object_id": None if gap else one,
                           "Metadata_T": t, "position": t, "track_id": None if gap else i + 1,
                           "parent_sequence_id": None, "gap": gap})
            if not gap:
                rows.append({"object_id": one, "Metadata_Plate": f"p{i * plates // len(stages)}",
                             "Metadata_Image": name, "Metadata_T": t, "Metadata_Track": i + 1,
                             "Metadata_Stage": names[stage], "stage": int(stage)})
    write(path, rows, listed, rng)
    return path


def write(path: Path, rows: list[dict[str, Any]], listed: list[dict[str, Any]], rng: Any) -> None:
    n, drawn = len(rows), looks()
    stage = np.array([r.pop("stage") for r in rows])
    pixels = (drawn[stage] * 150 + rng.random((n, SIZE, SIZE)) * 60).astype(np.uint8)[:, None]
    masks = drawn[stage] > 0
    fixed = {"Metadata_Well": None, "Metadata_Site": None, "Metadata_Label": 1,
             "Metadata_Compartment": "nuclei", "y": 16.0, "x": 16.0, "y0": 0, "x0": 0, "y1": SIZE,
             "x1": SIZE, "area_px": 300, "touches_border": False}
    index = tables.from_columns("objects", {k: [(fixed | r)[k] for r in rows]
                                            for k in fixed | rows[0]})
    table = tables.from_columns("sequences", {k: [r[k] for r in listed] for k in listed[0]})
    crops.create(path, n, 1, (SIZE, SIZE), pixels.dtype)
    step = crops.shard_rows(1, SIZE, SIZE, 1)
    for start in range(0, n, step):
        crops.write_shard(path, start, pixels[start : start + step], masks[start : start + step])
    for name, made in (("index", index), ("sequences", table)):
        kind = "objects" if name == "index" else name
        tables.write_parts(path / f"{name}.parquet", [made], made.schema, kind, PROVENANCE)
    crops.seal(path, n=n, channels=["DNA"], compartment="nuclei", size=(SIZE, SIZE),
               pixel_size_um=None, provenance=PROVENANCE)
