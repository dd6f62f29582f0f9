"""A small task for the engine; as a script it trains in a process that a test can kill.

    python engine_task.py OUT --slow=SECONDS_PER_STEP
"""

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from libcell.data.output import Output
from libcell.run import workers
from libcell.run.inputs import Inputs
from libcell.run.job import Job
from libcell.run.method import Method
from libcell.run.reporter import Reporter
from libcell.train.engine import seeds
from libcell.train.engine.fit import fit
from libcell.train.engine.recipe import Recipe
from libcell.train.engine.task import Task

RECIPE = Recipe(epochs=3, lr=0.01, warmup=0.5, ema=0.9, checkpoint_seconds=0.0)


def points(n, seed):
    """Two clouds on a ring that no line parts."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, 2)).astype(np.float32)
    return x, ((x**2).sum(axis=1) > 1.4).astype(np.int64)


class Ring(Task):
    """Dropout, batch normalisation and noise in the loss: whatever could depend on history."""

    monitor = "accuracy"
    higher = True

    def __init__(self, seed=0, n=640, batch=16, slow=0.0):
        seeds.plant(seed)
        self.network = nn.Sequential(
            nn.Linear(2, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2))
        self.x, self.y = points(n, 1)
        self.held = points(200, 2)
        self.seed, self.batch, self.slow = seed, batch, slow
        self.after = []

    def steps(self, epoch):
        return len(self.x) // self.batch

    def batches(self, epoch, start):
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.x))
        for i in range(start, self.steps(epoch)):
            rows = order[i * self.batch : (i + 1) * self.batch]
            yield {"x": self.x[rows], "y": self.y[rows]}

    def loss(self, network, batch):
        time.sleep(self.slow)
        noisy = batch["x"] + 0.05 * torch.randn_like(batch["x"])
        answer = network(noisy)
        right = (answer.argmax(1) == batch["y"]).float().mean()
        return nn.functional.cross_entropy(answer, batch["y"]), {"accuracy": right}

    def validate(self, network, device):
        x, y = self.held
        answer = network(torch.from_numpy(x).to(device))
        return {"accuracy": float((answer.argmax(1).cpu().numpy() == y).mean())}

    def after_step(self, step, total):
        self.after.append(step)


@dataclass(frozen=True)
class NoOptions:
    """None."""


class Heard(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        self.warnings, self.notes, self.steps = [], [], []

    def warn(self, text):
        self.warnings.append(text)

    def note(self, text):
        self.notes.append(text)

    def progress(self, phase, done, total):
        self.steps.append((phase, done, total))


METHOD = Method("ring", "Learns a ring.", lambda job, options: None, NoOptions, ("features",),
                "model", ".model", "cell-train ring x.parquet -o x.model")


@contextlib.contextmanager
def a_job(path, *, resume=False, reporter=None, device="cpu"):
    """A job whose output grows beside `path`."""
    output = Output(Path(path), resume=resume)
    output.begin({"what": "ring"})
    job = Job("train", METHOD, NoOptions(), Inputs([]), output, workers.open_pool("threads", 1),
              reporter or Heard(), device=device)
    try:
        yield job
    finally:
        job.close()


def main(path, slow):
    with a_job(path) as job:
        fit(Ring(slow=float(slow.removeprefix("--slow="))), RECIPE, job, seed=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
