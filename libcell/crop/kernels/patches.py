"""Patches of fixed size around given centres."""

import numpy as np


def corner(centres: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """First row and column (n,2) of the patches centred on `centres` (n,2: y, x).

    The centre is rounded half up (numpy rounds half to even, which would shift every second
    object); an even patch covers [c - h, c + h).
    """
    whole = np.floor(np.asarray(centres, np.float64) + 0.5).astype(np.int64)
    return whole - np.array(size) // 2


def window(
    centres: np.ndarray, size: tuple[int, int], shape: tuple[int, int]
) -> tuple[slice, slice]:
    """Rows and columns of an image of `shape` (Y,X) that the patches around `centres` touch.

    It ends inside the image only where no patch reaches further, so that what `cut` pads lies
    beyond the image's own edge.
    """
    first = corner(centres, size)
    low = np.clip(first.min(axis=0), 0, np.array(shape) - 1)
    high = np.clip((first + np.array(size)).max(axis=0), 1, shape)
    y, x = (slice(int(a), int(b)) for a, b in zip(low, high))
    return y, x


def cut(
    image: np.ndarray, labels: np.ndarray, centres: np.ndarray, found: np.ndarray,
    size: tuple[int, int], pad: str = "zero",
) -> tuple[np.ndarray, np.ndarray]:
    """Patches (n,C,H,W) of `image` (C,Y,X) and masks (n,H,W) of the labels `found` (n,).

    Beyond the image's edge pixels are 0 or repeat the edge or its mirror image (`pad`); the mask
    is False there.
    """
    height, width = size
    wide = _padded(image, size, pad)
    wide_labels = np.pad(labels, [(height, height), (width, width)])
    starts = corner(centres, size) + np.array(size)
    patches = np.empty((len(starts), image.shape[0], height, width), image.dtype)
    masks = np.empty((len(starts), height, width), bool)
    for i, ((y, x), label) in enumerate(zip(starts, found)):
        patches[i] = wide[:, y : y + height, x : x + width]
        masks[i] = wide_labels[y : y + height, x : x + width] == label
    return patches, masks


def _padded(image: np.ndarray, size: tuple[int, int], pad: str) -> np.ndarray:
    """`image` (C,Y,X) with a margin of `size` on every side."""
    margin = [(0, 0), *((n, n) for n in size)]
    if pad != "reflect":
        return np.pad(image, margin, mode="edge" if pad == "edge" else "constant")
    # numpy mirrors at most one image width; further out the last mirrored row is repeated
    once = [(0, 0), *((min(n, s - 1),) * 2 for n, s in zip(size, image.shape[1:]))]
    rest = [(m[0] - o[0], m[1] - o[1]) for m, o in zip(margin, once)]
    return np.pad(np.pad(image, once, mode="reflect"), rest, mode="edge")
