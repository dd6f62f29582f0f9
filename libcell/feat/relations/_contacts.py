"""Which objects come near each other in a label image, compiled."""

import numpy as np

from libcell.compiled import compiled


@compiled
def contacts(
    numbers: np.ndarray, n: int, distance: int, core: np.ndarray, origin: np.ndarray,
    shape: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours, outline and touching pixels of the objects 1..n in the core of a window.

    `numbers` is the window (h,w) of int32 at `origin` of an image of `shape`; `core` is y0, x0,
    y1, x1 in it. Returns pairs (m,2) of numbers from 0, an object and one within `distance` px of
    it, each once; pixels of its outline (n,); and those of them that have another object within
    `distance` + 0.5 px (n,).
    """
    outline, touching = np.zeros(n), np.zeros(n)
    # each object's neighbours as a chain through `following`, for it has few
    head = np.full(n, -1, np.int64)
    pairs = np.empty((4 * n + 16, 2), np.int64)
    following = np.empty(pairs.shape[0], np.int64)
    count = 0
    for y in range(core[0], core[2]):
        for x in range(core[1], core[3]):
            own = numbers[y, x]
            if own == 0 or not _on_outline(numbers, y, x, origin, shape):
                continue
            outline[own - 1] += 1
            near = False
            for v in range(max(y - distance, 0), min(y + distance + 1, numbers.shape[0])):
                for u in range(max(x - distance, 0), min(x + distance + 1, numbers.shape[1])):
                    other = numbers[v, u]
                    if other == 0 or other == own:
                        continue
                    square = (v - y) ** 2 + (u - x) ** 2
                    near = near or square <= (distance + 0.5) ** 2
                    if square > distance**2:
                        continue
                    known = head[own - 1]
                    while known >= 0 and pairs[known, 1] != other - 1:
                        known = following[known]
                    if known >= 0:
                        continue
                    if count == pairs.shape[0]:
                        pairs = np.concatenate((pairs, np.empty_like(pairs)))
                        following = np.concatenate((following, np.empty_like(following)))
                    pairs[count, 0], pairs[count, 1] = own - 1, other - 1
                    following[count] = head[own - 1]
                    head[own - 1] = count
                    count += 1
            if near:
                touching[own - 1] += 1
    return pairs[:count].copy(), outline, touching


@compiled
def _on_outline(
    numbers: np.ndarray, y: int, x: int, origin: np.ndarray, shape: np.ndarray
) -> bool:
    """Whether one of the eight pixels around is not of the object or not in the image."""
    at_y, at_x = y + origin[0], x + origin[1]
    if at_y == 0 or at_x == 0 or at_y == shape[0] - 1 or at_x == shape[1] - 1:
        return True
    for v in range(y - 1, y + 2):
        for u in range(x - 1, x + 2):
            if numbers[v, u] != numbers[y, x]:
                return True
    return False
