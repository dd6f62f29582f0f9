"""From a map over what a network saw back to the pixels of the crop."""

from torch import Tensor
from torch.nn import functional


def onto_crop(maps: Tensor, seen: tuple[int, int], window: tuple[int, int],
              crop: tuple[int, int]) -> Tensor:
    """Maps (n,h,w) of any grid over a picture of size `seen`, as (n,*crop).

    The picture was the middle of `window` px of the crop, scaled to `seen` with its proportions
    kept and black around it (`libcell.nn.pixels.fit_size`). Pixels that it did not show are 0.
    """
    scale = min(seen[0] / window[0], seen[1] / window[1])
    inner = max(1, round(window[0] * scale)), max(1, round(window[1] * scale))
    made = maps[:, None].float()
    if inner != tuple(seen):
        made = _scaled(made, seen)
        top, left = (seen[0] - inner[0]) // 2, (seen[1] - inner[1]) // 2
        made = made[:, :, top : top + inner[0], left : left + inner[1]]
    made = _scaled(made, window)[:, 0]
    top, left = (have // 2 - cut // 2 for have, cut in zip(crop, window))
    return functional.pad(made, (left, crop[1] - window[1] - left, top,
                                 crop[0] - window[0] - top))


def _scaled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(maps.shape[2:]) == tuple(size):
        return maps
    shrinks = maps.shape[2] > size[0] or maps.shape[3] > size[1]
    return functional.interpolate(maps, size, mode="bilinear", antialias=shrinks)


def to_unit(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Maps (n,H,W) within -1 and 1, and the peak (n,) of each that 1 stands for; 0 if it is empty.
    """
    peak = maps.abs().amax(dim=(1, 2))
    return maps / peak.clamp_min(1e-30)[:, None, None], peak
