"""Weights of a model's file, put into the network that its card describes."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from libcell.errors import DataError, reading

Made = TypeVar("Made", bound=nn.Module)


def restore(build: Callable[[], Made], tensors: Mapping[str, np.ndarray], what: str) -> Made:
    """The network that `build` makes as its card says, with its weights, in evaluation mode.

    DataError, naming `what`, if the card describes none, or the tensors do not fit it.
    """
    with reading(what, "its card describes no network that can be made"):
        made = build()
    fill(made, tensors, what)
    return made.eval()


def fill(network: nn.Module, tensors: Mapping[str, np.ndarray], what: str) -> None:
    """Give a network the weights `tensors` by name. DataError, naming `what`, if they do not fit.
    """
    state = network.state_dict()
    wrong = sorted({*state} ^ {*tensors}) or [
        k for k in state if tuple(state[k].shape) != tensors[k].shape]
    if wrong:
        raise DataError(f"{what}: its weights are not of the network that its card states but "
                        f"another network's: {len(wrong)} tensors do not fit, e.g. {wrong[0]}")
    with reading(what, "its weights cannot be taken"):
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in tensors.items()})
