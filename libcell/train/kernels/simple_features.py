"""A few plain numbers of a crop, such as anyone would try first: what a network must beat."""

import numpy as np

PERCENTILES = (1, 25, 50, 75, 99)
RINGS = 4


def simple_features(crops: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """float64 (n, 3 + 16 C) of crops (n,C,H,W) and masks (n,H,W).

    Of the mask: its area and its extent in y and x. Of each channel: mean, standard deviation,
    five percentiles, mean in the mask, mean in four rings around the middle, steepness, and of
    what rises above the lowest percentile the spread, its elongation and how even it is.
    """
    pixels = crops.astype(np.float64)
    n = len(pixels)
    inside = masks.reshape(n, -1).sum(axis=1)
    shape = np.stack([inside, masks.any(axis=2).sum(axis=1), masks.any(axis=1).sum(axis=1)], axis=1)
    made = [shape.astype(np.float64)]
    rings = _rings(*pixels.shape[2:])
    for channel in pixels.swapaxes(0, 1):
        flat = channel.reshape(n, -1)
        parts = np.percentile(flat, PERCENTILES, axis=1).T
        masked = (flat * masks.reshape(n, -1)).sum(axis=1) / np.maximum(inside, 1)
        steep = sum(np.abs(np.diff(channel, axis=a)).mean(axis=(1, 2)) for a in (1, 2))
        made += [flat.mean(axis=1)[:, None], flat.std(axis=1)[:, None], parts, masked[:, None],
                 flat @ rings, np.asarray(steep)[:, None], _moments(channel, parts[:, 0])]
    return np.concatenate(made, axis=1)


def _rings(height: int, width: int) -> np.ndarray:
    """float64 (H W, 4): weights that give the mean of each ring, from the middle outwards."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot((y - (height - 1) / 2) / height, (x - (width - 1) / 2) / width).ravel()
    ring = np.minimum((distance / 0.5 * RINGS).astype(int), RINGS - 1)
    member = (ring[:, None] == np.arange(RINGS)).astype(np.float64)
    return member / np.maximum(member.sum(axis=0), 1)


def _moments(channel: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """float64 (n,3): spread (px), elongation (0..1) and evenness of the light above `lowest`."""
    light = np.maximum(channel - lowest[:, None, None], 0)
    total = np.maximum(light.sum(axis=(1, 2)), 1e-12)
    y, x = (np.arange(s, dtype=np.float64) for s in channel.shape[1:])
    by_y, by_x = light.sum(axis=2) / total[:, None], light.sum(axis=1) / total[:, None]
    my, mx = by_y @ y, by_x @ x
    vy, vx = by_y @ y**2 - my**2, by_x @ x**2 - mx**2
    both = np.einsum("nij,i,j->n", light, y, x) / total - my * mx
    root = np.sqrt(np.maximum((vy - vx) ** 2 + 4 * both**2, 0))
    long, short = (vy + vx + root) / 2, np.maximum((vy + vx - root) / 2, 0)
    even = total**2 / np.maximum((light**2).sum(axis=(1, 2)), 1e-12) / light[0].size
    return np.stack([np.sqrt(np.maximum(vy + vx, 0)), 1 - np.sqrt(short / np.maximum(long, 1e-12)),
                     even], axis=1)
