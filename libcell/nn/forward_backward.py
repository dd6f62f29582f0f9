"""How likely each stage is in each frame, summed over all courses that follow a transcript.

Baum et al. 1970, for many sequences at once. To stay in a stage and to enter it may be worth
different things, so that a model can say what a change between stages looks like.
"""

from typing import NamedTuple

import torch
from torch import Tensor

NEVER = -1e30  # log of no chance; finite, so that no difference of two is NaN


class Expected(NamedTuple):
    """stays and enters (B,T,K): chance that a frame goes on with a stage, or begins it; their sum
    is the chance of the stage, and 0 beyond a sequence's end. log_chance (B,) of all courses."""

    stays: Tensor
    enters: Tensor
    log_chance: Tensor


def expected(
    stay: Tensor, enter: Tensor, frames: Tensor, transcripts: Tensor, stages: Tensor
) -> Expected:
    """`stay` and `enter` float (B,T,K): what a frame is worth (log) that goes on with a stage or
    begins it; `frames` (B,), `transcripts` (B,N) and `stages` (B,) as in `viterbi.align`. Every
    stage of a transcript has a frame at least: `frames` >= `stages`."""
    n, length, _ = stay.shape
    order = transcripts.clamp_min(0)
    place = order[:, None].expand(-1, length, -1)
    going, coming = stay.gather(2, place), enter.gather(2, place)
    ahead = _ahead(going, coming)
    behind = _behind(going, coming, frames, stages)
    row = torch.arange(n, device=stay.device)
    whole = ahead[row, frames - 1, stages - 1]
    goes, comes = torch.zeros_like(ahead), torch.zeros_like(ahead)
    comes[:, 0, 0] = 1
    rest = behind[:, 1:] - whole[:, None, None]
    goes[:, 1:] = (ahead[:, :-1] + going[:, 1:] + rest).exp()
    comes[:, 1:] = (_next(ahead[:, :-1]) + coming[:, 1:] + rest).exp()
    inside = torch.arange(length, device=stay.device) < frames[:, None]
    inside = inside[..., None] & (transcripts >= 0)[:, None]
    found = [stay.new_zeros(stay.shape).scatter_add(2, place, chance * inside)
             for chance in (goes, comes)]
    return Expected(found[0], found[1], whole)


def _next(values: Tensor) -> Tensor:
    """Values of the stage before, along the last axis; NEVER for the first."""
    return torch.cat([torch.full_like(values[..., :1], NEVER), values[..., :-1]], dim=-1)


def _ahead(going: Tensor, coming: Tensor) -> Tensor:
    """(B,T,N): log chance of the frames up to each, and of its being at each stage in turn."""
    here = torch.full_like(coming[:, 0], NEVER)
    here[:, 0] = coming[:, 0, 0]
    made = [here]
    for t in range(1, coming.shape[1]):
        here = torch.logaddexp(here + going[:, t], _next(here) + coming[:, t])
        made.append(here)
    return torch.stack(made, dim=1)


def _behind(going: Tensor, coming: Tensor, frames: Tensor, stages: Tensor) -> Tensor:
    """(B,T,N): log chance of the frames after each, given that it is at each stage."""
    length = going.shape[1]
    last = torch.full_like(going[:, 0], NEVER)
    last.scatter_(1, stages[:, None] - 1, 0.0)
    here, made = last, [last] * length
    for t in reversed(range(length - 1)):
        on = here + coming[:, t + 1]
        on = torch.cat([on[:, 1:], torch.full_like(on[:, :1], NEVER)], dim=1)
        before = torch.logaddexp(here + going[:, t + 1], on)
        here = torch.where((frames - 1 > t)[:, None], before, last)
        made[t] = here
    return torch.stack(made, dim=1)
