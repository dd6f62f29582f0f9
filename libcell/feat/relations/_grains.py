"""Erosion, opening, reconstruction and means of a small image, compiled; all of float64 (h,w)."""

import numpy as np

from libcell.compiled import compiled
from libcell.feat.families._runs import Runs


@compiled
def eroded(image: np.ndarray, radius: int) -> np.ndarray:
    """The smallest value in a disk around each pixel, as far as it lies in the image."""
    height, width = image.shape
    found = image.copy()
    for y in range(height):
        # one shifted row after the other, so that several pixels are compared at once
        for dy in range(max(-radius, -y), min(radius, height - 1 - y) + 1):
            reach = int(np.sqrt(radius * radius - dy * dy))
            for dx in range(-reach, reach + 1):
                for x in range(max(-dx, 0), min(width - dx, width)):
                    value = image[y + dy, x + dx]
                    found[y, x] = value if value < found[y, x] else found[y, x]
    return found


def opened(image: np.ndarray, radius: int) -> np.ndarray:
    """The largest of the smallest values: bright spots smaller than the disk are gone."""
    return np.asarray(-eroded(-eroded(image, radius), radius))


@compiled
def closest(
    image: np.ndarray, scale_y: float, scale_x: float, height: int, width: int
) -> np.ndarray:
    """The image at (y scale_y, x scale_x), interpolated, for y and x of (height, width)."""
    found = np.empty((height, width))
    for y in range(height):
        at_y = min(y * scale_y, image.shape[0] - 1.0)
        y0 = min(int(at_y), image.shape[0] - 1)
        y1, part_y = min(y0 + 1, image.shape[0] - 1), at_y - y0
        for x in range(width):
            at_x = min(x * scale_x, image.shape[1] - 1.0)
            x0 = min(int(at_x), image.shape[1] - 1)
            x1, part_x = min(x0 + 1, image.shape[1] - 1), at_x - x0
            above = image[y0, x0] * (1 - part_x) + image[y0, x1] * part_x
            below = image[y1, x0] * (1 - part_x) + image[y1, x1] * part_x
            found[y, x] = above * (1 - part_y) + below * part_y
    return found


@compiled
def reconstructed(marker: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Reconstruction by dilation with a cross (Vincent 1993): scans there and back, then a queue.

    `marker` is nowhere above `mask`.
    """
    height, width = mask.shape
    found = marker.copy()
    for y in range(height):
        for x in range(width):
            best = found[y, x]
            if y > 0:
                best = max(best, found[y - 1, x])
            if x > 0:
                best = max(best, found[y, x - 1])
            found[y, x] = min(best, mask[y, x])
    queue = np.empty(height * width + 1, np.int32)
    waiting = np.zeros((height, width), np.bool_)
    head = tail = 0
    for y in range(height - 1, -1, -1):
        for x in range(width - 1, -1, -1):
            best = found[y, x]
            if y + 1 < height:
                best = max(best, found[y + 1, x])
            if x + 1 < width:
                best = max(best, found[y, x + 1])
            best = min(best, mask[y, x])
            found[y, x] = best
            if (y + 1 < height and found[y + 1, x] < min(best, mask[y + 1, x])) or (
                x + 1 < width and found[y, x + 1] < min(best, mask[y, x + 1])
            ):
                waiting[y, x] = True
                queue[tail] = y * width + x
                tail += 1
    while head != tail:
        y, x = divmod(queue[head], width)
        head = head + 1 if head + 1 < queue.size else 0
        waiting[y, x] = False
        for step in range(4):
            dy, dx = ((-1, 0), (1, 0), (0, -1), (0, 1))[step]
            v, u = y + dy, x + dx
            if not (0 <= v < height and 0 <= u < width):
                continue
            level = min(found[y, x], mask[v, u])
            if found[v, u] < level:
                found[v, u] = level
                if not waiting[v, u]:
                    waiting[v, u] = True
                    queue[tail] = v * width + u
                    tail = tail + 1 if tail + 1 < queue.size else 0
    return found


def weights(
    runs: Runs, origin: tuple[int, int], scale: tuple[float, float], small: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each pixel of the small image adds to each object's mean.

    The mean over an object's pixels of the image brought back to full size is linear in the
    small image; so the sum over many pixels is done once and not for each size of grain.
    `runs` are of a window at `origin`; a pixel is at its position times `scale` in the image of
    shape `small`. Returns boxes (n,4) there (y0, x0, y1, x1), the first weight of each (n,), and
    the weights, one box after the other.
    """
    places = [(runs.box[:, k] + origin[k % 2] - k // 2) * scale[k % 2] for k in range(4)]
    boxes = np.empty((len(runs.area), 4), np.int64)
    for k in range(4):
        last = small[k % 2] - 1
        boxes[:, k] = np.minimum(places[k].astype(np.int64) + 2 * (k // 2), last + k // 2)
    stops = np.cumsum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    found = np.zeros(int(stops[-1]) if len(stops) else 0)
    first = np.append(0, stops)[: len(stops)]
    _weights(runs, *origin, *scale, small[0] - 1.0, small[1] - 1.0, boxes, first, found)
    return boxes, first, found


@compiled
def _weights(
    runs: Runs, top: int, left: int, scale_y: float, scale_x: float, last_y: float,
    last_x: float, boxes: np.ndarray, first: np.ndarray, found: np.ndarray,
) -> None:
    """Each pixel's 1 / area, shared by the four pixels of the small image around its place."""
    for i in range(runs.area.size):
        across = boxes[i, 3] - boxes[i, 1]
        for r in range(runs.first[i], runs.first[i + 1]):
            at_y = min((runs.y[r] + top) * scale_y, last_y)
            y0 = int(at_y)
            down, row = at_y - y0, first[i] + (y0 - boxes[i, 0]) * across - boxes[i, 1]
            for x in range(runs.x0[r], runs.x1[r]):
                at_x = min((x + left) * scale_x, last_x)
                x0 = int(at_x)
                right = at_x - x0
                for k in range(4):
                    part = (down if k > 1 else 1 - down) * (right if k % 2 else 1 - right)
                    if part > 0:
                        place = row + x0 + k % 2 + (across if k > 1 else 0)
                        found[place] += part / runs.area[i]


@compiled
def means(
    image: np.ndarray, boxes: np.ndarray, first: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Weighted sum of the image over each object's box, float64 (n,)."""
    found = np.zeros(first.size)
    for i in range(first.size):
        place = first[i]
        for y in range(boxes[i, 0], boxes[i, 2]):
            for x in range(boxes[i, 1], boxes[i, 3]):
                found[i] += image[y, x] * weight[place]
                place += 1
    return found
