"""How well `cell-segment unet` finds cells that it has not seen, trained on few images.

    python -m tests.peers.segmenter_quality dsb --data ../shared/data
    python -m tests.peers.segmenter_quality phase --data ../shared/data

`dsb`: nuclei of DSB 2018, every third image (by name) held out. `phase`: whole cells in phase
contrast, each of the six fields held out once. Everything goes through the commands, with their
defaults unless given here; one line of JSON per held-out part, threshold's figures beside. What is
finished already is kept, so a run that was cut off goes on.
"""

import argparse
import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.peers.processes import BIN

FIGURES = ("AP50", "AP75", "F1_50", "PQ", "SEG")
TRAIN = {"dsb": (), "phase": ("--fold", "4", "--size", "256", "--invert", "never", "--swap", "0",
                              "--scale", "1.3", "--epochs", "8", "--crops", "192",
                              "--validation", "0")}
# dark cells with bright rims have no threshold; the one that serves best on these images
THRESHOLD: dict[str, Sequence[str]] = {"dsb": (), "phase": ("--max-radius", "60")}
FOLDERS = {"dsb": "dsb2018_nuclei", "phase": "usiigaci_t98g_phase"}


def folds(kind: str, images: list[Path]) -> Iterator[tuple[str, list[Path], list[Path]]]:
    """(name, training images, held-out images)."""
    if kind == "dsb":
        yield "third", [p for i, p in enumerate(images) if i % 3 != 2], images[2::3]
        return
    for index, path in enumerate(images):
        yield f"fold{index}", images[:index] + images[index + 1 :], [path]


def run(command: str, *args: object) -> dict[str, object]:
    """Run a command; its last record."""
    done = subprocess.run([str(BIN / command), *map(str, args)], check=True, text=True,
                          stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def stores(folder: Path, name: str, images: list[Path]) -> tuple[Path, Path]:
    """An image store and its label store of some images."""
    place, truth = folder / f"{name}.ome.zarr", folder / f"{name}.labels.ome.zarr"
    if not place.exists():
        run("cell-extract", "images", *images, "-o", place, "-q")
    if not truth.exists():
        masks = [p.parents[1] / "labels" / f"{p.stem}.tif" for p in images]
        run("cell-extract", "labels", *masks, "--like", place, "-o", truth, "-q")
    return place, truth


def judged(found: Path, truth: Path) -> dict[str, float]:
    """Overall figures, and the mean AP50 of the images."""
    table = found.with_suffix(".parquet")
    said = run("cell-segment", "score", found, "--truth", truth, "-o", table, "--force", "-q")
    import pyarrow.parquet as pq

    rows = pq.read_table(table, columns=["metric", "value"]).to_pylist()
    mean = next(r["value"] for r in rows if r["metric"] == "AP50_image_mean")
    return {k: round(float(str(said[k])), 3) for k in FIGURES} | {"AP50_mean": round(mean, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=tuple(FOLDERS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path(".bench/segmenter"))
    parser.add_argument("--only", default="", help="part of a fold's name")
    given, rest = parser.parse_known_args()  # the rest goes to cell-train segmenter
    images = sorted((given.data / FOLDERS[given.kind] / "images").iterdir())
    for name, train, held in folds(given.kind, images):
        if given.only not in name:
            continue
        folder = given.scratch / given.kind / name
        folder.mkdir(parents=True, exist_ok=True)
        known, unseen = stores(folder, "train", train), stores(folder, "held", held)
        model, took = folder / "seg.model", 0.0
        if not model.exists():
            start = time.perf_counter()
            run("cell-train", "segmenter", *known, "-o", model, "--resume", *TRAIN[given.kind],
                *rest)
            took = time.perf_counter() - start
        found = {k: folder / f"{k}.labels.ome.zarr" for k in ("unet", "turned", "threshold")}
        run("cell-segment", "unet", unseen[0], "-m", model, "-o", found["unet"], "--force", "-q")
        run("cell-segment", "unet", unseen[0], "-m", model, "-o", found["turned"], "--tta", "all",
            "--force", "-q")
        run("cell-segment", "threshold", unseen[0], "-o", found["threshold"], "--force", "-q",
            *THRESHOLD[given.kind])
        figures = {k: judged(p, unseen[1]) for k, p in found.items()}
        print(json.dumps({"held_out": name, "training_s": round(took)} | figures), flush=True)


if __name__ == "__main__":
    main()
