"""How active the neurons of a connectome head are, and which of them speak for a class."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from libcell.nn.connectome.head import Connectome


class Active(NamedTuple):
    """activity (B,n): root mean square of each neuron's state, NaN where nothing reaches it;
    relevance (B,n): of motor neurons, state times the gradient of a class's score, else NaN;
    states (B,n,E): the states themselves, NaN where there is none."""

    activity: Tensor
    relevance: Tensor
    states: Tensor


def active(head: Connectome, features: Tensor, classes: Tensor, count: int) -> Active:
    """Of `count` neurons, for features (B,F) and the class (B,) whose score is asked for.

    Sensory neurons hold what enters.
    """
    with torch.no_grad():
        entering = head.enter(features)
        states = head.states(features)
    every = torch.full((len(features), count, entering.shape[1]), torch.nan,
                       device=features.device)
    for j in {i for i, _ in head.plan.sensory}:
        every[:, j] = entering
    for j, state in states.items():
        every[:, j] = state
    relevance = torch.full((len(features), count), torch.nan, device=features.device)
    motors = torch.stack([states[j] for j in head.plan.motors], dim=1).requires_grad_()
    with torch.enable_grad():
        scores = head.read(motors, features)
        (slope,) = torch.autograd.grad(scores.gather(1, classes[:, None]).sum(), motors)
    relevance[:, head.plan.motors] = (slope * motors.detach()).sum(2)
    return Active(every.square().mean(2).sqrt(), relevance, every)


def is_connectome(head: nn.Module) -> bool:
    """Whether a head has neurons."""
    return isinstance(head, Connectome)
