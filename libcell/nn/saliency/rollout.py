"""Attention rollout: from which places a transformer's answer gathers, through all its blocks.

Source: Abnar & Zuidema 2020, arXiv:2005.00928: each block's attention, mean over heads, half and
half with the identity for the residual path, multiplied through.
"""

from typing import Any

import torch
from torch import Tensor, nn

from libcell.errors import UsageFault


def rollout(backbone: nn.Module, network: nn.Module, fed: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B,n) and maps (B,h,w) of a vision transformer fed with (B,C,H,W).

    UsageFault for a network without blocks of global attention over one grid.
    """
    blocks, grid = layers_of(backbone)
    held: list[Tensor] = []
    fused = [b.attn.fused_attn for b in blocks]
    hooks = [b.attn.attn_drop.register_forward_hook(lambda m, _, made: held.append(made.mean(1)))
             for b in blocks]
    try:
        for block in blocks:
            block.attn.fused_attn = False  # a fused kernel never holds its attention
        with torch.inference_mode():
            scores = network(fed)
    finally:
        for block, was in zip(blocks, fused):
            block.attn.fused_attn = was
        for hook in hooks:
            hook.remove()
    return scores, _flow(held, backbone).unflatten(1, grid)


def _flow(held: list[Tensor], backbone: nn.Module) -> Tensor:
    """(B,T) over the places, from the attention (B,t,t) of each block."""
    t = held[0].shape[1]
    total = one = torch.eye(t, device=held[0].device, dtype=held[0].dtype)
    for attention in held:
        total = (attention + one) / 2 @ total
    prefix = int(getattr(backbone, "num_prefix_tokens", 0))
    if getattr(backbone, "global_pool", "") == "token" and prefix:
        return total[:, 0, prefix:]
    return total[:, prefix:, prefix:].mean(1)


def layers_of(backbone: nn.Module) -> tuple[list[Any], tuple[int, int]]:
    """Blocks of global attention and the token grid; UsageFault for a network without."""
    every: Any = getattr(backbone, "blocks", ())
    blocks = [b for b in every
              if hasattr(getattr(b, "attn", None), "attn_drop")
              and hasattr(b.attn, "fused_attn")]
    grid: Any = getattr(getattr(backbone, "patch_embed", None), "grid_size", None)
    if not blocks or grid is None:
        raise UsageFault("--method rollout: the network has no attention over all places, as vit "
                         "has; use gradcam or layercam")
    return blocks, (int(grid[0]), int(grid[1]))
