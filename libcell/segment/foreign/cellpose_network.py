"""cellpose 3 (its own network and dynamics), and cellpose 4 as far as it is alike.

The weights are read here, as tensors, and put into the network: cellpose's own loading fetches
what it does not find and takes weights of other networks without a word.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import weights as store
from libcell.errors import DataError, Unavailable
from libcell.segment.foreign.networks import Network, View

EXTRA = "cellpose is not installed (pip install 'libcell[segment-cellpose]')"
NUCLEI_PX = 17.0  # what `nucleitorch_0` was trained to see; the file itself does not say so
SAM = "W2"  # a tensor that only cellpose 4's network has
LARGEST = 0.4  # of the field: what is larger is no cell


def version() -> int:
    """The installed major version. Unavailable if there is none."""
    from importlib import metadata

    try:
        return int(metadata.version("cellpose").split(".")[0])
    except metadata.PackageNotFoundError as error:
        raise Unavailable(EXTRA) from error


def load(path: Path, device: str, settings: dict[str, Any]) -> Network:
    """The network with its weights, on a device."""
    major = version()
    tensors = store.load_tensors(path, settings["trust"])
    if (SAM in tensors) != (major >= 4):
        needed = "4" if SAM in tensors else "3"
        raise Unavailable(f"{path}: is for cellpose {needed}, and {major} is installed "
                          f"(pip install 'cellpose=={needed}.*')")
    _hush()
    build = _build_4 if major >= 4 else _build_3
    model = build(path, tensors, device)

    def network(pixels: np.ndarray, view: View, batch: int) -> np.ndarray:
        """Labels (1,Z,Y,X) of (C,Z,Y,X), C one or two: what is segmented, and nuclei."""
        return _segment(model, major, pixels, view, batch, settings)[None]

    return network


def _hush() -> None:
    """What cellpose logs, and torch warns of in it, is for its own callers."""
    import torch

    logging.getLogger("cellpose").setLevel(logging.ERROR)
    torch.sparse.check_sparse_tensor_invariants.disable()  # else torch says that this is not said


def _build_3(path: Path, tensors: dict[str, Any], device: str) -> Any:
    import torch
    from cellpose.models import CellposeModel

    first = tensors.get("downsample.down.res_down_0.conv.conv_0.0.weight")
    channels = 2 if first is None else int(first.shape[0])
    model = CellposeModel(gpu=False, device=torch.device(device), pretrained_model=False,
                          nchan=channels)
    _fill(model.net, tensors, path)
    trained_for = tensors.get("diam_mean", model.net.diam_mean)
    labels = tensors.get("diam_labels", trained_for)
    model.diam_mean = NUCLEI_PX if path.name == "nucleitorch_0" else float(trained_for.ravel()[0])
    model.diam_labels = float(labels.ravel()[0])
    model.net.eval()
    return model


def _build_4(path: Path, tensors: dict[str, Any], device: str) -> Any:
    import torch
    from cellpose.models import CellposeModel

    del tensors  # it checks them itself, and reads the file as tensors alone
    return CellposeModel(gpu=False, device=torch.device(device), pretrained_model=str(path))


def _fill(net: Any, tensors: dict[str, Any], path: Path) -> None:
    """Put the weights in; DataError unless they are this network's."""
    wanted = dict(net.state_dict())
    optional = {"diam_mean", "diam_labels"}
    missing = sorted(set(wanted) - set(tensors) - optional)
    surplus = sorted(set(tensors) - set(wanted))
    other = [n for n in wanted if n in tensors and n not in optional
             and wanted[n].shape != tensors[n].shape]
    if missing or surplus or other:
        first = (missing or surplus or other)[0]
        raise DataError(f"{path}: weights of another architecture than cellpose 3's "
                        f"({len(missing)} tensors missing, {len(surplus)} too many, {len(other)} "
                        f"of another shape; the first is {first})")
    for name in optional & set(tensors):
        tensors = tensors | {name: tensors[name].reshape(wanted[name].shape)}
    net.load_state_dict(tensors, strict=False)


def _segment(
    model: Any, major: int, pixels: np.ndarray, view: View, batch: int, settings: dict[str, Any]
) -> np.ndarray:
    """Labels (Z,Y,X)."""
    stack = settings["volume"]
    planes = np.moveaxis(pixels, 0, -1)  # Z,Y,X,C
    given = planes if stack else planes[0]
    more: dict[str, Any] = {"channel_axis": given.ndim - 1}
    if stack:
        more |= {"do_3D": True, "z_axis": 0, "anisotropy": view.anisotropy}
    if major < 4:
        channels = model.nchan
        padded = np.zeros((*given.shape[:-1], channels), np.float32)
        padded[..., : min(channels, given.shape[-1])] = given[..., :channels]
        given = padded
        more |= {"channels": None, "interp": True}
    masks = model.eval(
        given, batch_size=batch, normalize=False, diameter=settings["diameter"],
        flow_threshold=settings["flow_threshold"],
        cellprob_threshold=settings["cellprob_threshold"], min_size=settings["min_area"],
        max_size_fraction=min(1.0, LARGEST * view.share), niter=settings["iterations"],
        augment=settings["tta"], resample=settings["resample"], **more,
    )[0]
    return np.asarray(masks, np.uint32).reshape(pixels.shape[1:])
