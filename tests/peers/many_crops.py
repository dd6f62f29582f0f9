"""As many crops as LIVECell has, 1.7 million of 96 x 96 px, in one store: memory must stay flat.

    python -m tests.peers.many_crops --scratch /tmp/many

makes stores whose shards are links to a few, then reads them in shuffled batches, as training
does, and asks a small network about some of them; a line of JSON each, every step in a process of
its own. `kept_mb` is memory that the process needs, `peak_mb` with the pages of mapped shards,
which the system takes back when it likes.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import crops, tables
from libcell.data.crop_reader import CropReader
from tests.peers.processes import BIN, peak_gb, seconds

EDGE, BATCH, DISTINCT = 96, 256, 4
WHOLE = 415 * 4096  # 1,699,840
PLATES = 48
ABOUT: dict[str, Any] = {"command": "bench", "version": "0", "parameters": {}, "inputs": [],
                         "seed": 0, "created": None}


def store(path: Path, n: int) -> Path:
    """`n` crops uint8, a multiple of 4096, in plates of equal size; shards repeat after four."""
    if (path / "index.parquet").exists():
        return path
    rows = crops.create(path, n, 1, (EDGE, EDGE), np.uint8)
    rng = np.random.default_rng(0)
    for shard in range(min(DISTINCT, n // rows)):
        crops.write_shard(path, shard * rows, *_pixels(rng, rows))
    for array, shard in itertools.product(("crops", "masks"), range(DISTINCT, n // rows)):
        made = path / array / "c" / str(shard % DISTINCT)
        for file in (f for f in made.rglob("*") if f.is_file()):
            link = path / array / "c" / str(shard) / file.relative_to(made)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, link)
    parts = (_index(start, n) for start in range(0, n, 65_536))
    first = next(parts)
    crops.seal(path, n=n, channels=["phase"], compartment="cells", size=(EDGE, EDGE),
               pixel_size_um=None, provenance=ABOUT)
    tables.write_parts(path / "index.parquet", itertools.chain([first], parts), first.schema,
                       "objects", ABOUT)
    return path


def _pixels(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth noise in few levels, which packs about as well as a cell on black does."""
    coarse = rng.integers(0, 24, (n, 1, EDGE // 8, EDGE // 8), np.uint8)
    fine = np.kron(coarse, np.ones((8, 8), np.uint8)) * 8
    fine[:, :, ::3] += rng.integers(0, 4, (n, 1, EDGE // 3, EDGE), np.uint8)
    y, x = np.mgrid[:EDGE, :EDGE] - EDGE / 2
    return fine, np.repeat((np.hypot(y, x) < 40)[None], n, axis=0)


def _index(start: int, n: int) -> pa.Table:
    rows = np.arange(start, min(start + 65_536, n))
    plates = rows * PLATES // n
    zeros = np.zeros(len(rows), np.int64)
    return tables.from_columns("objects", {
        "object_id": [f"p{p:02d}/A01/0:t0:cells:{r}" for p, r in zip(plates, rows)],
        "Metadata_Plate": [f"p{p:02d}" for p in plates], "Metadata_Well": ["A01"] * len(rows),
        "Metadata_Site": ["0"] * len(rows), "Metadata_Image": [f"p{p:02d}" for p in plates],
        "Metadata_T": zeros, "Metadata_Label": rows, "Metadata_Compartment": ["cells"] * len(rows),
        "y": zeros.astype(float), "x": zeros.astype(float), "y0": zeros, "x0": zeros, "y1": zeros,
        "x1": zeros, "area_px": zeros, "touches_border": zeros.astype(bool),
        "Metadata_Class": [f"line {r % 8}" for r in rows]})


# -- steps, each in a process of its own -----------------------------------------------------


def read(path: Path, n: int, start: int, stop: int) -> dict[str, Any]:
    """An epoch of the first `n` crops, shuffled, from its item `start` to `stop`: all of it, or as
    an epoch that was interrupted goes on."""
    reader = CropReader(path, rows=np.arange(n))
    seen = start
    with _Watch() as watch:
        for batch in reader.shuffled(BATCH, seed=0, epoch=0, start=start, ahead=True):
            seen += len(batch.rows)
            if seen >= stop:
                break
    assert seen >= stop
    return {"of": n, "start": start} | watch.told(seen - start)


def split(path: Path) -> dict[str, Any]:
    """The index of the store, its classes and whole groups in parts: what training holds."""
    from libcell.train.pictures import plan

    options = SimpleNamespace(
        target="Metadata_Class", classes=(), group=("Metadata_Plate",), split=None,
        fractions=(0.6, 0.1, 0.3), folds=None, fold=None, leave_one_out=False, hold_out=(),
        per_class=None)
    with _Watch() as watch:
        made = plan.plan(path, crops.open_crops(path).index(), options, 0)
    return watch.told(len(made.rows))


class _Watch:
    """Time, and the largest memory of this process from before to after."""

    def __enter__(self) -> "_Watch":
        self.start, self.before = time.monotonic(), _status("RssAnon")
        self.most, self.over = 0, False
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()
        return self

    def _look(self) -> None:
        while not self.over:
            self.most = max(self.most, _status("RssAnon"))
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.thread.join()
        self.seconds = time.monotonic() - self.start

    def told(self, n: int) -> dict[str, Any]:
        return {"n": n, "seconds": round(self.seconds, 1), "per_second": round(n / self.seconds),
                "cpu_seconds": round(time.process_time(), 1),
                "kept_mb": round(self.most / 1024), "before_mb": round(self.before / 1024),
                "peak_mb": round(_status("VmHWM") / 1024)}


def _status(field: str) -> int:
    """kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{field}:")))


def predict(scratch: Path) -> None:
    """One small network about 1 x and 4 x as many crops."""
    model = scratch / "m.model"
    learnt = store(scratch / "4096.crops.zarr", 4096)
    if not model.exists():
        seconds([BIN / "cell-train", "cnn", learnt, "--target", "Metadata_Class", "--backbone",
                 "lcnet_050", "--size", 32, "--epochs", 1, "--no-baselines", "-j", 1, "-q", "-o",
                 model])
    for n in (2 * 4096, 8 * 4096):
        asked = store(scratch / f"{n}.crops.zarr", n)
        start = time.monotonic()
        peak = peak_gb([BIN / "cell-train", "predict", model, asked, "-j", 1, "-q", "--force", "-o",
                        scratch / "p.parquet"])
        _say("predict", {"n": n, "seconds": round(time.monotonic() - start, 1),
                         "peak_mb": round(peak * 1e3)})


def _say(what: str, found: dict[str, Any]) -> None:
    print(json.dumps({"step": what} | found), flush=True)


def main() -> None:
    """All steps, or one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--step", choices=("read", "split", "predict"))
    parser.add_argument("-n", type=int, default=WHOLE)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--stop", type=int, default=None)
    given = parser.parse_args()
    path = given.scratch / "whole.crops.zarr"
    given.scratch.mkdir(parents=True, exist_ok=True)
    if given.step == "predict":
        predict(given.scratch)
        return
    if given.step == "read":
        _say("read", read(path, given.n, given.start, given.stop or given.n))
        return
    if given.step == "split":
        _say("split", split(path))
        return
    _say("store", {"n": store(path, given.n) and given.n,
                   "gb": round(given.n * EDGE**2 / 1e9, 1)})
    for step, n in (("read", given.n // 16), ("read", given.n // 4), ("read", given.n),
                    ("split", given.n)):
        subprocess.run([sys.executable, "-m", "tests.peers.many_crops", "--scratch", given.scratch,
                        "--step", step, "-n", str(n)], check=True)
    predict(given.scratch)


if __name__ == "__main__":
    main()
