"""What a model's card says of a trained network: temperature, figures, what it holds of batches."""

from typing import Any

import numpy as np
import torch

from libcell.train.kernels import held_out, probe, temperature
from libcell.train.pictures import judge
from libcell.train.pictures.plan import Plan


def verdict(
    network: Any, made: Plan, contract: dict[str, Any], seed: int, device: torch.device
) -> dict[str, Any]:
    """The card's `calibration`, `metrics` and `batch_probe`, from what was held out.

    The temperature is fitted on the validation part alone; the batch probe asks what the
    backbone's features hold of a crop's group. `network`, a Classifier, comes back on the CPU.
    """
    places = np.flatnonzero(made.split != "train")
    rows, groups, y = made.rows[places], made.groups[places], made.y[places]
    network.to(device)
    scores = judge.scores(network, made.path, contract, rows, device, len(made.classes))
    features = judge.scores(network.backbone, made.path, contract, rows, device, 0)
    network.to("cpu")
    validation = made.split[places] == "validation"
    found = temperature.fit_temperature(scores[validation], y[validation])
    figures = held_out.figures(temperature.probabilities(scores, found), y, made.classes,
                               made.split[places], groups, seed)
    return {"calibration": {"temperature": found, "rows": int(validation.sum())},
            "metrics": figures, "batch_probe": probe.batch_probe(features, groups, y, seed)}
