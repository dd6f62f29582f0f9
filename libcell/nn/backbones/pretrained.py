"""Weights of a network trained elsewhere, fitted to our number of channels."""

import torch
from torch import nn

from libcell.errors import DataError
from libcell.nn import torchvision_ops

CLASSIFIERS = ("fc.", "head.fc.", "head.", "classifier.", "head_dist.")
PREFIXES = ("backbone.", "module.", "model.", "student.backbone.", "teacher.backbone.")


def take(backbone: nn.Module, state: dict[str, torch.Tensor], what: str) -> None:
    """Load `state` into a backbone; a classifier that `state` brings along is left out.

    The first layer is summed or repeated over channels, so that a grey picture gives what three
    equal channels gave. DataError, naming `what`, unless every weight of the backbone is told.
    """
    torchvision_ops.load()
    from timm.models import adapt_input_conv

    own = backbone.state_dict()
    found = _without_prefix(state, own)
    for name, value in own.items():
        told = found.get(name)
        if (told is not None and told.shape != value.shape and told.ndim == 4
                and told.shape[0] == value.shape[0] and told.shape[2:] == value.shape[2:]):
            found[name] = adapt_input_conv(value.shape[1], told)
    missing = [n for n, v in own.items()
               if (n not in found or found[n].shape != v.shape) and not _counter(n)]
    strange = [n for n in found if n not in own and not n.startswith(CLASSIFIERS)]
    if missing or strange:
        raise DataError(f"{what}: these weights are of another network: {len(missing)} of "
                        f"{len(own)} tensors are missing or of another shape"
                        f"{_named(missing)}, {len(strange)} are unknown{_named(strange)}")
    backbone.load_state_dict({n: found.get(n, v) for n, v in own.items()})


def _without_prefix(
    state: dict[str, torch.Tensor], own: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Names as the backbone has them: wrappers put theirs before."""
    for prefix in PREFIXES:
        cut = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        if set(cut) & set(own):
            return cut
    return dict(state)


def _counter(name: str) -> bool:
    """Batches that a normalisation has seen: older files lack it, and nothing depends on it."""
    return name.endswith("num_batches_tracked")


def _named(names: list[str]) -> str:
    return f" (e.g. {', '.join(names[:2])})" if names else ""
