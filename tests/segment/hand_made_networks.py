"""Networks of other people's kinds with weights set by hand: they see bright spots as discs.

The stores on disk are those that StarDist and InstanSeg themselves write.
"""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

RADIUS_PX = 6.0
LIKELY = 0.5  # normalised values above this are of a spot
CONFIG = {
    "n_dim": 2, "axes": "YXC", "n_channel_in": 1, "n_rays": 32, "grid": [2, 2],
    "backbone": "unet", "n_classes": None, "unet_n_depth": 1, "unet_kernel_size": [3, 3],
    "unet_n_filter_base": 2, "unet_n_conv_per_depth": 2, "unet_pool": [2, 2],
    "unet_activation": "relu", "unet_last_activation": "relu", "unet_batch_norm": False,
    "net_conv_after_unet": 2,
}


def spots(shape: tuple[int, int], centres: list[tuple[int, int]], dtype: str = "uint16") -> object:
    """A picture (Y,X) with a round bright spot at each centre."""
    y, x = np.indices(shape)
    total = np.zeros(shape)
    for cy, cx in centres:
        total += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 3.0**2))
    return (100 + 1000 * total).astype(dtype)


def stardist_folder(path: Path, **config: object) -> Path:
    """A StarDist model's folder: centres where it is bright, polygons of RADIUS_PX everywhere."""
    import h5py

    path.mkdir()
    about = CONFIG | config
    (path / "config.json").write_text(json.dumps(about))
    (path / "thresholds.json").write_text(json.dumps({"prob": LIKELY, "nms": 0.4}))
    rays = int(about["n_rays"])  # type: ignore[call-overload]
    layers = [  # name, channels in, out, size; a channel is passed on as it is
        ("conv2d", 1, 2, 3), ("conv2d_1", 2, 2, 3), ("down_level_0_no_0", 2, 2, 3),
        ("down_level_0_no_1", 2, 2, 3), ("middle_0", 2, 4, 3), ("middle_2", 4, 2, 3),
        ("up_level_0_no_0", 4, 2, 3), ("up_level_0_no_2", 2, 2, 3), ("features", 2, 2, 3),
    ]
    with h5py.File(path / "weights_best.h5", "w") as file:
        names = [n for n, *_ in layers] + ["prob", "dist"]
        file.attrs["layer_names"] = [n.encode() for n in ["input", *names]]
        file.create_group("input").attrs["weight_names"] = []
        for name, ins, outs, size in layers:
            # of the concatenation the skip, which comes after what was enlarged
            first = 2 if name == "up_level_0_no_0" else 0
            kernel = np.zeros((size, size, ins, outs), np.float32)
            kernel[size // 2, size // 2, first, 0] = 1
            _write(file, name, kernel, np.zeros(outs, np.float32))
        steep = np.array([[[[20.0], [0.0]]]], np.float32)
        _write(file, "prob", steep, np.array([-20 * LIKELY], np.float32))
        _write(file, "dist", np.zeros((1, 1, 2, rays), np.float32),
               np.full(rays, RADIUS_PX, np.float32))
    return path


def _write(file: Any, name: str, kernel: np.ndarray, bias: np.ndarray) -> None:
    group = file.create_group(name)
    group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
    group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = kernel, bias


def zipped(folder: Path) -> Path:
    """The same as one file, as StarDist publishes it."""
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{folder.name}/{file.name}")
    return target


def instanseg_file(path: Path, both: bool = False) -> Path:
    """An InstanSeg file: seeds where it is bright, discs of RADIUS_PX; with `both` nuclei of half
    that radius too."""
    import torch
    from torch import nn

    class Spots(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen = x[:, :1]
            still, seeds = torch.zeros_like(seen), 15 * (seen - LIKELY)
            parts = []
            for radius in (RADIUS_PX / 2, RADIUS_PX) if both else (RADIUS_PX,):
                size = torch.full_like(seen, radius / 4)
                parts += [still, still, size, size, seeds]
            return torch.cat(parts, 1)

    return write_instanseg(path, Spots(), both)


def write_instanseg(path: Path, network: Any, both: bool) -> Path:
    """What InstanSeg publishes of a network: that, and its clustering, as TorchScript."""
    import torch
    from torch import nn

    class Discs(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            # of each pixel of a window: y and x from the seed (in quarter pixels), radius
            return 20 * (x[:, 2:3] - (x[:, :2] ** 2).sum(1, keepdim=True).sqrt())

    network.pixel_classifier = Discs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports, and of autocast without CUDA
        from instanseg.utils.loss.instanseg_loss import InstanSeg_Torchscript

        module = InstanSeg_Torchscript(network, cells_and_nuclei=both, pixel_size=0.5,
                                       backbone_dim_in=1)
        torch.jit.script(module).save(str(path))
    return path
