"""What embeddings learnt without labels hold of 16 classes of nuclei, plates held out.

    python -m tests.peers.ssl_quality hand --data ../shared/data
    python -m tests.peers.ssl_quality simclr --data ../shared/data
    python -m tests.peers.ssl_quality dino --data ../shared/data --epochs 100

The crops are MitoCheck's. `hand` measures them with `cell-feat measure` (a mosaic of all crops,
Otsu's mask of the middle one of each); the others train by `cell-train ssl` and embed by `cell-feat
embed`. One line of JSON each: balanced accuracy of a linear probe, of nearest neighbours and of a
forest over five folds of plates, none of which the probe learnt from: of crops as they lie, of the
mean over each turned and mirrored, and of the same network untrained. What is given after the
name goes to `cell-train ssl`; a run that was cut off goes on.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from skimage import filters, measure

from libcell.data import crops
from libcell.data.crop_reader import CropReader
from libcell.nn import forest_walk
from libcell.train.kernels.forest import fit_forest
from libcell.train.kernels.scores import balanced_accuracy
from libcell.train.selfsup import watch
from libcell.train.selfsup.watch import Known
from tests.peers.processes import BIN

EDGE, SIDE = 64, 50  # px of a crop, crops in a row of the mosaic
TOLD = ("--target", "Metadata_Class", "--group", "Metadata_Plate")
RUNS: dict[str, tuple[object, ...]] = {
    "simclr": ("--method", "simclr", "--backbone", "resnet10t", "--size", 32, "--batch", 64,
               "--lr", 0.001, "--epochs", 8, "--warmup", 1, "--probe-every", 4),
    "dino": ("--method", "dino", "--backbone", "test_vit", "--batch", 64, "--epochs", 8,
             "--warmup", 1, "--probe-every", 4, "--method-options",
             "answers=512,warm=3,teacher=0.05"),
}
PLACES = ("Location", "BoundingBox", "_Center_", "Neighbors")  # where in the mosaic: no feature


class Asked:
    """The options that the probes look at."""

    target, group, classes = "Metadata_Class", ("Metadata_Plate",), ()


def run(command: str, *args: object) -> dict[str, Any]:
    """Run a command; its last record."""
    done = subprocess.run([str(BIN / command), *map(str, args)], check=True, text=True,
                          stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def store(data: Path, folder: Path) -> Path:
    """The crops as a store."""
    source, made = data / "mitocheck_nuclei", folder / "m.crops.zarr"
    if not made.exists():
        run("cell-extract", "classes", source, "--index", source / "index.csv", "-o", made, "-q")
    return made


def handcrafted(path: Path, folder: Path) -> np.ndarray:
    """float64 (n,p): every measurement of ours of the middle nucleus of each crop; 0 where one is
    not defined."""
    n = crops.open_crops(path).n
    picture = np.zeros((-(-n // SIDE) * EDGE, SIDE * EDGE), np.uint8)
    labels = np.zeros(picture.shape, np.uint16)
    for i, crop in enumerate(next(CropReader(path).in_order(n)).crops[:, 0]):
        top, left = (EDGE * k for k in divmod(i, SIDE))
        place = np.s_[top : top + EDGE, left : left + EDGE]
        picture[place] = crop
        labels[place][_middle(crop)] = i + 1
    tifffile.imwrite(folder / "p.tif", picture)
    tifffile.imwrite(folder / "l.tif", labels)
    image, masks, table = (folder / f"h.{s}" for s in ("ome.zarr", "labels.ome.zarr", "parquet"))
    run("cell-extract", "images", folder / "p.tif", "-o", image, "-q", "--force")
    run("cell-extract", "labels", folder / "l.tif", "--like", image, "-o", masks, "-q", "--force")
    run("cell-feat", "measure", masks, "--images", image, "-o", table, "-q", "--force")
    found = pq.read_table(table)
    names = [c for c in found.column_names
             if not c.startswith("Metadata") and c != "object_id" and not any(
                 p in c for p in PLACES)]
    made = np.zeros((n, len(names)))
    rows = found["Metadata_Label"].to_numpy() - 1
    for j, name in enumerate(names):
        made[rows, j] = np.nan_to_num(found[name].cast(pa.float64()).to_numpy())
    return made


def _middle(crop: np.ndarray) -> np.ndarray:
    """bool (H,W): the bright component nearest to the middle, the rim left out, so that nuclei
    of neighbours in the mosaic do not touch."""
    bright = measure.label(crop > filters.threshold_otsu(crop))
    y, x = np.nonzero(bright)
    nearest = ((y - (EDGE - 1) / 2) ** 2 + (x - (EDGE - 1) / 2) ** 2).argmin()
    found = np.asarray(bright == bright[y[nearest], x[nearest]])
    found[[0, -1]] = found[:, [0, -1]] = False
    return found


def judged(features: np.ndarray, told: Known) -> dict[str, float]:
    """Balanced accuracies over all folds."""
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)
    found = watch.probes(features, told)
    seen = np.empty_like(told.y)
    for fold in np.unique(told.fold):
        train, test = told.fold != fold, told.fold == fold
        forest = fit_forest(features[train], told.y[train], n_trees=200, seed=0, workers=1)
        chances = forest_walk.predict_proba(forest, features[test])
        seen[test] = forest.classes[chances.argmax(axis=1)]
    found["forest"] = balanced_accuracy(told.y, seen)
    return {k: round(v, 3) for k, v in found.items()}


def learnt(path: Path, folder: Path, name: str, more: list[str]) -> Path:
    """The model, trained unless it is there."""
    model = folder / f"{name}.model"
    if not model.exists():
        run("cell-train", "ssl", path, *RUNS[name], *TOLD, *more, "--resume", "-o", model)
    return model


def embedded(path: Path, model: Path, *more: str) -> np.ndarray:
    """float64 (n,p) of every crop."""
    table = model.with_suffix(".parquet")
    run("cell-feat", "embed", path, "-m", model, *more, "-o", table, "-q", "--force")
    found = pq.read_table(table)
    return np.column_stack([found[c].to_numpy() for c in found.column_names
                            if c.startswith("emb_")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=("hand", *RUNS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path(".bench/ssl"))
    given, more = parser.parse_known_args()
    given.scratch.mkdir(parents=True, exist_ok=True)
    path = store(given.data, given.scratch)
    told = watch.known(crops.open_crops(path).index(), Asked(), 0)
    start = time.process_time()
    if given.name == "hand":
        said = judged(handcrafted(path, given.scratch), told)
        print(json.dumps({"features": "hand", **said}), flush=True)
        return
    model = learnt(path, given.scratch, given.name, more)
    card = json.loads((model / "model.json").read_text())
    print(json.dumps({"network": card["architecture"], "epochs": card["training"]["epochs"],
                      "collapse": card["collapse"]["collapsed"]}), flush=True)
    for said, how in (("as they lie", ()), ("turned", ("--tta", "all")),
                      ("untrained", ("--untrained",)),
                      ("untrained, turned", ("--untrained", "--tta", "all"))):
        features = embedded(path, model, *how)
        print(json.dumps({"features": said, "dimensions": features.shape[1],
                          **judged(features, told),
                          "seconds": round(time.process_time() - start)}), flush=True)


if __name__ == "__main__":
    main()
