"""Weights of timm's networks that others trained: by path, or by timm's name from the cache."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from libcell.data import models, weights
from libcell.data.weights import Known, Weights
from libcell.errors import DataError, Unavailable
from libcell.nn import backbones, torchvision_ops
from libcell.nn.backbones import pretrained

FAMILY = "timm"  # folder in the cache
HUB = "https://huggingface.co"
GREY = {"mean": [0.5], "std": [0.5]}


def find(wanted: str) -> Weights:
    """What `--weights` means: a path, or a name of timm's such as `resnet18.a1_in1k`.

    Unavailable where there is no such file, with the command that gets it; DataError where a
    cached file is not what it was.
    """
    if Path(wanted).exists():
        return weights.given(Path(wanted))
    about = config(wanted)
    if about is None:
        raise Unavailable(f"--weights {wanted}: there is no such file, nor a published network of "
                          "that name (timm.list_pretrained() names them)")
    return weights.cached(_known(about, wanted), FAMILY)


def config(name: str) -> Any | None:
    """What timm knows of a network, by a short name of ours or timm's, with or without the tag of
    its weights; None if nothing."""
    torchvision_ops.load()
    import timm

    spelled = name.replace("-", "_")
    known = backbones.TIMM.get(spelled, spelled)
    if known in backbones.HYBRIDS or not timm.is_model(known):
        return None
    try:
        return timm.models.get_pretrained_cfg(known)
    except RuntimeError:  # the network is known, the tag is not
        return None


def backbone_of(wanted: str) -> str | None:
    """The network that published weights are of; None for a path or an unknown name."""
    about = None if Path(wanted).exists() else config(wanted)
    return about.architecture if about else None


def own_size(name: str) -> tuple[int, int] | None:
    """Height and width that a network is made for, where it takes no other as it is."""
    about = config(name)
    if about is None or not about.fixed_input_size:
        return None
    return about.input_size[1], about.input_size[2]


def contrast(name: str, separate: bool, channels: int) -> dict[str, list[float]]:
    """Mean and spread of the pictures (0..1) that the network was trained with, per input channel:
    its own red, green and blue, or for other channels the mean of the three."""
    about = config(name)
    found = {"mean": list(about.mean), "std": list(about.std)} if about else GREY
    inputs = 3 if separate else channels
    if inputs != len(found["mean"]):
        found = {k: [sum(v) / len(v)] * inputs for k, v in found.items()}
    return {"mean": found["mean"], "sd": found["std"]}


def take(backbone: nn.Module, path: Path) -> None:
    """Load weights into a backbone, all of them or none (DataError).

    timm's own reading of older files and of other sizes of picture is applied where the network
    has one.
    """
    state = models.load_foreign(path)
    translate = getattr(sys.modules[type(backbone).__module__], "checkpoint_filter_fn", None)
    if translate is not None:
        try:
            with torch.no_grad():
                state = translate(state, backbone)
        except (KeyError, RuntimeError, AttributeError, ValueError) as error:
            raise DataError(f"{path}: these weights are of another network ({error})") from error
    pretrained.take(backbone, state, str(path))


def _known(about: Any, wanted: str) -> Known:
    name = f"{about.architecture}.{about.tag}" if about.tag else str(about.architecture)
    if about.hf_hub_id:
        inside = about.hf_hub_filename or "model.safetensors"
        suffix = Path(inside).suffix
        return Known(name, f"{name}{suffix}", f"{HUB}/{about.hf_hub_id}/resolve/main/{inside}")
    if not about.url or about.custom_load:
        raise Unavailable(f"--weights {wanted}: nobody publishes them as tensors; give a path")
    return Known(name, f"{name}{Path(about.url).suffix}", about.url)
