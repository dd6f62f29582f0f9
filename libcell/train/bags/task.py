"""Bags and their classes as the engine's task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from libcell.nn.pooling import Bag
from libcell.train.bags import segments
from libcell.train.bags.instances import Bags
from libcell.train.engine.task import Task
from libcell.train.kernels import confusion

AT_ONCE = 65_536  # instances of one batch that is judged, padding counted


@dataclass(frozen=True)
class Lesson:
    """Which bags are learnt, and how. `bags` int (n,): places of those with a class, `y` (n,) into
    `k` classes, `split` text (n,). An epoch is `passes` over the training part."""

    bags: np.ndarray
    y: np.ndarray
    split: np.ndarray
    k: int
    batch: int
    passes: int
    balance: bool
    sampling: bool
    monitor: str


class BagClasses(Task):
    """Learn the classes of the training part's bags; judged on the validation part's."""

    def __init__(self, network: Bag, bags: Bags, lesson: Lesson, seed: int):
        self.network = network
        self.monitor, self.higher = lesson.monitor, lesson.monitor != "loss"
        self._bags, self._lesson, self._seed = bags, lesson, seed
        self._train, self._held = (np.flatnonzero(lesson.split == p)
                                   for p in ("train", "validation"))
        self._times = timelines(bags) if lesson.sampling else None
        self._weights = self._class_weights()

    def steps(self, epoch: int) -> int:
        return self._lesson.passes * self._of_pass()

    def _of_pass(self) -> int:
        return -(-len(self._train) // self._lesson.batch)

    def batches(self, epoch: int, start: int) -> Iterator[dict[str, np.ndarray]]:
        """x float32 (B,N,P), there bool (B,N), y int64 (B,), weight float32 (B,), 1 on average."""
        done, first = divmod(start, self._of_pass())
        for number in range(done, self._lesson.passes):
            yield from self._pass(epoch * self._lesson.passes + number,
                                  first if number == done else 0)

    def _pass(self, number: int, start: int) -> Iterator[dict[str, np.ndarray]]:
        order = np.random.default_rng((self._seed, number)).permutation(self._train)
        size = self._lesson.batch
        for first in range(start * size, len(order), size):
            some = order[first : first + size]
            drawn = [self._drawn(int(self._lesson.bags[i]), number) for i in some]
            weight = np.array([w for _, w in drawn], np.float32)
            yield padded(self._bags, [rows for rows, _ in drawn]) | {
                "y": self._lesson.y[some], "weight": weight / weight.mean()}

    def _drawn(self, bag: int, number: int) -> tuple[np.ndarray, float]:
        """Rows of a bag's instances that are seen in a pass, and the bag's weight."""
        a, b = self._bags.starts[bag], self._bags.starts[bag + 1]
        if self._times is None:
            return self._bags.rows[a:b], 1.0
        # of the bag and pass alone, so that no other bag's draw moves it
        random = np.random.default_rng((self._seed, number, bag, segments.LONGEST))
        hours, image = self._times[0][a:b], self._times[1][a:b]
        images, first = np.unique(image, return_index=True)
        in_time = np.argsort(hours[first], kind="stable")
        times = hours[first][in_time]
        usual = segments.usual_gap(times)
        seen, weight = segments.snippet(
            times, segments.draw_gap(usual, number, random), usual, random)
        return self._bags.rows[a:b][np.isin(image, images[in_time][seen])], weight

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Any]]:
        scores = network(batch["x"], batch["there"]).scores.float()
        truth = batch["y"]
        weights = None if self._weights is None else self._weights.to(scores.device)
        each = functional.cross_entropy(scores, truth, weight=weights, reduction="none")
        accuracy = (scores.argmax(dim=1) == truth).float().mean()
        return (each * batch["weight"]).mean(), {"accuracy": accuracy}

    def _class_weights(self) -> Tensor | None:
        """One over each class's count; 1 on average over the training part."""
        if not self._lesson.balance:
            return None
        counts = np.bincount(self._lesson.y[self._train], minlength=self._lesson.k)
        return torch.from_numpy(len(self._train) / self._lesson.k / np.maximum(counts, 1)).float()

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        if not len(self._held):
            return {}
        truth, k = self._lesson.y[self._held], self._lesson.k
        found, _ = said(network, self._bags, self._lesson.bags[self._held], device)
        loss = functional.cross_entropy(torch.from_numpy(found), torch.from_numpy(truth))
        figures = confusion.figures(confusion.count_confusion(truth, found.argmax(axis=1), k, k))
        return {"loss": float(loss), "balanced_accuracy": float(figures.balanced_accuracy),
                "macro_f1": float(figures.macro_f1)}


def timelines(bags: Bags) -> tuple[np.ndarray, np.ndarray]:
    """Hours float64 (m,) of each instance, or its frame where no hours are told; and which image
    it is of, int64 (m,)."""
    told = bags.instances
    names = [n for n in ("Metadata_Hours", "Metadata_T") if n in told.column_names
             and not told.column(n).null_count]
    hours = (told.column(names[0]).to_numpy().astype(float) if names
             else np.zeros(told.num_rows))
    text = [f"{image} {t}" for image, t in zip(told.column("Metadata_Image").to_pylist(),
                                               told.column("Metadata_T").to_pylist())]
    image = np.unique(np.array(text, str), return_inverse=True)[1]
    return hours, image.astype(np.int64)


def padded(bags: Bags, chosen: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Bags of these rows: x float32 (B,N,P), 0 where nothing is, and there bool (B,N)."""
    longest = max(map(len, chosen))
    there = np.arange(longest) < np.array([len(c) for c in chosen])[:, None]
    x = np.zeros((*there.shape, bags.values.shape[1]), np.float32)
    x[there] = bags.values[np.concatenate(chosen)]
    return {"x": x, "there": there}


def said(
    network: nn.Module, bags: Bags, places: np.ndarray, device: torch.device | str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Scores float64 (n,k) of the bags at `places` (n,), whole, and the attention float64 (N,) to
    each one's instances; `network` is on the device already."""
    order = sorted(range(len(places)), key=lambda i: _size(bags, int(places[i])))
    scores: dict[int, np.ndarray] = {}
    attention: dict[int, np.ndarray] = {}
    while order:
        some = order[-max(1, AT_ONCE // _size(bags, int(places[order[-1]]))):]
        del order[-len(some):]
        batch = padded(bags, [bags.rows[bags.starts[b] : bags.starts[b + 1]]
                              for b in places[some]])
        with torch.inference_mode():
            found = network(torch.from_numpy(batch["x"]).to(device),
                            torch.from_numpy(batch["there"]).to(device))
        scores |= zip(some, found.scores.double().cpu().numpy())
        attention |= {i: a[: _size(bags, int(places[i]))]
                      for i, a in zip(some, found.attention.double().cpu().numpy())}
    made = [scores[i] for i in range(len(places))]
    return (np.stack(made) if made else np.zeros((0, 0))), [attention[i] for i in range(len(made))]


def _size(bags: Bags, bag: int) -> int:
    return int(bags.starts[bag + 1] - bags.starts[bag])
