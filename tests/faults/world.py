"""The inputs of all cases: a plate, a film, crops, bags and models, as small as can be."""

import contextlib
import io
import os
from pathlib import Path

import numpy as np


def build(folder: Path) -> int:
    """Make them in the folder, which must not exist. Runs commands in this process; returns 0."""
    folder.mkdir(parents=True)
    here = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            for make in (_plate, _film, _foreign, _learnt, _bags, _networks):
                make()
    finally:
        os.chdir(here)
    return 0


def _plate() -> None:
    """raw/, p and q (a second round), n and g (grown) labels, c crops, m and f features, y and z
    said."""
    import small_plate
    from hand_made import call

    small_plate.write_raw(Path("raw"))
    for source, output in (("raw", "p"), ("raw", "q")):
        call("extract", "images", f"{source}/*.tif", "--pattern", small_plate.PATTERN,
             "-o", f"{output}.ome.zarr")
    call("segment", "threshold", "p.ome.zarr", "-c", "DNA", "-o", "n.labels.ome.zarr")
    call("segment", "grow", "n.labels.ome.zarr", "--distance", 8, "-o", "g.labels.ome.zarr")
    call("crop", "cells", "n.labels.ome.zarr", "--images", "p.ome.zarr", "--size", 16,
         "-o", "c.crops.zarr")
    call("feat", "measure", "g.labels.ome.zarr", "--images", "p.ome.zarr", "--families", "shape",
         "-o", "m.parquet")
    small_plate.write_features(Path("f.parquet"))
    for seed, said in enumerate("yz"):
        model = "f.model" if said == "y" else "g.model"
        call("train", "forest", "f.parquet", "--target", "Metadata_Condition", "--trees", 10,
             "--seed", seed, "-o", model)
        call("train", "predict", "f.parquet", "-m", model, "-o", f"{said}.parquet")


def _film() -> None:
    """film: images, labels, tracks and the challenge's folder; stages of its cells."""
    from hand_made import call, write_images, write_labels

    from libcell.simulate import simulate_timelapse

    made = simulate_timelapse(3, frames=5, shape=(96, 96), n_cells=5)
    nuclei = made.nuclei.astype(np.uint32)
    write_images(Path("film.ome.zarr"), {"": made.image[:, :1, None]}, ("DNA",))
    write_labels(Path("film.labels.ome.zarr"), {"": {"nuclei": nuclei[:, None]}})
    call("track", "lap", "film.labels.ome.zarr", "-o", "film.tracks")
    call("extract", "to-ctc", "film.tracks", "--labels", "film.labels.ome.zarr", "--images",
         "film.ome.zarr", "-o", "film.ctc")
    _stages(Path("stages.parquet"))


def _stages(path: Path) -> None:
    """Predictions of stages along two tracks: before, within and after a division."""
    from hand_made import write_table

    names = ("Interphase", "Prophase", "Metaphase", "Anaphase", "Interphase")
    n = 2 * len(names)
    track = [1] * len(names) + [2] * len(names)
    t = list(range(len(names))) * 2
    columns = {
        "object_id": [f"f:t{a}:nuclei:{k}" for a, k in zip(t, track)],
        **{f"Metadata_{k}": [None] * n for k in ("Plate", "Well", "Site")},
        "Metadata_Image": ["f"] * n, "Metadata_T": t, "Metadata_Label": track,
        "Metadata_Compartment": ["nuclei"] * n, "target": [None] * n, "predicted": names * 2,
        "split": ["new"] * n, "track_id": track, "parent_track_id": [0] * n,
        **{f"p_{k}": [0.9 if k == s else 0.03 for s in names * 2] for k in sorted(set(names))}}
    write_table(path, "predictions", columns)


