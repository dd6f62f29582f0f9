"""Segmenters with drawn weights: what they say means nothing, but they say it of every pixel."""

from pathlib import Path

import torch
from hand_made import PROVENANCE

from libcell.data import models
from libcell.nn.segmenter.network import Segmenter, Shape


def write_model(path: Path, shape: Shape | None = None, channels=("grey",), **changes) -> Path:
    """A model folder whose network has drawn weights, and a card that fits."""
    shape = shape or Shape(widths=(4, 8))
    torch.manual_seed(7)
    network = Segmenter(shape)
    with torch.no_grad():
        network.head.weight *= 8  # sure of itself, in either direction
    card = {
        "provenance": PROVENANCE, "architecture": "folded-unet",
        "classes": ["background", "nuclei"], "target": "nuclei",
        "input": {"kind": "images", "channels": list(channels), "pmin": 1.0, "pmax": 99.8,
                  "invert": "never"},
        "network": shape.to_card(), "reach_px": 16, "diameter_px": 12.0, "min_area_px": 20,
        "training_data": "sha256:" + "0" * 64, "split": {}, "metrics": {}, "seed": 0,
    }
    tensors = {k: v.numpy() for k, v in network.state_dict().items()}
    models.save(path, tensors, card | changes)
    return path
