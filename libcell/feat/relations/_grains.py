"""Erosion, opening, reconstruction and means of a small image, compiled; all of float64 (h,w)."""

import numpy as np

from libcell.compiled import compiled


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


@compiled
def opened(image: np.ndarray, radius: int) -> np.ndarray:
    """The largest of the smallest values: bright spots smaller than the disk are gone."""
    return -eroded(-eroded(image, radius), radius)


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
    queue = np.empty(height * width + 1, np.int64)
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


@compiled
def weights(
    y: np.ndarray, x: np.ndarray, starts: np.ndarray, stops: np.ndarray, scale_y: float,
    scale_x: float, height: int, width: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each pixel of the small image (height, width) adds to each object's mean.

    The mean over an object's pixels of the image brought back to full size is linear in the
    small image; so the sum over many pixels is done once and not for each size of grain.
    Returns boxes (n,4) in the small image (y0, x0, y1, x1), the first weight of each (n,), and
    the weights.
    """
    boxes = np.zeros((starts.size, 4), np.int64)
    first = np.zeros(starts.size, np.int64)
    total = 0
    for i in range(starts.size):
        part_y, part_x = y[starts[i] : stops[i]], x[starts[i] : stops[i]]
        boxes[i, 0] = min(int(part_y.min() * scale_y), height - 1)
        boxes[i, 1] = min(int(part_x.min() * scale_x), width - 1)
        boxes[i, 2] = min(int(part_y.max() * scale_y) + 2, height)
        boxes[i, 3] = min(int(part_x.max() * scale_x) + 2, width)
        first[i] = total
        total += (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
    found = np.zeros(total)
    for i in range(starts.size):
        across = boxes[i, 3] - boxes[i, 1]
        for k in range(starts[i], stops[i]):
            at_y, at_x = min(y[k] * scale_y, height - 1.0), min(x[k] * scale_x, width - 1.0)
            y0, x0 = int(at_y), int(at_x)
            down, right = at_y - y0, at_x - x0
            place = first[i] + (y0 - boxes[i, 0]) * across + x0 - boxes[i, 1]
            found[place] += (1 - down) * (1 - right)
            if right > 0:
                found[place + 1] += (1 - down) * right
            if down > 0:
                found[place + across] += down * (1 - right)
                if right > 0:
                    found[place + across + 1] += down * right
    for i in range(starts.size):
        stop = first[i + 1] if i + 1 < starts.size else total
        found[first[i] : stop] /= stops[i] - starts[i]
    return boxes, first, found


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
