"""What a model of crops, of several folds or of one, says of a store's crops."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import folds, models
from libcell.data.folds import Answers
from libcell.errors import DataError
from libcell.train.kernels import temperature
from libcell.train.pictures import baselines, judge

CHANCES = "chances"


def of_crops(
    model: Path, card: Mapping[str, Any], keys: pa.Table, store: Path, rows: np.ndarray,
    device: str, *, alone: bool, others: bool,
) -> Answers:
    """`chances` float64 (n, k) of the store's `rows` (n,), whose keys are `keys`; with `others`
    those of each baseline, by its name: 1 for the class it sees.

    Unless it is `alone`, the thread that asks takes one core. DataError where pixels are no
    numbers.
    """
    def ask(member: str, places: np.ndarray) -> Answers:
        root = model / member
        own = models.load_card(root)
        k = len(own["classes"])
        scores = judge.scores(judge.loaded(root, device, alone), store, own["input"], rows[places],
                              device, k)
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(bad):
            raise DataError(
                f"{store}: crop {rows[places][bad[0]]} holds NaN or infinite pixels")
        chances = temperature.probabilities(scores, own["calibration"]["temperature"])
        asked = (baselines.predict(root, own["input"], store, rows[places], device)
                 if others else {})
        return {CHANCES: chances} | {n: np.eye(k)[seen] for n, seen in asked.items()}

    return folds.gather(card, keys, ask)
