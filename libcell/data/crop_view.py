"""Crops of a chunk into their places in a batch: chosen, cut and masked in one pass."""

import numpy as np

from libcell.compiled import compiled


def place(
    chunk: np.ndarray, chunk_masks: np.ndarray, within: np.ndarray, targets: np.ndarray,
    channels: np.ndarray, y0: int, x0: int, masked: bool, crops: np.ndarray, masks: np.ndarray,
) -> None:
    """Rows `within` (k,) of a chunk (m,C,H,W) and its masks (m,H,W) go to the rows `targets` (k,)
    of crops (n,c,h,w) and masks (n,h,w).

    `channels` (c,) are numbers of the chunk's; (y0, x0) is the corner of what is cut out. Pixels
    outside the mask become 0 if `masked`.
    """
    y, x = (slice(a, a + n) for a, n in zip((y0, x0), masks.shape[1:]))
    some = slice(None) if _all_in_order(channels, chunk.shape[1]) else channels
    for a, b in zip(within.tolist(), targets.tolist()):
        masks[b] = chunk_masks[a, y, x]
        if not masked:
            crops[b] = chunk[a, some, y, x]
    if masked:
        _masked(chunk, within, targets, channels, y0, x0, crops.dtype.type(0), crops, masks)


def _all_in_order(channels: np.ndarray, count: int) -> bool:
    return len(channels) == count and bool((channels == np.arange(count)).all())


@compiled
def _masked(chunk, within, targets, channels, y0, x0, zero, crops, masks):  # type: ignore[no-untyped-def]
    """Row by row: only then do the loops over a row become vector instructions."""
    height, width = masks.shape[1:]
    for i in range(len(within)):
        for c in range(len(channels)):
            for y in range(height):
                source = chunk[within[i], channels[c], y0 + y, x0 : x0 + width]
                target = crops[targets[i], c, y]
                inside = masks[targets[i], y]
                for x in range(width):
                    target[x] = source[x] if inside[x] else zero
