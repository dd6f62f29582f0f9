"""How long a report on many cells takes to make and to open.

    python -m tests.peers.bench_report [--cells 100000] [--folder DIR]

Tables and crops are simulated: classes differ in size and brightness, predictions are mostly right.
Opening is timed in headless Chromium, from the address to a page that answers.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parent.parent))
import browser
from hand_made import PROVENANCE, call, write_table

from libcell.data import crops, tables

CLASSES = np.array(["G1", "S", "G2", "mitosis", "dead"], dtype=object)
EDGE = 48


def simulate(folder: Path, n: int) -> None:
    """c.crops.zarr, f.parquet of sixty features, p.parquet."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, len(CLASSES), n)
    wells = [f"{chr(65 + i % 8)}{i // 8 % 12 + 1:02d}" for i in range(n)]
    images = [f"{w[0]}/{w[1:]}/{i % 4}" for i, w in enumerate(wells)]
    keys = {
        "object_id": [f"{g}:t0:nuclei:{i + 1}" for i, g in enumerate(images)],
        "Metadata_Plate": [f"P{i % 3}" for i in range(n)], "Metadata_Well": wells,
        "Metadata_Site": [str(i % 4) for i in range(n)], "Metadata_Image": images,
        "Metadata_T": np.zeros(n, np.int32), "Metadata_Label": np.arange(1, n + 1),
        "Metadata_Compartment": ["nuclei"] * n}
    values = rng.normal(size=(n, 60)) + 2 * rng.normal(size=(len(CLASSES), 60))[code]
    write_table(folder / "f.parquet", "features", keys | {"Metadata_Class": CLASSES[code]} | {
        f"Nuclei_Intensity_F{i:02d}_DNA": values[:, i] for i in range(60)})
    chances = rng.random((n, len(CLASSES))) + 0.7 * np.eye(len(CLASSES))[code]
    chances /= chances.sum(axis=1, keepdims=True)
    write_table(folder / "p.parquet", "predictions", keys | {
        "target": CLASSES[code], "predicted": CLASSES[chances.argmax(axis=1)],
        "split": np.where(np.arange(n) % 3 == 0, "test", "train"),
        **{f"p_{c}": chances[:, i] for i, c in enumerate(CLASSES)}})
    write_crops(folder / "c.crops.zarr", keys, code, rng)


def write_crops(root: Path, keys: dict, code: np.ndarray, rng: np.random.Generator) -> None:
    n = len(code)
    where = rng.random((2, n)) * 1000
    low = where.astype(np.int32)
    index = tables.from_columns("objects", keys | {
        "y": where[0], "x": where[1], "y0": low[0], "x0": low[1], "y1": low[0] + EDGE,
        "x1": low[1] + EDGE, "area_px": np.full(n, 500), "touches_border": np.zeros(n, bool)})
    y, x = np.mgrid[:EDGE, :EDGE] - EDGE // 2
    rows = crops.create(root, n, 2, (EDGE, EDGE), np.uint8)
    for start in range(0, n, rows):
        some = code[start : start + rows, None, None]
        masks = (y**2 + x**2)[None] < (8 + 2 * some) ** 2
        noise = rng.poisson(20, (len(some), 2, EDGE, EDGE))
        bright = np.stack([masks * (80 + 20 * some), masks * 60], axis=1)
        crops.write_shard(root, start, (noise + bright).clip(0, 255).astype(np.uint8), masks)
    tables.write_parts(root / "index.parquet", [index], index.schema, "objects", PROVENANCE)
    crops.seal(root, n=n, channels=["DNA", "RNA"], compartment="nuclei", size=(EDGE, EDGE),
               pixel_size_um=None, provenance=PROVENANCE)


def timed(name: str, *args: object) -> None:
    """Run a command, unless what it makes is there from an earlier run; the report always."""
    out = Path(str(args[args.index("-o") + 1]))
    if out.exists() and name != "report":
        return
    start, busy = time.perf_counter(), time.process_time()
    call(*args)
    print(f"{name}: {time.perf_counter() - start:.1f} s, of which {time.process_time() - busy:.1f} "
          f"s of work (load {os.getloadavg()[0]:.1f})", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cells", type=int, default=100_000)
    options.add_argument("--folder", type=Path)
    given = options.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "c.crops.zarr" / "zarr.json").exists():
        simulate(folder, given.cells)
    timed("score", "train", "score", folder / "p.parquet", "-o", folder / "score", "--draws", 100,
          "--force")
    timed("embed (pca)", "explain", "embed", folder / "f.parquet", "--colour", "Metadata_Class",
          "-o", folder / "plane.bundle", "--force")
    timed("report", "explain", "report", folder / "c.crops.zarr", folder / "f.parquet",
          folder / "p.parquet", folder / "score", folder / "plane.bundle",
          "-o", folder / "r.html", "--force")
    print(f"page: {(folder / 'r.html').stat().st_size / 1e6:.1f} MB")
    with browser.started() as chromium:
        for _ in range(3):
            opening(chromium, folder / "r.html")


def opening(chromium: Any, path: Path) -> None:
    """Print how long a page takes to open, and how much of it the browser's main thread works."""
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    asked = context.new_cdp_session(page)
    asked.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(path.absolute().as_uri(), wait_until="commit")
    page.wait_for_selector("body[data-ready]")
    ready = page.evaluate("performance.now()") / 1000
    told = {m["name"]: m["value"] for m in asked.send("Performance.getMetrics")["metrics"]}
    start = time.perf_counter()
    browser.drawn(page, "plane")
    print(f"opened in {ready:.2f} s, {told['TaskDuration']:.2f} s of them work; plane drawn "
          f"{time.perf_counter() - start:.2f} s after it is scrolled to "
          f"(load {os.getloadavg()[0]:.1f})", flush=True)
    context.close()


if __name__ == "__main__":
    main()
