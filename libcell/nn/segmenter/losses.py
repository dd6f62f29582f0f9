"""What the segmenter is judged by while it learns."""

import torch
from torch.nn import functional

# With directions at 6, `cell` is learnt only once they are, which takes ten times as many steps
DIRECTIONS = 2.0


def segmentation_loss(
    output: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """A scalar to minimise, and its parts.

    output  (N,1+ndim,...) logit of cell, direction
    target  (N,1+ndim,...) cell 0 or 1, direction
    valid   (N,...) 0 where nothing is known

    Cross entropy and one minus the soft Dice coefficient of `cell` over all valid pixels, squared
    error of the direction over those of cells.
    """
    output = output.float()
    cell, known = target[:, 0], valid
    entropy = functional.binary_cross_entropy_with_logits(output[:, 0], cell, reduction="none")
    entropy = (entropy * known).sum() / known.sum().clamp(min=1)
    likely = output[:, 0].sigmoid() * known
    inside = cell * known
    overlap = (2 * (likely * inside).sum() + 1) / (likely.sum() + inside.sum() + 1)
    error = (output[:, 1:] - target[:, 1:]).square().sum(dim=1)
    error = (error * inside).sum() / inside.sum().clamp(min=1)
    return entropy + (1 - overlap) + DIRECTIONS * error, {"cell": entropy, "direction": error}


def cell_dice(output: torch.Tensor, target: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Dice coefficient of `cell` at probability 0.5, 1 where neither has any."""
    found = (output[:, 0] > 0).float() * valid
    truth = target[:, 0] * valid
    total = found.sum() + truth.sum()
    return torch.where(total > 0, 2 * (found * truth).sum() / total.clamp(min=1), 1.0)