def _foreign() -> None:
    """pictures/ in folders by class, coco/, masks/ of two wells, series/ of two cells."""
    import tifffile
    from coco_files import annotation, document, write
    from PIL import Image
    from test_extract_sequences import sequence

    rng = np.random.default_rng(0)
    rows = ["file,class,plate"]
    for i in range(8):
        path = Path("pictures") / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(1, 255, (16 + i, 18), np.uint8)).save(path)
        rows.append(f"{path.relative_to('pictures')},{'ab'[i % 2]},p{i // 4}")
    Path("pictures/index.csv").write_text("\n".join(rows) + "\n")
    names = ["a.png", "b.png", "c.png"]
    write(Path("coco"), document([annotation(i + 1, image=i % 3 + 1) for i in range(9)], names))
    Path("masks").mkdir()
    for well in ("A01", "B02"):
        mask = np.zeros((128, 128), np.uint16)
        mask[20:40, 30:60], mask[70:90, 10:30] = 1, 2
        tifffile.imwrite(Path("masks") / f"{well}_mask.tif", mask)
    for name, stages in (("P1_A01_m1_cell1", [1, 1, 2, 3, 4]), ("P1_A01_m1_cell2", [1, 2, 3])):
        sequence(Path("series"), name, stages)


def _learnt() -> None:
    """k: crops of classes, a network that was taught them, what it looked at."""
    from hand_made import call
    from test_train_cnn import store

    store(Path("k.crops.zarr"), n=72)
    call("train", "cnn", "k.crops.zarr", "--target", "Metadata_Class", "--backbone",
         "test_resnet", "--epochs", 1, "--batch", 24, "--size", 24, "--no-baselines", "-o",
         "k.model")
    call("explain", "cam", "k.model", "k.crops.zarr", "--method", "gradcam", "--most", 6, "-o",
         "k.explain.zarr")


def _bags() -> None:
    """s: crops of sequences; bags with embeddings; what was said of two bags of crops b."""
    import bag_tables
    import seen_sets
    import stage_stores
    from hand_made import write_images, write_table

    stage_stores.store(Path("s.crops.zarr"), stage_stores.courses(12, 0))
    bag_tables.write(Path(), batches=2, each=2)
    n = 12
    seen_sets.write(Path("b.crops.zarr"), False, n=n)
    names = [f"b.crops/{i}:t0:nuclei:1" for i in range(n)]
    Path("said").mkdir()
    write_table(Path("said/attention.parquet"), "bags", {
        "bag_id": ["first"] * 6 + ["second"] * 6, "object_id": names,
        "position": list(range(6)) * 2, "attention": np.tile([0.05] * 4 + [0.1, 0.7], 2)})
    keys = {k: [None] * 2 for k in ("Metadata_Plate", "Metadata_Well", "Metadata_Site")}
    write_table(Path("said/predictions.parquet"), "predictions", {
        "object_id": ["first", "second"], **keys, "Metadata_Image": ["i0", "i6"],
        "Metadata_T": [0, 0], "Metadata_Label": [1, 1], "Metadata_Compartment": ["nuclei"] * 2,
        "target": ["dark", None], "predicted": ["dark", "bright"], "split": ["test"] * 2,
        "p_dark": [0.9, 0.2], "p_bright": [0.1, 0.8]})
    rng = np.random.default_rng(0)
    write_images(Path("b.ome.zarr"), {
        f"i{i}": rng.integers(0, 900, (1, 1, 1, 64, 64)).astype(np.uint16) for i in range(n)})


def _networks() -> None:
    """Segmenters and a tracker: ours with drawn or hardly taught weights, others' made by hand."""
    from hand_made import call
    from hand_made_networks import instanseg_file, stardist_folder
    from networks import write_model

    write_model(Path("seg.model"), channels=("DNA",))
    stardist_folder(Path("star"))
    instanseg_file(Path("instanseg.pt"))
    call("train", "tracker", "film.ome.zarr", "film.labels.ome.zarr", "--tracks", "film.tracks",
         "--widths", "4,8", "--size", 32, "--embedding", 4, "--epochs", 1, "--crops", 2,
         "--batch", 2, "-o", "track.model")
