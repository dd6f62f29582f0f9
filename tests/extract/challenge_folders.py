"""Folders of the Cell Tracking Challenge made by hand, and what is in one."""

from pathlib import Path

import numpy as np
import tifffile

ROWS = "1 0 3 0\n2 0 1 0\n3 2 3 2\n4 2 5 2\n5 5 5 1\n"  # 2 divides; 5 is 1 after a gap


def film(deep=False):
    """uint16 masks (6,Y,X), or (6,3,Y,X), that are as ROWS says."""
    made = np.zeros((6, 3, 20, 30) if deep else (6, 1, 20, 30), np.uint16)
    for t in range(6):
        if t != 4:
            made[t, :2, 2:5, 2 + t : 6 + t] = 1 if t < 4 else 5
        if t < 2:
            made[t, -1, 10:16, 10:14] = 2
        if 2 <= t <= 3:
            made[t, -1, 10:13, 10:14] = 3
        if t >= 2:
            made[t, -1, 13:16, 10:14] = 4
    return made if deep else made[:, 0]


def pictures(masks):
    """uint8 images of that size."""
    return np.random.default_rng(0).integers(0, 99, masks.shape).astype(np.uint8)


def write(folder: Path, masks=None, rows=ROWS, name="01", digits=3, images=None):
    """A sequence with tracking truth."""
    masks = film() if masks is None else masks
    images = pictures(masks) if images is None else images
    write_frames(folder / name, "t", images, digits)
    write_frames(folder / f"{name}_GT" / "TRA", "man_track", masks, digits)
    (folder / f"{name}_GT" / "TRA" / "man_track.txt").write_text(rows)
    return folder


def write_frames(folder: Path, stem, frames, digits=3, at=None):
    folder.mkdir(parents=True, exist_ok=True)
    for t, frame in zip(at or range(len(frames)), frames):
        tifffile.imwrite(folder / f"{stem}{t:0{digits}d}.tif", frame, photometric="minisblack",
                         compression="zlib")


def rows_of(text: Path):
    """Rows of a text as a set; their order means nothing."""
    return {tuple(map(int, line.split())) for line in text.read_text().splitlines()}


def frames_of(folder: Path):
    """Every frame of a folder, in order."""
    files = sorted(folder.glob("*.tif"))
    return np.stack([tifffile.imread(f) for f in files])
