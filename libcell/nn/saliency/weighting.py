"""From the maps of a layer to one: planes and gradients (B,C,h,w) in, a map (B,h,w) >= 0 out."""

from torch import Tensor


def gradcam(planes: Tensor, gradients: Tensor) -> Tensor:
    """Each plane times its mean gradient. Selvaraju et al. 2017, arXiv:1610.02391."""
    weights = gradients.mean(dim=(2, 3))
    return (weights[:, :, None, None] * planes).sum(1).relu()


def gradcam_plus_plus(planes: Tensor, gradients: Tensor) -> Tensor:
    """Each plane times its positive gradients, weighted so that small objects count as large ones.

    Chattopadhay et al. 2018, arXiv:1710.11063, equation 19, divided by the gradient squared; a
    plane whose sum is below zero, which the paper's networks do not have, counts as empty.
    """
    total = planes.sum(dim=(2, 3), keepdim=True).clamp_min(0)
    rising = gradients.relu()
    weights = (rising / (2 + total * rising)).sum(dim=(2, 3))
    return (weights[:, :, None, None] * planes).sum(1).relu()


def layercam(planes: Tensor, gradients: Tensor) -> Tensor:
    """Each position times its own positive gradient.

    Jiang et al. 2021, doi:10.1109/TIP.2021.3089943.
    """
    return (gradients.relu() * planes).sum(1).relu()
