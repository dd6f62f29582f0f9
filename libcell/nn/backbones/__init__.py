"""Backbones: from pixels (B,C,H,W) to features (B,F). By short name, any name timm knows, or a
name under the entry-point group `libcell.nn.backbones`, whose module of another package holds

    def build(channels: int, size: tuple[int, int]) -> nn.Module    # its width is `num_features`

All take any number of channels. Where timm's network is made for one size of picture
(transformers, mixers), it is made for ours.
"""

from typing import Any

from torch import nn

from libcell.errors import UsageFault
from libcell.nn import plugins, torchvision_ops

GROUP = "libcell.nn.backbones"
TIMM = {
    "efficientnetv2_s": "tf_efficientnetv2_s",
    "efficientnetv2_m": "tf_efficientnetv2_m",
    "vit_s": "vit_small_patch16_224",
    "vit_b": "vit_base_patch16_224",
    "vit_b32": "vit_base_patch32_224",
    "mixer_b": "mixer_b16_224",
    "mixer_b32": "mixer_b32_224",
    "convnext_t": "convnext_tiny",
    "convnext_s": "convnext_small",
    "swin_t": "swin_tiny_patch4_window7_224",
    "swin_s": "swin_small_patch4_window7_224",
}
HYBRIDS = {"resnet18_vit_b1": "resnet18", "resnet101_vit_b1": "resnet101"}
NAMES = ("resnet18", "resnet50", "resnet101", "densenet121", "densenet161", "densenet169",
         "efficientnet_b0", "efficientnet_b1", *TIMM, *HYBRIDS)


def spelled(name: str) -> str:
    """A backbone as timm names it, one of HYBRIDS, or another package's. UsageFault for an unknown
    one."""
    torchvision_ops.load()
    import timm

    plain = name.replace("-", "_")
    known = TIMM.get(plain, plain)
    if known in HYBRIDS or timm.is_model(known):
        return known
    if name not in plugins.names(GROUP):
        raise UsageFault(f"--backbone {name}: there is none; use {', '.join(NAMES)}, or any that "
                         "timm.list_models() names")
    return name


def build(
    name: str, channels: int, size: tuple[int, int], *, any_size: bool = False
) -> nn.Module:
    """An untrained backbone for pictures (channels, *size); its width is `num_features`.

    With `any_size` a transformer takes other sizes, too, if it can learn to: those that add a
    place to each patch scale their places. Its weights are the same by name and shape.
    UsageFault for an unknown name, or a size that the network cannot take.
    """
    known = spelled(name)
    if known in HYBRIDS:
        from libcell.nn.backbones.hybrid import hybrid

        return hybrid(HYBRIDS[known], channels, size)
    import timm

    if not timm.is_model(known):
        theirs: nn.Module = plugins.load(GROUP, known).build(channels, size)
        return theirs
    settings: dict[str, Any] = {"pretrained": False, "num_classes": 0, "in_chans": channels}
    if timm.models.get_pretrained_cfg_value(known, "fixed_input_size"):
        settings["img_size"] = size
    try:
        made = _flexible(known, settings) if any_size else None
        made = made or timm.create_model(known, **settings)
        # a few networks widen their features once more before the classifier that we leave out
        made.num_features = getattr(made, "head_hidden_size", made.num_features)
        return made
    except (AssertionError, ValueError) as error:
        raise UsageFault(f"--backbone {name} cannot take pictures of {size[0]} x {size[1]} px "
                         f"({error}); choose another --size") from error


def _flexible(known: str, settings: dict[str, Any]) -> nn.Module | None:
    """A network that scales the places of its patches; None for those that cannot."""
    import timm

    if "img_size" not in settings:
        return None
    try:
        made: nn.Module = timm.create_model(known, **settings, dynamic_img_size=True)
        return made
    except TypeError:
        return None
