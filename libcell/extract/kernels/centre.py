"""Pictures of different sizes around one middle."""

import numpy as np


def centred(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(C,Y,X) cut or padded with 0 to (C,H,W) around its middle, own dtype."""
    if pixels.shape[1:] == size:
        return pixels
    made = np.zeros((pixels.shape[0], *size), pixels.dtype)
    spans_from, spans_to = [], []
    for have, want in zip(pixels.shape[1:], size):
        length = min(have, want)
        spans_from.append(slice((have - length) // 2, (have - length) // 2 + length))
        spans_to.append(slice((want - length) // 2, (want - length) // 2 + length))
    made[:, spans_to[0], spans_to[1]] = pixels[:, spans_from[0], spans_from[1]]
    return made
