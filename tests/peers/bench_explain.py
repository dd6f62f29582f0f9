"""Grad-CAM from store to store, beside pytorch-grad-cam and a bare pass forward and backward.

Both are given prepared tensors that lie in memory and a network as it is built, and write nothing.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from libcell.data import crops as stores
from libcell.data import explanations, models, tables
from libcell.explain.asking import crops, model
from libcell.explain.asking.block import Question, explain_shard
from libcell.nn import classifier, torchvision_ops
from tests.peers.bench import Place, Row
from tests.peers.bench_train import CLASSES, CONTRACT, EDGE, _store
from tests.peers.processes import remove

PEER = ("grad-cam==1.5.7", "ttach==0.0.3", "opencv-python-headless")
COUNT, BATCH, ROUNDS = 1024, 32, 2
PART, ALONE = 128, 64  # crops that others are asked about, in batches and one by one


def bench_explain_gradcam(place: Place) -> Iterator[Row]:
    """Throughput and likeness; the peer with batches as large as ours, and one crop at a time."""
    torch.set_num_threads(1)
    peer = _peer(place.scratch)
    with tempfile.TemporaryDirectory(dir=place.scratch) as folder:
        store = _store(Path(folder) / "a.crops.zarr")
        question = _question(store, Path(folder))
        network = classifier.restore(models.load_card(question.model),
                                     models.load_tensors(question.model), "the model")
        fed = torch.cat([t for _, t in crops.fed(store, CONTRACT, np.arange(PART), "cpu")])
        fed = fed.contiguous()
        out = Path(folder) / "x.explain.zarr"
        theirs: dict[str, Any] = {}

        def ours() -> None:
            remove(out)
            shard = explanations.create(out, COUNT, question.size)
            for start in range(0, COUNT, shard):
                explain_shard(out, Path(folder) / "asked.arrow", start, min(start + shard, COUNT),
                              question, Path(folder) / "part.arrow")

        speed = {
            "ours": COUNT / _median(ours),
            "bare": PART / _median(lambda: _forward_backward(network, fed)),
            "batches": PART / _median(lambda: theirs.update(
                maps=peer(network, question, fed, BATCH))),
            "single": ALONE / _median(lambda: peer(network, question, fed[:ALONE], 1))}
        maps: Any = zarr.open_group(str(out), mode="r")["maps"]
        found = np.asarray(maps).astype(np.float64)
        alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1]
                 for a, b in zip(found[:PART], theirs["maps"]) if a.any()]
    how = (f"ResNet-18, {COUNT} crops 2 x {EDGE}² uint16, one core: {speed['ours']:.0f} crops/s "
           f"from store to store, pytorch-grad-cam {speed['batches']:.0f} in batches of {BATCH} "
           f"and {speed['single']:.0f} one by one, median of {ROUNDS}")
    yield Row("Grad-CAM beside pytorch-grad-cam, one crop at a time",
              speed["single"] / speed["ours"], 0.1, "times its time", how)
    yield Row("Grad-CAM beside pytorch-grad-cam in batches", speed["batches"] / speed["ours"], 0.5,
              "times its time", how)
    yield Row("Grad-CAM beside a bare pass forward and backward", speed["bare"] / speed["ours"],
              2.5, "times its time", f"{speed['bare']:.0f} crops/s bare")
    yield Row("likeness to pytorch-grad-cam's maps", 1 - float(np.min(alike)), 1e-3,
              "1 - lowest correlation", f"{len(alike)} maps that are not empty, of {PART}")


def _question(store: Path, folder: Path) -> Question:
    """A model with weights at random, and what is asked of it."""
    torch.manual_seed(0)
    network = {"backbone": "resnet18", "channels": 2, "size_px": [EDGE, EDGE],
               "head": {"name": "linear", "options": {"dropout": 0.0}}}
    names = [f"c{i}" for i in range(CLASSES)]
    made = classifier.build(network, CLASSES)
    models.save(folder / "c.model", {k: v.numpy() for k, v in made.state_dict().items()}, {
        "architecture": "cnn", "classes": names, "target": "Metadata_Class", "network": network,
        "input": {"kind": "crops", "columns": None, **CONTRACT}, "seed": 0, "metrics": {},
        "training_data": "sha256:" + "0" * 64, "split": {"by": ["Metadata_Plate"], "groups": {}},
        "provenance": {"command": "bench", "version": "0", "parameters": {}, "inputs": [],
                       "seed": 0, "created": None}})
    card = models.load_card(folder / "c.model")
    asked = crops.chosen(store, card, (), "all", None, 0)
    tables.write_part(folder / "asked.arrow", asked.slice(0, COUNT))
    layer = model.layer_of(card, model.network(folder / "c.model", "cpu"), "auto")
    return Question(folder / "c.model", store, "gradcam", {}, layer, "predicted", False,
                    stores.open_crops(store).size_px, 1, "cpu")


def _forward_backward(network: torch.nn.Module, fed: torch.Tensor) -> None:
    network.requires_grad_(True)
    for part in fed.split(BATCH):
        network(part).amax(1).sum().backward()
        network.zero_grad()
    network.requires_grad_(False)


def _peer(scratch: Path) -> Callable[..., np.ndarray]:
    """pytorch-grad-cam from a folder of its own: it and OpenCV are no business of ours."""
    folder = scratch / "grad-cam"
    if not folder.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target",
                        str(folder), *PEER], check=True)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    torchvision_ops.load()
    from pytorch_grad_cam import GradCAM

    def maps(network: Any, question: Question, fed: torch.Tensor, batch: int) -> np.ndarray:
        assert question.layer
        network.requires_grad_(True)
        with GradCAM(network, [network.backbone.get_submodule(question.layer.name)]) as cam:
            made = np.concatenate([cam(part, None) for part in fed.split(batch)])
        return np.asarray(made)

    return maps


def _median(call: Callable[[], Any]) -> float:
    """Processor time of all threads, the reading one's, too; the first turn does not count."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return float(np.median(times[1:]))
