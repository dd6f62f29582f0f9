"""Objects of single planes joined to objects of a stack."""

import numpy as np


def stitch(labels: np.ndarray, threshold: float) -> np.ndarray:
    """Labels (K,Z,Y,X) whose planes were segmented one by one, as objects of the stack, uint32.

    Two objects of neighbouring planes are one if each overlaps the other most and their IoU is
    above `threshold`; where there are several compartments, that of the largest extent decides.
    """
    result = np.zeros(labels.shape, np.uint32)
    highest, before, names = 0, None, np.zeros(1, np.uint32)
    for z in range(labels.shape[1]):
        plane = labels[:, z]
        now = plane.max(axis=0)
        renamed = np.zeros(int(now.max(initial=0)) + 1, np.uint32)
        if before is not None:
            for old, new in _partners(before, now, threshold):
                renamed[new] = names[old]
        fresh = np.setdiff1d(np.unique(now), np.append(np.flatnonzero(renamed), 0))
        renamed[fresh] = highest + 1 + np.arange(len(fresh))
        highest += len(fresh)
        result[:, z] = renamed[plane]
        before, names = now, renamed
    return result


def _partners(before: np.ndarray, now: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """Pairs (label before, label now) that are one object."""
    rows, columns = int(before.max(initial=0)) + 1, int(now.max(initial=0)) + 1
    keys = before.ravel().astype(np.int64) * columns + now.ravel()
    pairs, pixels = np.unique(keys, return_counts=True)
    old, new = pairs // columns, pairs % columns
    sizes = (np.bincount(old, weights=pixels, minlength=rows),
             np.bincount(new, weights=pixels, minlength=columns))
    both = (old > 0) & (new > 0)
    old, new, pixels = old[both], new[both], pixels[both]
    iou = pixels / (sizes[0][old] + sizes[1][new] - pixels)
    best = np.zeros(rows), np.zeros(columns)
    np.maximum.at(best[0], old, iou)
    np.maximum.at(best[1], new, iou)
    mutual = (iou > threshold) & (iou >= best[0][old]) & (iou >= best[1][new])
    by_new = dict(zip(new[mutual].tolist(), old[mutual].tolist()))  # one each, where two tie
    by_old = {o: n for n, o in by_new.items()}
    return list(by_old.items())
