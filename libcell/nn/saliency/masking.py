"""Score-CAM: how much of a score is left when only what a plane shows is let through."""

import torch
from torch import Tensor, nn
from torch.nn import functional

AT_ONCE = 64


def scorecam(network: nn.Module, fed: Tensor, planes: Tensor, classes: Tensor, absent: Tensor,
             most: int) -> Tensor:
    """Maps (B,K,h,w) >= 0 from planes (B,C,h,w) of a network fed with (B,c,H,W).

    Of each picture the `most` planes that vary most are asked (0: all); classes is (B,K), `absent`
    (B,c,H,W) what stands where nothing is let through. Source: Wang et al. 2020, arXiv:1910.01279.
    """
    count = min(most or planes.shape[1], planes.shape[1])
    varied = planes.flatten(2).std(dim=2).topk(count, dim=1).indices
    chosen = planes.gather(1, varied[:, :, None, None].expand(-1, -1, *planes.shape[2:]))
    made = []
    with torch.inference_mode():
        for one, gone, shown, asked in zip(fed, absent, chosen, classes):
            weights = _scores(network, one, gone, shown)[:, asked].softmax(0)  # (count,K)
            made.append(torch.einsum("pk,phw->khw", weights, shown).relu())
    return torch.stack(made)


def _scores(network: nn.Module, one: Tensor, gone: Tensor, shown: Tensor) -> Tensor:
    """Scores (p,n) of a picture (c,H,W) seen through each of planes (p,h,w)."""
    masks = functional.interpolate(shown[:, None], one.shape[1:], mode="bilinear")
    low = masks.amin(dim=(2, 3), keepdim=True)
    masks = (masks - low) / (masks.amax(dim=(2, 3), keepdim=True) - low).clamp_min(1e-8)
    return torch.cat([network(gone + part * (one - gone)) for part in masks.split(AT_ONCE)])
