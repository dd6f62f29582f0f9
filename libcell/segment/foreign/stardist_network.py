"""StarDist 2D: its network in torch, its own compiled polygons."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from libcell.errors import DataError, Unavailable
from libcell.segment.foreign import stardist_unet
from libcell.segment.foreign.networks import Network, View
from libcell.segment.foreign.stardist_unet import Config, StarUNet

EXTRA = "stardist is not installed (pip install 'libcell[segment-stardist]')"
LEAST_DISTANCE = 1e-3
BORDER = 2  # centres nearer to the image's edge than this are none, as StarDist has it


def require() -> None:
    """Unavailable if StarDist is not there."""
    from importlib import metadata

    try:
        metadata.version("stardist")
    except metadata.PackageNotFoundError as error:
        raise Unavailable(EXTRA) from error


def load(path: Path, device: str, settings: dict[str, Any]) -> Network:
    """The network with its weights, on a device."""
    config = stardist_unet.read_config(path)
    given = len(settings["channels"])
    if config.channels != given:
        raise DataError(f"{path}: looks at {config.channels} channels, {given} are given "
                        "(--channels)")
    net = stardist_unet.load(path, config).to(device)

    def network(pixels: np.ndarray, view: View, batch: int) -> np.ndarray:
        """Labels (1,1,Y,X) of (C,1,Y,X)."""
        image, shape = pixels[:, 0], pixels.shape[2:]
        scale = settings["scale"]
        if scale != 1:
            image = ndimage.zoom(image, (1, scale, scale), order=1)
        prob, dist = predict(net, config, image, device)
        return _labels(prob, dist, image.shape[1:], shape, config, settings)[None, None]

    return network


def predict(
    net: StarUNet, config: Config, image: np.ndarray, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Probability (y,x) and distances (y,x,rays) on the grid, of an image (C,Y,X) float32 that is
    padded to what the network can halve."""
    short = [-n % d for n, d in zip(image.shape[1:], config.divisor)]
    padded = np.pad(image, ((0, 0), (0, short[0]), (0, short[1])), mode="reflect")
    with torch.inference_mode():
        given = torch.from_numpy(np.ascontiguousarray(padded[None])).to(device)
        prob, dist = (part[0].cpu().numpy() for part in net(given))
    return prob[0], np.maximum(LEAST_DISTANCE, np.moveaxis(dist, 0, -1))


def _labels(
    prob: np.ndarray, dist: np.ndarray, seen: tuple[int, ...], shape: tuple[int, ...],
    config: Config, settings: dict[str, Any],
) -> np.ndarray:
    """Polygons that remain, drawn: labels (Y,X) of `shape`; the network saw an image of `seen`."""
    from stardist.geometry import polygons_to_label
    from stardist.nms import non_maximum_suppression_sparse

    def either(name: str, own: float) -> float:
        return own if settings[name] is None else settings[name]

    likely = prob > either("probability", config.probability)
    likely[:BORDER], likely[-BORDER:], likely[:, :BORDER], likely[:, -BORDER:] = (False,) * 4
    points = np.stack(np.nonzero(likely), axis=1) * np.array(config.grid)
    inside = (points < np.array(seen)).all(axis=1)
    points = points[inside]
    if not len(points):
        return np.zeros(shape, np.uint32)
    kept, scores, rays, _ = non_maximum_suppression_sparse(
        dist[likely][inside], prob[likely][inside], points, nms_thresh=either("nms", config.nms))
    back = 1 / settings["scale"]
    drawn = polygons_to_label(rays, kept * back, prob=scores, shape=shape, scale_dist=(back, back))
    return np.asarray(drawn, np.uint32)
