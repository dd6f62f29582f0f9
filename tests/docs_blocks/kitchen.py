"""Where what a page names comes from: kitchen.mk, once, when a page first asks for it."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs_blocks.pages import ROOT

HERE = Path(__file__).parent
ALSO = {  # other names of the same things, on any page
    "features.parquet": "f.parquet", "nuclei.labels.ome.zarr": "n.labels.ome.zarr",
    "bacteria_trpL": "challenge", "Fluo-N2DL-HeLa": "challenge", "Fluo-N2DH-SIM+": "challenge",
    "trackmate.xml": "t.xml", "tracks.geff": "t.geff", "true.tracks": "t.tracks",
    "held.ome.zarr": "d.ome.zarr", "held.labels.ome.zarr": "d.labels.ome.zarr",
    "p.labels.ome.zarr": "d.labels.ome.zarr", "cam.explain.zarr": "x.explain.zarr",
    "plate1.crops.zarr": "m.crops.zarr", "plate2.crops.zarr": "m.crops.zarr",
    "other.crops.zarr": "m.crops.zarr", "a.parquet": "p.parquet", "cnn.parquet": "p.parquet",
    "livecell_coco_train.json": "livecell/livecell_coco_train.json",
    "livecell_coco_val.json": "livecell/livecell_coco_val.json",
    "livecell_coco_test.json": "livecell/livecell_coco_test.json",
    "train.json": "livecell/livecell_coco_train.json",
    "val.json": "livecell/livecell_coco_val.json",
    "test.json": "livecell/livecell_coco_test.json",
}
HERE_ONLY = {  # names that mean something else on one page
    "README.md": {"images": "livecell/images"},
    "docs/alignment.md": {"nuclei.labels.ome.zarr": "round1.labels.ome.zarr",
                          "p.parquet": "stages.parquet"},
    "docs/cell-align.md": {"p.parquet": "stages.parquet"},
    "docs/cell-crop.md": {"film": "b"},
    "docs/cell-extract.md": {"images": "livecell/images", "masks": "two",
                             "c.crops.zarr": "two.crops.zarr"},
    "docs/cell-track.md": {"n.labels.ome.zarr": "movie.labels.ome.zarr",
                           "true.tracks": "movie.tracks"},
    "docs/cell-train.md": {"e.parquet": "l.parquet", "bags.parquet": "l.bags.parquet",
                           "b.parquet": "forest.parquet"},
    "docs/tracking.md": {"predictions.parquet": "film_stages.parquet"},
}


class Kitchen:
    """Makes things in a folder of its own and brings copies of them."""

    def __init__(self, root: Path):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def bring(self, page: str, name: str, folder: Path) -> None:
        """Put what `name` means on a page into its folder; nothing if it means nothing."""
        dish = HERE_ONLY.get(page, {}).get(name) or ALSO.get(name, name)
        if dish.partition("/")[0] not in DISHES:
            return
        made = self.root / dish
        with (self.root / ".lock").open("w") as lock:  # pages may be run side by side
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                self._make(dish.partition("/")[0])
        copy(made, folder / name)

    def _make(self, target: str) -> None:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CELL_WORKERS": "1"}
        done = subprocess.run(["make", "-s", "-f", HERE / "kitchen.mk", target], cwd=self.root,
                              env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"kitchen.mk: {target}: {done.stderr.strip()}")


def copy(source: Path, target: Path) -> None:
    """A file or folder of its own: a page may change what it has."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _targets() -> set[str]:
    heads = [line.partition(":")[0] for line in (HERE / "kitchen.mk").read_text().splitlines()
             if ":" in line and not line.startswith(("\t", "#", "."))]
    return {name for head in heads for name in head.split() if "=" not in name}


DISHES = _targets()
