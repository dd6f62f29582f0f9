"""Training from a crop store beside training on tensors in memory; augmentation beside
torchvision's."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from libcell.data import crops, tables
from libcell.nn import classifier, torchvision_ops
from libcell.nn.augment import Augmentation
from libcell.run.reporter import Reporter
from libcell.train.engine import feed, optimizers, seeds
from libcell.train.engine.launch import Launch
from libcell.train.engine.recipe import Recipe
from libcell.train.engine.step import Stepper
from libcell.train.pictures.plan import Plan
from libcell.train.pictures.task import CropClasses, Lesson
from tests.peers.bench import Place, Row

N, EDGE, CLASSES = 1024, 64, 8
BATCH, ROUNDS = 32, 3
CONTRACT = {"channels": ["a", "b"], "region": "patch", "window_px": [EDGE, EDGE],
            "size_px": [EDGE, EDGE], "mask_channel": False,
            "normalisation": {"kind": "train", "mean": [3e4, 3e4], "sd": [1e4, 1e4]}}


def bench_train_loader(place: Place) -> Iterator[Row]:
    """Epochs of one network, fed from a store (read, shuffled, handed over) and from memory."""
    with tempfile.TemporaryDirectory(dir=place.scratch) as folder:
        task = _task(_store(Path(folder) / "a.crops.zarr"))
        stepper = _stepper(task)
        held = [{k: np.array(v) for k, v in b.items()} for b in task.batches(0, 0)]
        stored, memory = [], []
        for turn in range(ROUNDS + 1):
            with feed.ahead(task.batches(turn, 0)) as batches:
                stored.append(_steps(stepper, batches))
            memory.append(_steps(stepper, iter(held)))
    ratio = np.median(np.array(stored[1:]) / np.array(memory[1:]))
    speed = N / np.median(stored[1:])
    yield Row("training from a crop store beside tensors in memory", float(ratio), 1 / 0.95,
              "times its time", f"ResNet-18, batches of {BATCH} crops 2 x {EDGE}², {speed:.0f} "
              f"crops/s from the store, median of {ROUNDS} epochs")


def bench_train_augmentation(place: Place) -> Iterator[Row]:
    """Turned, scaled, moved and mirrored: the whole batch at once, and torchvision's one by one."""
    torchvision_ops.load()
    from torchvision.transforms.v2 import Compose, RandomAffine, RandomHorizontalFlip
    from torchvision.transforms.v2 import InterpolationMode as Mode

    peer = Compose([RandomHorizontalFlip(), RandomAffine(
        180, (0.05, 0.05), (0.9, 1.1), interpolation=Mode.BILINEAR)])
    batch = torch.rand(64, 3, 64, 64)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_timed(lambda: Augmentation().geometry(batch)))
        theirs.append(_timed(lambda: torch.stack([peer(one) for one in batch])))
    yield Row("augmentation beside torchvision's, one crop at a time",
              float(np.median(ours) / np.median(theirs)), 0.7, "times its time",
              f"64 crops 3 x 64²; {np.median(ours) * 1e3:.1f} and {np.median(theirs) * 1e3:.1f} ms")


def _steps(stepper: Stepper, batches: Iterator[Any]) -> float:
    start = time.process_time()  # all threads', the reading one's, too
    for i, batch in enumerate(batches):
        stepper.take(batch, (0, 0, i))
    return time.process_time() - start


def _timed(call: Any) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _stepper(task: CropClasses) -> Stepper:
    recipe = Recipe()
    place = Launch(0, 1, torch.device("cpu"))
    return Stepper(task, recipe, optimizers.build(task, recipe), place, Reporter().warn)


def _task(path: Path) -> CropClasses:
    rows = np.arange(N)
    plan = Plan(path, rows, rows % CLASSES, np.array([f"c{i}" for i in range(CLASSES)]),
                np.full(N, "g"), ("Metadata_Plate",), np.full(N, "train"),
                crops.open_crops(path).index())
    seeds.plant(0)
    shape = {"backbone": "resnet18", "channels": 2, "size_px": [EDGE, EDGE],
             "head": {"name": "linear", "options": {}}}
    return CropClasses(classifier.build(shape, CLASSES), plan, CONTRACT,
                       Lesson(BATCH, Augmentation()), 0)


def _store(path: Path) -> Path:
    """Crops of smooth noise, uint16, which packs about as well as microscopy does."""
    rng = np.random.default_rng(0)
    about: dict[str, Any] = {"command": "bench", "version": "0", "parameters": {}, "inputs": [],
                             "seed": 0, "created": None}
    index = tables.from_columns("objects", {
        "object_id": [f"i:t0:nuclei:{i + 1}" for i in range(N)], "Metadata_Plate": ["p"] * N,
        "Metadata_Well": [None] * N, "Metadata_Site": [None] * N, "Metadata_Image": ["i"] * N,
        "Metadata_T": [0] * N, "Metadata_Label": np.arange(1, N + 1),
        "Metadata_Compartment": ["nuclei"] * N, "y": np.zeros(N), "x": np.zeros(N),
        **{k: [0] * N for k in ("y0", "x0", "y1", "x1", "area_px")},
        "touches_border": [False] * N})
    crops.create(path, N, 2, (EDGE, EDGE), np.uint16)
    rows = crops.shard_rows(2, EDGE, EDGE, 2)
    for start in range(0, N, rows):
        n = min(rows, N - start)
        pixels = rng.normal(3e4, 1e4, (n, 2, EDGE // 4, EDGE // 4)).clip(0, 65535)
        fine = np.kron(pixels, np.ones((4, 4))) + rng.normal(0, 200, (n, 2, EDGE, EDGE))
        crops.write_shard(path, start, fine.clip(0, 65535).astype(np.uint16),
                          np.ones((n, EDGE, EDGE), bool))
    tables.write_parts(path / "index.parquet", [index], index.schema, "objects", about)
    crops.seal(path, n=N, channels=["a", "b"], compartment="nuclei", size=(EDGE, EDGE),
               pixel_size_um=None, provenance=about)
    return path
