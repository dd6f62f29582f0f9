"""Whether attention beats the mean where few instances tell a bag's class, and points at them.

    python -m tests.peers.mil_quality sets OUT --data ../shared/data
    python -m tests.peers.mil_quality wells OUT --data ../shared/data
    python -m tests.peers.mil_quality lines OUT
    python -m tests.peers.mil_quality cells OUT

`sets`: real nuclei (MitoCheck) in bags of 20 of which two are of the bag's class and the others
of classes that all bags hold; plates in five sets, each left out once. `wells`: the same nuclei
bagged by well; does a well hold apoptotic nuclei? `lines`: simulated phase contrast, time series of
which a fifth of the cells look like their line, batches left out, embeddings scaled batch by batch.
`cells`: phase contrast again, an instance is an outlined cell, a bag is a flask, of whose cells a
tenth look like their line.
Everything goes through the commands; embeddings are an untrained ResNet-18's. One line of JSON per
pooling. What is finished is kept.
"""

import argparse
import csv
import json
import subprocess
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from libcell.data import crops, tables
from libcell.train.kernels import splits
from tests.peers.processes import BIN

POOLINGS = ("attention", "mean", "max", "transformer")
CLASSES = ("Apoptosis", "Prometaphase", "Polylobed")
OTHERS = ("Interphase", "Binuclear", "SmallIrregular", "OutOfFocus", "Elongated", "Large")
SETS, BAGS, SIZE, TELLING = 5, 20, 20, 2  # bags: of each class in each set
SHORT = ("--epochs", "10", "--passes", "5")  # 300 bags are many
BRIEF = ("--epochs", "10", "--passes", "10")
LINES = ("--lines", 3, "--batches", 4, "--positions", 6, "--frames", 3, "--hours", 6,
         "--share", 0.2, "--cells", 30)
FLASKS = ("--lines", 3, "--batches", 4, "--positions", 24, "--frames", 1, "--share", 0.1,
          "--cells", 24)


