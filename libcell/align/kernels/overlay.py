"""Two images over each other, to see whether they fit: what agrees is yellow."""

import io

import numpy as np

MOST_PX = 800  # the longer side of one picture
GAP_PX = 8
RANGE = (1.0, 99.8)  # percentiles that are shown black and full


def before_and_after(
    still: np.ndarray, moving: np.ndarray, moved: np.ndarray | None
) -> bytes:
    """A PNG: the reference (Y,X) in red and the moving image in green, on the left as they
    came, on the right with `moved` (the reference's shape), if there is one."""
    from PIL import Image

    there = np.zeros(still.shape, np.float64)
    y, x = (min(a, b) for a, b in zip(still.shape, moving.shape))
    there[:y, :x] = moving[:y, :x]
    sides = [_red_green(still, there)]
    if moved is not None:
        sides += [np.full((len(sides[0]), GAP_PX, 3), 255, np.uint8), _red_green(still, moved)]
    target = io.BytesIO()
    Image.fromarray(np.concatenate(sides, axis=1)).save(target, format="PNG", optimize=True)
    return target.getvalue()


def _red_green(red: np.ndarray, green: np.ndarray) -> np.ndarray:
    step = -(-max(red.shape) // MOST_PX)
    grow = max(1, MOST_PX // (2 * max(red.shape)))  # small images: one pixel is a square
    out = np.zeros((*_means(red, step).shape, 3), np.uint8)
    for channel, image in enumerate((red, green)):
        small = _means(image.astype(np.float64), step)
        low, high = np.percentile(small[small > small.min()], RANGE) if np.ptp(small) else (0, 1)
        out[..., channel] = np.clip((small - low) / max(high - low, 1e-9), 0, 1) * 255
    return out.repeat(grow, axis=0).repeat(grow, axis=1)


def _means(image: np.ndarray, n: int) -> np.ndarray:
    y, x = (max(1, s // n) for s in image.shape)
    cut = image[: y * n, : x * n]
    return cut if n == 1 else cut.reshape(y, n, x, n).mean(axis=(1, 3))
