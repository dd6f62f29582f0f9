"""Who is asked: a model that `cell-train cnn` made, read once by each thread of a worker."""

import threading
from pathlib import Path
from typing import Any

import torch

from libcell.data import models
from libcell.errors import DataError, UsageFault
from libcell.explain.maps import Subject
from libcell.nn import classifier
from libcell.nn.saliency import layers
from libcell.nn.saliency.layers import Layer

_held = threading.local()  # hooks sit on a network, so that two threads cannot share one


def card_of(path: Path) -> dict[str, Any]:
    """The card of a network on crops; DataError, saying what to use instead, for any other."""
    card = models.load_card(path)
    kind, shape = card["input"]["kind"], card.get("network")
    if kind in ("features", "embeddings") and not isinstance(shape, dict):
        raise DataError(f"{path}: is a {card['architecture']} on {kind}, which has no gradients "
                        "and sees no pixels; use cell-explain importance")
    members = card["split"].get("members")
    if members:
        raise DataError(f"{path}: holds {len(members)} folds; name one of them, e.g. "
                        f"{path / next(iter(members))}")
    if not card["classes"]:
        raise DataError(f"{path}: learnt without classes, so that there is no answer to explain; "
                        "train a head on it with cell-train cnn --weights")
    if kind != "crops" or not isinstance(shape, dict) or "backbone" not in shape:
        raise DataError(f"{path}: is a {card['architecture']} on {kind}; cell-explain cam reads "
                        "networks on crops, as cell-train cnn makes them")
    return card


def class_numbers(card: dict[str, Any], named: tuple[str, ...]) -> list[int]:
    """Positions of `named` classes; UsageFault, listing those that there are, for an unknown one.
    """
    classes = card["classes"]
    unknown = [c for c in named if c not in classes]
    if unknown:
        raise UsageFault(f"--target {unknown[0]}: the model knows no such class; it knows "
                         f"{', '.join(classes)} (or use predicted, or true)")
    return [classes.index(c) for c in named]


def network(path: Path, device: str) -> classifier.Classifier:
    """The network on its device, in evaluation mode; no parameter wants a gradient.

    On a CPU the calling thread computes with one thread from here on: the others have the other
    cores, and sums in another order would make results depend on the workers.
    """
    if device == "cpu":
        torch.set_num_threads(1)
    key = path, (path / models.WEIGHTS).stat().st_mtime_ns, device
    if getattr(_held, "key", None) != key:
        made = classifier.restore(models.load_card(path), models.load_tensors(path), str(path))
        made.requires_grad_(False)
        layout = torch.channels_last  # faster, and the results are the same
        _held.made = made.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        _held.key = key
    found: classifier.Classifier = _held.made
    return found


def layer_of(card: dict[str, Any], made: classifier.Classifier, wanted: str) -> Layer:
    """The layer to read (see `layers.find`)."""
    height, width = card["network"]["size_px"]
    return layers.find(made.backbone, card["network"]["channels"], (height, width), wanted)


def subject_of(path: Path, device: str, layer: Layer | None, by_channel: bool = False) -> Subject:
    """The model at `path` as it is asked."""
    return Subject(network(path, device), models.load_card(path)["input"], layer, by_channel)
