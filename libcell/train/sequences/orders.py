"""Labels for sequences of which only the order of the stages is told, kept beside the network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from libcell.data.crop_reader import CropReader
from libcell.nn import viterbi
from libcell.train.kernels.simple_features import simple_features
from libcell.train.sequences import walks
from libcell.train.sequences.courses import Course
from libcell.train.sequences.walks import Aligned

AT_ONCE = 512
ASKED = (0.75,)  # shares of all epochs after which the network is asked, too
# of a chance, for its logarithm: what the network must outdo, so that a half-trained one decides
# only what the first look left open
LEAST = 1e-5


class Labels(nn.Module):
    """labels int64 (sequences, T), -1 beyond an end; chances float32 (sequences, T, K).

    Buffers of what is trained, so that checkpoints hold them."""

    labels: Tensor
    chances: Tensor

    def __init__(self, found: Aligned, classes: int):
        super().__init__()
        length = max(map(len, found.labels), default=0)
        labels = torch.full((len(found.labels), length), -1)
        chances = torch.zeros((len(found.labels), length, classes))
        for row, likely, one, two in zip(labels, chances, found.labels, found.chances):
            row[: len(one)], likely[: len(one)] = torch.from_numpy(one), torch.from_numpy(two)
        self.register_buffer("labels", labels)
        self.register_buffer("chances", chances)

    def of(self, number: int) -> np.ndarray:
        """int64 (T,): the labels of a sequence, padded."""
        return self.labels[number].cpu().numpy()

    def ask(self, scores: Sequence[np.ndarray], courses: Sequence[Course]) -> None:
        """New labels of the first sequences, `courses`, from what the network says, float (T,K)
        each, and from what is known."""
        for number, said in enumerate(aligned(scores, courses, self.chances)):
            self.labels[number, : len(said)] = torch.from_numpy(said)


class Told(nn.Module):
    """A network and the labels beside it; only the first goes into a model."""

    def __init__(self, network: nn.Module, labels: Labels | None):
        super().__init__()
        self.network = network
        self.labels = labels

    def forward(self, fed: Tensor, there: Tensor) -> tuple[Tensor, ...]:
        said: tuple[Tensor, ...] = self.network(fed, there)
        return said


def first(path: Path, contract: dict[str, Any], courses: Sequence[Course], classes: int) -> Labels:
    """Labels by what cells look like: plain numbers of each crop's own pixels, of the whole
    picture where no crop has a mask; a crop without a mask among others counts as missing."""
    used = np.unique(np.concatenate([c.rows for c in courses]))
    used = used[used >= 0]
    features, masked = _features(path, contract, used)
    place = np.full(int(used.max(initial=-1)) + 2, -1)  # the last is a gap's
    place[used] = np.where(masked, np.arange(len(used)), -1)
    rows = [place[c.rows] for c in courses]
    return Labels(walks.align(features, rows, [c.transcript for c in courses], classes), classes)


def _features(
    path: Path, contract: dict[str, Any], rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """float64 (n,F) of the crops `rows`, and which of them have a mask (n,), or all if none has."""
    window = (contract["window_px"][0], contract["window_px"][1])
    reader = CropReader(path, "patch", size=window, channels=tuple(contract["channels"]), rows=rows)
    masked = np.concatenate([b.masks.any(axis=(1, 2)) for b in reader.in_order(AT_ONCE)])
    cut = bool(masked.any())
    made = [simple_features(b.crops * b.masks[:, None] if cut else b.crops, b.masks)
            for b in reader.in_order(AT_ONCE)]
    return np.concatenate(made), masked if cut else np.ones(len(rows), bool)


def aligned(
    scores: Sequence[np.ndarray], courses: Sequence[Course], chances: Tensor
) -> list[np.ndarray]:
    """int64 (T,) of each sequence: stages along its transcript, by a network's scores (T,K) and
    by the `chances` (B,T,K) known of it."""
    length = max(map(len, courses))
    order = torch.full((len(courses), max(len(c.transcript) for c in courses)), -1)
    logs = chances[: len(courses), :length].cpu().double().clamp_min(LEAST).log()
    for row, log, one, said in zip(order, logs, courses, scores):
        row[: len(one.transcript)] = torch.from_numpy(one.transcript)
        there = torch.from_numpy(one.rows >= 0)
        log[: len(one)] += torch.from_numpy(said).log_softmax(1) * there[:, None]
    flat = torch.zeros((logs.shape[2], length), dtype=torch.float64)
    path = viterbi.align(logs, torch.tensor([len(c) for c in courses]), order,
                         (order >= 0).sum(1), flat)
    return [row[: len(c)] for row, c in zip(path.numpy(), courses)]
