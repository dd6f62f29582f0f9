"""A backbone and a head: what `cell-train cnn` trains, rebuilt from a model's card."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from libcell.errors import DataError
from libcell.nn import backbones, heads, pixels, stored


class Classifier(nn.Module):
    """Normalised pixels (B,C,H,W) to scores (B,K) before softmax."""

    def __init__(self, backbone: nn.Module, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, batch: Tensor) -> Tensor:
        scores: Tensor = self.head(self.backbone(batch))
        return scores


def build(network: Mapping[str, Any], classes: int) -> Classifier:
    """An untrained classifier from the card's `network`: backbone, channels, size_px, head."""
    backbone = _backbone(network)
    features = int(backbone.num_features)  # type: ignore[arg-type]
    head = heads.build(network["head"]["name"], features, classes, network["head"]["options"])
    return Classifier(backbone, head)


def _backbone(network: Mapping[str, Any]) -> nn.Module:
    height, width = network["size_px"]
    return backbones.build(network["backbone"], network["channels"], (height, width))


def restore(card: Mapping[str, Any], tensors: Mapping[str, np.ndarray], what: str) -> Classifier:
    """A trained one from a model's card and tensors, in evaluation mode.

    DataError, naming `what`, if the tensors do not fit the card.
    """
    if "head" not in card["network"]:
        raise DataError(f"{what}: is a backbone alone, learnt without classes; cell-train cnn "
                        "--weights makes a classifier of it")
    return stored.restore(lambda: build(card["network"], len(card["classes"])), tensors, what)


def restore_backbone(
    card: Mapping[str, Any], tensors: Mapping[str, np.ndarray], what: str
) -> nn.Module:
    """The backbone of a trained model, in evaluation mode, whether or not a head came with it.

    DataError, naming `what`, if the tensors do not fit the card.
    """
    if "head" in card["network"]:
        return restore(card, tensors, what).backbone
    own = {k.removeprefix("backbone."): v for k, v in tensors.items()}
    return stored.restore(lambda: _backbone(card["network"]), own, what)


def prepare(
    crops: np.ndarray | Tensor, masks: np.ndarray | Tensor, contract: Mapping[str, Any],
    device: torch.device,
) -> Tensor:
    """What the network is fed, from crops (B,C,H,W) and masks (B,H,W) of a store, by the card's
    `input`: scaled to its size, normalised, the mask as the last channel where it asks for it."""
    size = contract["size_px"][0], contract["size_px"][1]
    how = contract["normalisation"]
    made = pixels.normalise(pixels.shape(crops, size, how, device), how)
    if not contract["mask_channel"]:
        return made
    mask = pixels.fit_size(pixels.to_float(masks, device)[:, None], size)
    return torch.cat([made, mask], dim=1)
