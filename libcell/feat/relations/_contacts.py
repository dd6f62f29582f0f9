"""Which objects come near each other in a label image, compiled."""

import numpy as np

from libcell.compiled import compiled


def contacts(
    numbers: np.ndarray, n: int, distance: int, core: tuple[int, ...], origin: tuple[int, int],
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours, outline and touching pixels of the objects 1..n in the core of a window.

    `numbers` is the window (h,w) of int32 at `origin` of an image of `shape`; `core` is y0, x0,
    y1, x1 in it. Returns pairs (m,2) of numbers from 0, an object and one within `distance` px of
    it, each once; pixels of its outline (n,); and those of them that have another object within
    `distance` + 0.5 px (n,).
    """
    place = np.array([*core, *origin, *shape])
    room = 8 * n + 16
    while True:
        counts, pairs = np.zeros((2, n)), np.empty((room, 2), np.int64)
        head, following = np.full(n, -1), np.empty(room, np.int64)
        found = _contacts(numbers, distance, place, pairs, head, following, counts)
        if found <= room:
            return pairs[:found], counts[0], counts[1]
        room = found


@compiled
def _contacts(
    numbers: np.ndarray, distance: int, place: np.ndarray, pairs: np.ndarray, head: np.ndarray,
    following: np.ndarray, counts: np.ndarray,
) -> int:
    """Fill `pairs` as far as there is room, and `counts`; the number of pairs there are, or more.

    Each object's neighbours are a chain from `head` through `following`, for it has few.
    """
    count = 0
    for y in range(place[0], place[2]):
        for x in range(place[1], place[3]):
            own = numbers[y, x]
            if own == 0 or not _on_outline(numbers, y, x, place):
                continue
            counts[0, own - 1] += 1
            near = 0
            for v in range(max(y - distance, 0), min(y + distance + 1, numbers.shape[0])):
                for u in range(max(x - distance, 0), min(x + distance + 1, numbers.shape[1])):
                    other = numbers[v, u]
                    if other == 0 or other == own:
                        continue
                    square = (v - y) * (v - y) + (u - x) * (u - x)
                    if square <= distance * (distance + 1):  # up to (distance + 0.5)²
                        near = 1
                    if square > distance * distance:
                        continue
                    known = head[own - 1]
                    while known >= 0 and pairs[known, 1] != other - 1:
                        known = following[known]
                    if known < 0:
                        if count < pairs.shape[0]:
                            pairs[count, 0], pairs[count, 1] = own - 1, other - 1
                            following[count] = head[own - 1]
                            head[own - 1] = count
                        count += 1
            counts[1, own - 1] += near
    return count


@compiled
def _on_outline(numbers: np.ndarray, y: int, x: int, place: np.ndarray) -> bool:
    """Whether one of the eight pixels around is not of the object or not in the image."""
    at_y, at_x = y + place[4], x + place[5]
    if at_y == 0 or at_x == 0 or at_y == place[6] - 1 or at_x == place[7] - 1:
        return True
    for v in range(y - 1, y + 2):
        for u in range(x - 1, x + 2):
            if numbers[v, u] != numbers[y, x]:
                return True
    return False
