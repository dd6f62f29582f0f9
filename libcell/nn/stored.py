"""Weights of a model's file, put into the network that its card describes."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from libcell.errors import DataError


def fill(network: nn.Module, tensors: Mapping[str, np.ndarray], what: str) -> None:
    """Give a network the weights `tensors` by name. DataError, naming `what`, if they do not fit.
    """
    state = network.state_dict()
    wrong = sorted({*state} ^ {*tensors}) or [
        k for k in state if tuple(state[k].shape) != tensors[k].shape]
    if wrong:
        raise DataError(f"{what}: its weights are not of the network that its card states but "
                        f"another network's: {len(wrong)} tensors do not fit, e.g. {wrong[0]}")
    network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in tensors.items()})
