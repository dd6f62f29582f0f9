"""Chances over all courses along transcripts, beside a sum over every single one."""

import itertools
import math

import pytest
import torch

from libcell.nn import forward_backward


def every_course(frames, transcript):
    """All ways to cut `frames` into one stretch or more of each stage."""
    for cuts in itertools.combinations(range(1, frames), len(transcript) - 1):
        ends = [*cuts, frames]
        yield [(t, stage, t == start) for start, end, stage in zip([0, *cuts], ends, transcript)
               for t in range(start, end)]


def by_hand(stay, enter, frames, transcript):
    stays, enters, total = torch.zeros_like(stay), torch.zeros_like(enter), 0.0
    for course in every_course(frames, transcript):
        chance = math.exp(sum(float((enter if new else stay)[t, k]) for t, k, new in course))
        total += chance
        for t, k, new in course:
            (enters if new else stays)[t, k] += chance
    return stays / total, enters / total, math.log(total)


@pytest.mark.parametrize("seed", range(4))
def test_sums_over_every_course(seed):
    made = torch.Generator().manual_seed(seed)
    frames = torch.tensor([6, 4, 7, 2, 5])
    transcripts = torch.tensor([[0, 1, 2], [2, -1, -1], [1, 0, 1], [0, 2, -1], [2, 1, 0]])
    stages = (transcripts >= 0).sum(1)
    stay, enter = torch.randn(2, 5, 7, 3, generator=made, dtype=torch.float64)
    found = forward_backward.expected(stay, enter, frames, transcripts, stages)
    for i, (length, count) in enumerate(zip(frames.tolist(), stages.tolist())):
        stays, enters, log_chance = by_hand(stay[i], enter[i], length,
                                            transcripts[i, :count].tolist())
        torch.testing.assert_close(found.stays[i], stays)
        torch.testing.assert_close(found.enters[i], enters)
        assert abs(float(found.log_chance[i]) - log_chance) < 1e-9
    inside = torch.arange(7) < frames[:, None]
    torch.testing.assert_close((found.stays + found.enters).sum(2), inside.double())
