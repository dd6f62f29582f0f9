"""A residual network whose last map feeds a transformer, one token per position.

ResNet18-ViT-B/1 and ResNet101-ViT-B/1 of LIVECell-CLS: the map of the last stage, patches of one
position, the base transformer (12 blocks of 768, 12 heads, a hidden layer of 3072), the mean over
tokens. Source: Dosovitskiy et al. 2021, arXiv:2010.11929, section 3.1 (hybrid architecture).
"""

import functools

import timm
from timm.layers.hybrid_embed import HybridEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import nn


def hybrid(trunk: str, channels: int, size: tuple[int, int]) -> nn.Module:
    """`trunk` is a residual network's name in timm; (B, channels, *size) to (B, 768)."""
    residual = timm.create_model(trunk, pretrained=False, features_only=True, out_indices=(4,),
                                 in_chans=channels)
    embed = functools.partial(HybridEmbed, residual, feature_size=_map_size(residual, size))
    made: nn.Module = VisionTransformer(
        img_size=size, patch_size=1, in_chans=channels, num_classes=0, embed_dim=768, depth=12,
        num_heads=12, class_token=False, global_pool="avg", embed_layer=embed)
    return made


def _map_size(residual: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the last map."""
    step = residual.feature_info.reduction()[-1]  # type: ignore[operator, union-attr]
    return -(-size[0] // step), -(-size[1] // step)
