"""What a network says of every frame of sequences, and of every crop."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from libcell.data import models
from libcell.nn import pixels, sequence, viterbi
from libcell.nn.augment import Augmentation
from libcell.train.sequences import batches
from libcell.train.sequences.courses import Course

FRAMES = 512  # of one batch, padding counted


@functools.lru_cache(maxsize=2)
def loaded(model: Path, stamp: int, device: str) -> nn.Module:
    """A trained network on its device; `stamp` is its file's time."""
    made = sequence.restore(models.load_card(model), models.load_tensors(model), str(model))
    return made.to(device)


def prepared(
    batch: dict[str, Tensor], contract: dict[str, Any], varied: Augmentation | None = None
) -> tuple[Tensor, Tensor]:
    """What a network is fed (B,T,C,H,W), and the masks (B,T,1,H,W), float, scaled with it.

    All frames of a sequence are turned and brightened alike, or time would be noise.
    """
    n, length, channels = batch["crops"].shape[:3]
    size, how = (contract["size_px"][0], contract["size_px"][1]), contract["normalisation"]
    device = batch["crops"].device
    made = pixels.shape(batch["crops"].flatten(0, 1), size, how, device)
    masks = pixels.fit_size(pixels.to_float(batch["masks"].flatten(0, 1), device)[:, None], size)
    both = torch.cat([made, masks], 1).unflatten(0, (n, length))
    if varied:
        both = varied.geometry(both.flatten(1, 2)).unflatten(1, both.shape[1:3])
    seen = pixels.normalise(both[:, :, :channels].flatten(0, 1), how).unflatten(0, (n, length))
    if varied:
        # frames below each other are one tall picture, whose contrast is varied once
        tall = seen.transpose(1, 2).flatten(2, 3)
        seen = varied.intensities(tall).unflatten(2, (length, size[0])).transpose(1, 2)
    return seen, both[:, :, channels:]


def scores(
    network: nn.Module, path: Path, contract: dict[str, Any], courses: Sequence[Course],
    device: torch.device | str,
) -> list[np.ndarray]:
    """float64 (T,K) of each sequence, in their order, 0 in gaps; `network` is on the device."""
    order = sorted(range(len(courses)), key=lambda i: len(courses[i]))
    found: dict[int, np.ndarray] = {}
    while order:
        longest = len(courses[order[-1]])
        some = order[-max(1, FRAMES // longest):]
        del order[-len(some):]
        batch = {k: torch.from_numpy(v).to(device)
                 for k, v in batches.read(path, contract, [courses[i] for i in some]).items()}
        with torch.inference_mode():
            fed, _ = prepared(batch, contract)
            said = network(fed, batch["there"]).scores.double()
            said = torch.where(batch["there"][..., None], said, 0.0).cpu().numpy()
        found |= {i: said[k, : len(courses[i])] for k, i in enumerate(some)}
    return [found[i] for i in range(len(courses))]


def padded(values: Sequence[np.ndarray], fill: float = 0) -> Tensor:
    """Arrays (T,...) of different lengths as one tensor (B,T,...)."""
    length = max(map(len, values), default=0)
    made = np.full((len(values), length, *values[0].shape[1:]), fill, values[0].dtype)
    for row, one in zip(made, values):
        row[: len(one)] = one
    return torch.from_numpy(made)


def courses_of(
    chances: Sequence[np.ndarray], courses: Sequence[Course], log_change: np.ndarray,
    least: np.ndarray,
) -> list[np.ndarray]:
    """The likeliest course int (T,) of each sequence, given how likely each stage is (T,K) in
    each frame, which may follow which, and how long each lasts at the least."""
    if not courses:
        return []
    logs = [np.where(c.rows[:, None] >= 0, np.log(np.maximum(p, 1e-12)), 0.0)
            for p, c in zip(chances, courses)]
    frames = torch.tensor([len(c) for c in courses])
    found = viterbi.decode(padded(logs), frames, torch.from_numpy(log_change),
                           torch.from_numpy(least)).numpy()
    return [path[: len(c)] for path, c in zip(found, courses)]


def by_crop(
    values: Sequence[np.ndarray], courses: Sequence[Course], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """`values` (T,K) of sequences for each of `n` crops, (n,K), and which crops have any (n,).

    Of several sequences with the same crop that one counts which has seen most before it.
    """
    made = np.zeros((n, values[0].shape[1] if values else 0))
    place = np.full(n, -1)
    for one, course in zip(values, courses):
        at = np.flatnonzero(course.rows >= 0)
        rows = course.rows[at]
        better = at > place[rows]
        made[rows[better]], place[rows[better]] = one[at[better]], at[better]
    return made, place >= 0
