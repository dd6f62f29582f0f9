"""The network of a run, as a worker gets it: told in a few words, loaded once per process."""

import functools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from libcell.data import models
from libcell.errors import DataError, UsageFault, short
from libcell.feat.embedding import published
from libcell.nn import backbones, classifier, untrained

_loading = threading.Lock()  # several threads begin at once, and one copy is enough


@dataclass(frozen=True)
class Network:
    """Which backbone, and where its weights are from; those of an untrained one from `seed`.

    `digest` is of the weights' file, so that another file at the same path is another network.
    """

    backbone: str
    channels: int
    size_px: tuple[int, int]
    model: Path | None = None
    weights: Path | None = None
    digest: str = ""
    seed: int | None = None

    @property
    def origin(self) -> str:
        """Where the weights are from, in words."""
        if self.seed is not None:
            return f"untrained, seed {self.seed}"
        return "the model's" if self.model else "given"


def card_of(path: Path) -> dict[str, Any]:
    """The card of a model that has a backbone; DataError for any other."""
    card = models.load_card(path)
    shape = card.get("network")
    if card["input"]["kind"] != "crops" or not isinstance(shape, dict) or "backbone" not in shape:
        raise DataError(f"{path}: is a {card['architecture']} on {card['input']['kind']}, which "
                        "makes no embeddings of crops; cell-train cnn and ssl make models that do")
    return card


def loaded(network: Network, device: str) -> nn.Module:
    """The backbone on its device, in evaluation mode; its width is `num_features`."""
    with _loading:
        return _loaded(network, device)


def require_fit(network: Network, device: str) -> None:
    """UsageFault unless a picture of the size in question goes through."""
    height, width = network.size_px
    made = loaded(network, device)
    try:
        with torch.inference_mode():
            made(torch.zeros((1, network.channels, height, width), device=device))
    except torch.OutOfMemoryError:
        return  # the blocks find out how many pictures fit, and say so
    except (AssertionError, RuntimeError, ValueError) as error:
        raise UsageFault(f"--backbone {network.backbone} cannot take pictures of {height} x "
                         f"{width} px ({short(error)}); choose another --size"
                         ) from error


@functools.lru_cache(maxsize=2)
def _loaded(network: Network, device: str) -> nn.Module:
    made = _built(network)
    layout = torch.channels_last  # faster on CPU and GPU alike; the results are the same
    return made.to(device=device, memory_format=layout).eval()  # type: ignore[call-overload]


def _built(network: Network) -> nn.Module:
    if network.model and network.seed is None:
        card = card_of(network.model)
        return classifier.restore_backbone(card, models.load_tensors(network.model),
                                           str(network.model))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(network.seed or 0)
        made = backbones.build(network.backbone, network.channels, network.size_px)
    if network.weights:
        published.take(made, network.weights)
    else:
        untrained.wake(made)
    return made
