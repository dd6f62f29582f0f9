"""BaSiC: the flat field that a set of images shares, estimated from the images themselves.

Peng et al., Nature Communications 2017, doi:10.1038/ncomms14836. Every image is a smooth flat
field times a brightness of its own, plus what lies in it (cells), which is sparse; the flat field
is sparse in its cosine transform. Written anew after the paper: its published Python packages do
not run beside current numpy, scipy and jax.
"""

import numpy as np
from scipy import fft

EDGE = 128          # the paper's working size, px
MOST_IMAGES = 128   # more tell no more; they are taken evenly from all
TOLERANCE = 1e-6    # of the fit, relative to the images' norm
CHANGE = 1e-3       # of the flat field between reweightings, mean absolute
ROUNDS, STEPS = 10, 500


def reduced(plane: np.ndarray) -> np.ndarray:
    """A plane (Y,X) averaged over areas to at most 128 x 128, float64."""
    from skimage.transform import resize_local_mean

    shape = tuple(min(n, EDGE) for n in plane.shape)
    values = plane.astype(np.float64)
    return values if shape == plane.shape else np.asarray(resize_local_mean(values, shape))


def enlarged(flat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A flat field at the images' size (Y,X), linear between its points, of mean 1, float32."""
    from skimage.transform import resize

    large = resize(flat, shape, order=1, mode="edge", anti_aliasing=False)
    return np.asarray(large / large.mean(), np.float32)


def estimate(stack: np.ndarray) -> np.ndarray:
    """Flat field (Y,X) float64 of mean 1 from images (N,Y,X) of one channel, dark taken off.

    Deterministic. A stack of zeros gives ones.
    """
    n, *shape = stack.shape
    if not stack.any():
        return np.ones(shape)
    images = np.sort(stack.reshape(n, -1).astype(np.float64), axis=0)  # the order tells nothing
    mean = images.mean(0).reshape(shape)
    penalty = float(np.abs(_dct(mean / mean.mean())).sum()) / 800  # the paper's choice
    weight = np.ones_like(images)
    flat = mean / mean.mean()
    for _ in range(ROUNDS):
        low, rest = _split(images, weight, penalty, (shape[0], shape[1]))
        before, flat = flat, low.mean(0).reshape(shape)
        flat = flat / flat.mean()
        if np.abs(flat - before).sum() < CHANGE * np.abs(before).sum():
            break
        weight = 1 / (np.abs(rest / (low.mean() + 1e-6)) + 0.1)
        weight *= weight.size / weight.sum()
    return flat


def _split(
    images: np.ndarray, weight: np.ndarray, penalty: float, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, pixels) as flat field times brightness, and a sparse rest.

    Linearised augmented Lagrangian with growing step, section Methods of the paper.
    """
    norm = _norm(images)
    step = 12.5 / norm  # the paper's spectral norm; the images are nearly of rank one
    most = step * 1e7
    spectrum = np.zeros(shape)
    bright = np.ones((len(images), 1))
    flat = np.zeros(images.shape[1])
    means = images.mean(0), images.mean(1, keepdims=True)
    dual, rest, low = (np.zeros_like(images) for _ in range(3))  # dual: divided by step
    for _ in range(STEPS):
        towards = means[0] - bright.mean() * flat - rest.mean(0) + dual.mean(0)
        spectrum = _shrunk(spectrum + _dct(towards.reshape(shape)), penalty / step)
        flat = fft.idctn(spectrum, norm="ortho").ravel()
        np.multiply(bright, flat, out=low)
        excess = images + dual
        excess -= low
        limit = weight / step
        held = np.clip(excess, -limit, limit)
        np.subtract(excess, held, out=rest)
        clean = means[1] - rest.mean(1, keepdims=True)
        bright = np.maximum(clean / clean.mean(), 0)
        gap = _norm(np.subtract(held, dual, out=excess))
        dual = held * (step / min(step * 1.5, most))
        step = min(step * 1.5, most)
        if gap < TOLERANCE * norm:
            break
    return low, rest


def _norm(values: np.ndarray) -> float:
    """Without BLAS, whose last digits depend on the number of its threads."""
    return float(np.sqrt(np.square(values).sum()))


def _dct(values: np.ndarray) -> np.ndarray:
    return np.asarray(fft.dctn(values, norm="ortho"))


def _shrunk(values: np.ndarray, by: float) -> np.ndarray:
    """Values drawn towards 0 by `by`, and 0 where they would pass it."""
    return np.asarray(values - np.clip(values, -by, by))
