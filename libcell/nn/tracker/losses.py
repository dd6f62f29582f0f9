"""What the tracking network is judged by while it learns."""

import numpy as np
import torch
from torch.nn import functional

RARE = 4.0  # a division counts as much as so many links
HEAT = 0.1  # temperature of likeness


def maps_loss(
    cell: torch.Tensor, centre: torch.Tensor, wanted: tuple[torch.Tensor, torch.Tensor],
    weight: torch.Tensor,
) -> torch.Tensor:
    """Cross entropy of logits `cell` and `centre` (2,...) with what is wanted of them, 0..1; a
    pixel near a centre counts more, since there are few."""
    loss = functional.binary_cross_entropy_with_logits(cell, wanted[0], reduction="none")
    peak = functional.binary_cross_entropy_with_logits(centre, wanted[1], reduction="none")
    near = 1 + 4 * wanted[1]
    total = (loss * weight).sum() / weight.sum().clamp(min=1)
    return total + (peak * weight * near).sum() / (weight * near).sum().clamp(min=1)


def alike_loss(
    before: torch.Tensor, after: torch.Tensor, source: np.ndarray
) -> torch.Tensor:
    """Contrast of embeddings (n, E), (m, E) of length 1: each cell of the later frame is more like
    the one it came from, `source` (m,) or below 0, than like any other, and the other way round.
    """
    there = np.flatnonzero(source >= 0)
    if not there.size or len(before) < 2:
        return before.sum() * 0
    like = after @ before.T / HEAT
    rows = torch.from_numpy(there).to(like.device)
    came = torch.from_numpy(source[there]).to(like.device)
    back = functional.cross_entropy(like[rows], came)
    # a mother is like both of her daughters; neither stands in the other's way
    chance = functional.log_softmax(like.T, dim=1)
    mask = torch.zeros_like(chance)
    mask[came, rows] = 1
    mothers = mask.sum(dim=1) > 0
    hope = torch.logsumexp(chance.masked_fill(mask == 0, -1e9), dim=1)
    return back - hope[mothers].mean()


def choice_loss(
    gain: torch.Tensor, owner: torch.Tensor, right: torch.Tensor, known: torch.Tensor,
    weight: torch.Tensor,
) -> torch.Tensor:
    """Cross entropy of what became of n cells: one of their hypotheses, or nothing, with gain 0.

    gain (m,), owner (m,) the cell of each, right (m,) bool at most one for each cell,
    known (n,) bool, weight (n,)
    """
    count = known.numel()
    top = torch.zeros(count, device=gain.device).scatter_reduce(0, owner, gain.detach(), "amax")
    total = torch.exp(-top).index_add(0, owner, torch.exp(gain - top[owner]))
    chosen = torch.zeros(count, device=gain.device).index_add(0, owner, gain * right)
    loss = (total.log() + top - chosen) * known * weight
    return loss.sum() / (known * weight).sum().clamp(min=1)


def links_loss(
    gains: tuple[torch.Tensor, torch.Tensor], links: torch.Tensor, splits: torch.Tensor,
    right: tuple[torch.Tensor, torch.Tensor], known: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """Choices of the cells of the earlier frame, and of those of the later one.

    gains, right   of `links` (m, 2) and `splits` (k, 3)
    known          (n,), (n') bool: cells of either frame whose choice is known
    """
    gain, truth = torch.cat(gains), torch.cat(right).float()
    divided = torch.zeros(known[0].numel(), device=gain.device).index_add(
        0, splits[:, 0], truth[len(links):])
    out = choice_loss(gain, torch.cat([links[:, 0], splits[:, 0]]), truth, known[0],
                      1 + (RARE - 1) * divided)
    both = torch.cat([gain, gains[1]])
    born = torch.cat([truth, right[1].float()])
    into = torch.cat([links[:, 1], splits[:, 1], splits[:, 2]])
    return out + choice_loss(both, into, born, known[1], torch.ones_like(known[1].float()))