def run(command: str, *args: object, output: Path) -> dict[str, object]:
    """Run a command unless its output is there; its last record."""
    if output.exists():
        return {}
    done = subprocess.run([str(BIN / command), *map(str, args), "--quiet", "--resume", "-j", "1",
                           "-o", str(output)], check=True, text=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def nuclei(out: Path, data: Path) -> tuple[Path, list[dict[str, str]]]:
    """Embeddings of MitoCheck's nuclei, and the rows of the store's index."""
    folder, store, made = data / "mitocheck_nuclei", out / "m.crops.zarr", out / "e.parquet"
    run("cell-extract", "classes", folder, "--index", folder / "index.csv", output=store)
    run("cell-feat", "embed", store, "--backbone", "resnet18", "--untrained", output=made)
    return made, crops.open_crops(store).index().to_pylist()


def write_bags(path: Path, bags: list[tuple[dict[str, str], list[str]]]) -> None:
    """A bag table from each bag's own columns and its instances."""
    rows = [(f"{'/'.join(own.values())}/{n}", one, place, own)
            for n, (own, ones) in enumerate(bags) for place, one in enumerate(ones)]
    table = tables.from_columns("bags", {
        "bag_id": [r[0] for r in rows], "object_id": [r[1] for r in rows],
        "position": [r[2] for r in rows],
        **{name: [r[3][name] for r in rows] for name in bags[0][0]}})
    about = {"command": "mil_quality", "version": "0", "parameters": {}, "inputs": [], "seed": 0,
             "created": None}
    tables.write_parts(path, [table], table.schema, "bags", about)


def sets(out: Path, data: Path) -> None:
    embedded, rows = nuclei(out, data)
    random = np.random.default_rng(0)
    part = splits.group_folds([r["Metadata_Class"] for r in rows],
                              [r["Metadata_Plate"] for r in rows], SETS, 0)
    made = []
    for number in range(SETS):
        here = [r for r, p in zip(rows, part) if p == number]
        pool = [r["object_id"] for r in here if r["Metadata_Class"] in OTHERS]
        for label in CLASSES:
            own = [r["object_id"] for r in here if r["Metadata_Class"] == label]
            for _ in range(BAGS):
                ones = [*random.choice(own, TELLING, replace=False),
                        *random.choice(pool, SIZE - TELLING, replace=False)]
                made.append(({"Metadata_Bag_Class": label, "Metadata_Set": f"set{number}"}, ones))
    write_bags(out / "sets.parquet", made)
    tells = {r["object_id"] for r in rows if r["Metadata_Class"] in CLASSES}
    study(out / "sets", [out / "sets.parquet"], embedded, "Metadata_Bag_Class",
          ("--group", "Metadata_Set", "--leave-one-out", "--sampling", "whole", *SHORT), tells,
          "Metadata_Set")


def wells(out: Path, data: Path) -> None:
    embedded, rows = nuclei(out, data)
    inside: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        inside.setdefault((row["Metadata_Plate"], row["Metadata_Well"]), []).append(row)
    made = []
    for (plate, well), ones in sorted(inside.items()):
        holds = any(r["Metadata_Class"] == CLASSES[0] for r in ones)
        made.append(({"Metadata_Plate": plate, "Metadata_Well": well,
                      "Metadata_Holds": CLASSES[0] if holds else "none"},
                     [r["object_id"] for r in ones]))
    write_bags(out / "wells.parquet", made)
    tells = {r["object_id"] for r in rows if r["Metadata_Class"] == CLASSES[0]}
    study(out / "wells", [out / "wells.parquet"], embedded, "Metadata_Holds",
          ("--group", "Metadata_Plate", "--folds", "5", "--sampling", "whole", *BRIEF), tells,
          "Metadata_Plate")


def simulate(what: str, args: tuple[object, ...], output: Path) -> Path:
    if not output.exists():
        subprocess.run([str(BIN / "python"), "-m", "libcell.simulate", what, "-o", str(output),
                        *map(str, args)], check=True)
    return output


def lines(out: Path, _: Path) -> None:
    raw, image = simulate("lines", LINES, out / "raw"), out / "p.ome.zarr"
    area, store, embedded = out / "a.labels.ome.zarr", out / "p.crops.zarr", out / "e.parquet"
    run("cell-extract", "images", f"{raw}/images/*/*/*", "--pattern",
        "{line}/batch_{batch}/{_}_{position}_{flask}_{time}.tif", output=image)
    run("cell-segment", "foreground", image, output=area)
    run("cell-crop", "clusters", area, "--images", image, "--bag",
        "Metadata_Line,Metadata_Batch,Metadata_Position", "--size", 64, "--top", 8, output=store)
    run("cell-feat", "embed", store, "--backbone", "resnet18", "--untrained", output=embedded)
    scaled = out / "n.parquet"
    run("cell-feat", "normalize", embedded, "--by", "Metadata_Batch", output=scaled)
    for how in ("whole", "segments"):
        study(out / how, [store], scaled, "Metadata_Line",
              ("--group", "Metadata_Batch", "--leave-one-out", "--sampling", how, *BRIEF),
              telling_patches(raw, store), "Metadata_Batch")


def cells(out: Path, _: Path) -> None:
    raw, outlined = (simulate(w, FLASKS, out / w) for w in ("lines", "livecell"))
    store, embedded, scaled = out / "c.crops.zarr", out / "e.parquet", out / "n.parquet"
    run("cell-extract", "coco", outlined / "livecell_coco_*.json", "--images", outlined / "images",
        "--size", 40, output=store)
    run("cell-feat", "embed", store, "--backbone", "resnet18", "--untrained", "--tta", "flips",
        output=embedded)
    # one well of a batch, of each line: as LIVECell names its wells
    run("cell-feat", "normalize", embedded, "--by", "Metadata_Well", output=scaled)
    own = {tuple(row[k] for k in ("Metadata_Line", "Metadata_Batch", "Metadata_Position",
                                  "Metadata_Label")): row["class"] != "common"
           for row in csv.DictReader((raw / "truth" / "objects.csv").open())}
    made: dict[tuple[str, str, str], list[str]] = {}
    tells = set()
    for row in crops.open_crops(store).index().to_pylist():
        well = row["Metadata_Well"]
        flask = row["Metadata_CellLine"], str(ord(well[0]) - ord("A") + 1), f"P{well[1:]}"
        made.setdefault(flask, []).append(row["object_id"])
        if own[*flask, str(row["Metadata_Label"])]:
            tells.add(row["object_id"])
    names = ("Metadata_Line", "Metadata_Batch", "Metadata_Position")
    write_bags(out / "bags.parquet", [(dict(zip(names, f)), ones) for f, ones in made.items()])
    study(out / "flasks", [out / "bags.parquet"], scaled, "Metadata_Line",
          ("--group", "Metadata_Batch", "--leave-one-out", "--sampling", "whole", *BRIEF), tells,
          "Metadata_Batch")


def telling_patches(raw: Path, store: Path) -> set[str]:
    """Patches in which the centre of a cell lies that looks like its line."""
    keys = ("Metadata_Line", "Metadata_Batch", "Metadata_Position", "Metadata_T")
    cells: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    with (raw / "truth" / "objects.csv").open() as file:
        for row in csv.DictReader(file):
            if row["class"] != "common":
                cells.setdefault(tuple(row[k] for k in keys), []).append(
                    (float(row["y"]), float(row["x"])))
    return {one["object_id"] for one in crops.open_crops(store).index().to_pylist()
            if any(one["y0"] <= y < one["y1"] and one["x0"] <= x < one["x1"]
                   for y, x in cells.get(tuple(str(one[k]) for k in keys), []))}


def study(
    out: Path, bags: list[Path], embedded: Path, target: str, args: tuple[str, ...],
    tells: set[str], group: str,
) -> None:
    """Train, predict and score with each pooling; print figures and where attention points."""
    out.mkdir(exist_ok=True)
    for pooling in POOLINGS:
        model, said, score = (out / f"{pooling}{end}" for end in (".model", ".bundle", ".score"))
        run("cell-train", "mil", *bags, "--embeddings", embedded, "--target", target, "--pooling",
            pooling, *args, output=model)
        run("cell-train", "predict", model, *bags, "--embeddings", embedded, output=said)
        run("cell-train", "score", said / "predictions.parquet", "--group", group, output=score)
        print(json.dumps({"bags": out.name, "pooling": pooling, **figures(score),
                          "attention_auc": pointed(said, tells)}), flush=True)


def figures(score: Path) -> dict[str, object]:
    table = tables.read(score / "scores.parquet", "scores").to_pylist()
    return {r["metric"]: [None if r[k] is None else round(r[k], 3) for k in
                          ("value", "low", "high")]
            for r in table if r["label"] is None and r["group"] is None and r["metric"] in (
                "balanced_accuracy", "batch_accuracy", "mean_balanced_accuracy",
                "majority_balanced_accuracy", "balanced_accuracy_over_mean")}


def pointed(said: Path, tells: set[str]) -> list[float]:
    """Mean over bags of the AUC of attention against what tells, and the share that does."""
    bags: dict[str, list[tuple[bool, float]]] = {}
    for row in tables.read(said / "attention.parquet", "bags").to_pylist():
        bags.setdefault(row["bag_id"], []).append((row["object_id"] in tells, row["attention"]))
    both = [list(zip(*ones)) for ones in bags.values() if len({t for t, _ in ones}) == 2]
    shares = [t for ones in bags.values() for t, _ in ones]
    return [round(float(np.mean([roc_auc_score(t, a) for t, a in both])), 3),
            round(float(np.mean(shares)), 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = {"sets": sets, "wells": wells, "lines": lines, "cells": cells}
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    kinds[given.kind](given.out, given.data)


if __name__ == "__main__":
    main()
