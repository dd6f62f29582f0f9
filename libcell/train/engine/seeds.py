"""Randomness that depends on where training is, not on how it came there."""

import numpy as np
import torch

VALIDATION = 2**32 - 1  # stands where a batch's number does


def plant(*place: int) -> None:
    """Seed torch's generators, on every device, for one place: the seed, epoch, batch, rank."""
    torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1))
