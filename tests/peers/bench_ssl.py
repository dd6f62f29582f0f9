"""Learning without labels from a crop store beside a bare loop on tensors in memory."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from libcell.nn import backbones, selfsup
from libcell.nn.augment import Augmentation, Cut
from libcell.run.reporter import Reporter
from libcell.train.engine import feed, optimizers, seeds
from libcell.train.engine.launch import Launch
from libcell.train.engine.recipe import Recipe
from libcell.train.engine.step import Stepper
from libcell.train.selfsup.material import Material
from libcell.train.selfsup.task import Unlabelled, Views
from libcell.train.selfsup.watch import Watch
from tests.peers.bench import Place, Row
from tests.peers.bench_train import EDGE, _store

BATCH, STEPS, ROUNDS = 16, 4, 5


class _Seen:
    """What is seen of crops: all of it."""

    window = size = None
    channels = ()
    region, mask_channel, normalise = "patch", False, "train"


def bench_ssl_step(place: Place) -> Iterator[Row]:
    """DINO with two whole and four small views; reading, shuffling and the engine on one side,
    the least that any training must do on the other."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=place.scratch) as folder:
        made = Material([_store(Path(folder) / "a.crops.zarr")], _Seen())
        one, two = _task(made), _task(made)
        held = [torch.from_numpy(np.array(b["crops"])) for b, _ in zip(two.batches(0, 0),
                                                                       range(STEPS))]
        ours, bare = _stepped(one), _bare(two, held)
        times = np.array([(_cpu(lambda k=k: ours(k)), _cpu(bare)) for k in range(ROUNDS + 1)][1:])
    ratio = float(np.median(times[:, 0] / times[:, 1]))
    yield Row("DINO from a crop store beside a bare loop on tensors in memory", ratio, 1 / 0.9,
              "times its CPU", f"ResNet-10, batches of {BATCH} crops 2 x {EDGE}² uint16, 2 + 4 "
              f"views, {BATCH * STEPS / np.median(times[:, 0]):.0f} crops/s, median of {ROUNDS}")


def _stepped(task: Unlabelled) -> Callable[[int], None]:
    recipe = Recipe(clip=3.0)
    stepper = Stepper(task, recipe, optimizers.build(task, recipe),
                      Launch(0, 1, torch.device("cpu")), Reporter().warn)

    def run(epoch: int) -> None:
        with feed.ahead(task.batches(epoch, 0)) as batches:
            for i, batch in zip(range(STEPS), batches):
                stepper.take(batch, (0, epoch, i))
                task.after_step(i + 1, 100)

    return run


def _bare(task: Unlabelled, held: list[torch.Tensor]) -> Callable[[], None]:
    recipe = Recipe(clip=3.0)
    optimizer = optimizers.build(task, recipe)
    parameters = [p for p in task.network.parameters() if p.requires_grad]

    def run() -> None:
        for i, crops in enumerate(held):
            loss, _ = task.loss(task.network, {"crops": crops})
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 3.0)
            optimizer.step()
            task.after_step(i + 1, 100)

    return run


def _task(made: Material) -> Unlabelled:
    seeds.plant(0)
    backbone = backbones.build("resnet10t", 2, (EDGE, EDGE))
    learner = selfsup.build("dino", backbone, STEPS, {}).train()
    views = Views(Cut((EDGE, EDGE)), Cut((EDGE // 2, EDGE // 2), (0.1, 0.5)), 4, Augmentation())
    return Unlabelled(learner, made, views, BATCH, Watch(made, None, 1, 1, 0), 0)


def _cpu(call: Callable[[], Any]) -> float:
    """Of all threads, the reading one's, too."""
    start = time.process_time()
    call()
    return time.process_time() - start
