"""How well `cell-train sequence` tells stages of cells that it has not seen.

    python -m tests.peers.sequence_quality films --scratch .bench/sequence
    python -m tests.peers.sequence_quality chains --data ../shared/data

`films`: simulated, tracked by `cell-track lap`; for each seed all stages beside their order
alone, beside each frame for itself, on wells held out. `chains`: MitoCheck's nuclei, of which
those that lie at one place in successive labelled frames are joined to chains (a heuristic, not
truth); all other nuclei of the classes are sequences of one frame, and whole plates are held out.
One line of JSON a model; what is finished already is kept.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.peers.segmenter_quality import run

PATTERN = "{well}_s{site}_t{t}_{channel}.tif"
SMALL = ("--network-options", "backbone=test_resnet")
MODELS = {
    "all stages": ("--network", "transformer", *SMALL),
    "order alone": ("--network", "transformer", *SMALL, "--weak"),
    "frame by frame": ("--network", "frames", *SMALL),
}
CLASSES = ("Interphase", "Prometaphase", "MetaphaseAlignment", "Metaphase", "Anaphase",
           "Apoptosis")
SAID = ("accuracy", "balanced_accuracy", "macro_f1")


def film(folder: Path, seed: int) -> Path:
    """A crop store of the tracked cells of a simulated film of six wells."""
    made = folder / "s.crops.zarr"
    if made.exists():
        return made
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "libcell.simulate", "timelapse", "-o", folder / "film",
                    "--wells", "6", "--frames", "36", "--size", "200", "--cells", "6", "--seed",
                    str(seed)], check=True)
    image, labels, tracks = (folder / n for n in ("P1.ome.zarr", "n.labels.ome.zarr", "t.tracks"))
    run("cell-extract", "images", folder / "film/images/*.tif", "--pattern", PATTERN, "-o", image,
        "-q")
    run("cell-extract", "labels", folder / "film/truth/labels/*_nuclei.tif", "--like", image,
        "--pattern", PATTERN, "-o", labels, "-q")
    run("cell-track", "lap", labels, "-o", tracks, "-q")
    run("cell-crop", "sequences", tracks, "--labels", labels, "--images", image, "--size", 40,
        "-o", made, "-q")
    return made


def films(given: argparse.Namespace) -> None:
    for seed in range(given.seeds):
        folder = given.scratch / f"film{seed}"
        store, truth = film(folder, seed + 1), folder / "film/truth/tracks.csv"
        told = ("--truth", truth, "--target", "stage")
        for name, how in MODELS.items():
            learnt = (*told, "--group", "Metadata_Well", "--fractions", "0.5,0.15,0.35",
                      "--window", 32, "--batch", 2, "--epochs", given.epochs, "--seed", seed, *how)
            report(folder, store, f"seed {seed}: {name}", name, learnt, told,
                   ("--group", "Metadata_Well"))


def chains(given: argparse.Namespace) -> None:
    folder = given.scratch / "chains"
    store = chain_store(folder, given.data / "mitocheck_nuclei")
    told = ("--truth", folder / "stages.csv", "--target", "stage")
    for fold in range(given.folds):
        for name in ("all stages", "frame by frame"):
            learnt = (*told, "--group", "Metadata_Plate", "--folds", given.folds, "--fold", fold,
                      "--stages", ",".join(CLASSES), "--size", 48, "--batch", 32,
                      "--epochs", given.epochs, *MODELS[name])
            report(folder, store, f"fold {fold}: {name}", f"{name} {fold}", learnt, told,
                   ("--group", "Metadata_Plate"))


def chain_store(folder: Path, data: Path) -> Path:
    """Folders of single nuclei to a crop store, with the chains as its sequences and all others
    alone; beside it `stages.csv`, the classes that are stages of mitosis."""
    from libcell.data import crops, tables

    made, flat = folder / "s.crops.zarr", folder / "flat.crops.zarr"
    if made.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    if not flat.exists():
        run("cell-extract", "classes", data, "--index", data / "index.csv", "-o", flat, "-q")
    index = crops.open_crops(flat).index().to_pylist()
    with (folder / "stages.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("object_id", "stage"), *(
            (r["object_id"], r["Metadata_Class"]) for r in index
            if r["Metadata_Class"] in CLASSES)])
    found = tables.from_columns("sequences", _listed(index, data / "short_chains_heuristic.csv"))
    part = folder / "part.zarr"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(flat, part)
    tables.write_parts(part / "sequences.parquet", [found], found.schema, "sequences", {})
    part.rename(made)
    return made


def _listed(index: list[dict[str, Any]], table: Path) -> dict[str, list[Any]]:
    """Columns of the table of sequences; frames between those of a chain are gaps."""
    names = {r["Metadata_Image"]: r["object_id"] for r in index}
    rows: dict[str, list[tuple[int, str]]] = defaultdict(list)
    with table.open() as lines:
        for one in csv.DictReader(lines):
            name = names.pop(one["file"].removesuffix(".png"))
            rows[f"chain{one['chain']}"].append((int(one["frame"]), name))
    rows |= {f"alone{i}": [(0, name)] for i, name in enumerate(names.values())}
    listed = [(k, name, t, t - min(found)[0], k, n, None, False)
              for n, (k, found) in enumerate(rows.items()) for t, name in sorted(found)]
    return dict(zip(("sequence_id", "object_id", "Metadata_T", "position", "Metadata_Image",
                     "track_id", "parent_sequence_id", "gap"), map(list, zip(*listed))))


def report(
    folder: Path, store: Path, said: str, name: str, learnt: tuple[Any, ...],
    told: tuple[Any, ...], scored: tuple[Any, ...],
) -> None:
    """Train, predict, judge; one line of JSON."""
    place = folder / name.replace(" ", "-")
    model, found = place.with_suffix(".model"), place.with_suffix(".parquet")
    if not found.exists():
        if not model.exists():
            run("cell-train", "sequence", store, *learnt, "--resume", "-o", model, "-q")
        run("cell-train", "predict", model, store, *told, "-o", found, "-q")
    one = run("cell-train", "score", found, *scored, "-q")
    print(json.dumps({"model": said, "frames": one["n"]} | {
        k: round(float(str(one[k])), 3) for k in SAID} | within(store, found)), flush=True)


def within(store: Path, found: Path) -> dict[str, Any]:
    """The same on the held-out frames of sequences of two frames or more alone."""
    import pyarrow.parquet as pq

    listed = pq.read_table(store / "sequences.parquet", columns=["sequence_id", "object_id"])
    of = dict(zip(listed["object_id"].to_pylist(), listed["sequence_id"].to_pylist()))
    count = Counter(of.values())
    rows = [r for r in pq.read_table(found, columns=["object_id", "target", "predicted", "split"]
                                     ).to_pylist()
            if r["split"] == "test" and r["target"] and count[of.get(r["object_id"])] > 1]
    right = sum(r["target"] == r["predicted"] for r in rows)
    return {"in_sequences": len(rows), "right": round(right / max(1, len(rows)), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=("films", "chains"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--scratch", type=Path, default=Path(".bench/sequence"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    given = parser.parse_args()
    {"films": films, "chains": chains}[given.kind](given)


if __name__ == "__main__":
    main()
