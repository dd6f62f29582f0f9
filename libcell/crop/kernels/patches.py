"""Patches of fixed size around given centres, cut out of planes or volumes."""

from collections.abc import Sequence

import numpy as np

from libcell.compiled import compiled

PADS = ("zero", "edge", "reflect")


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
    volumes: Sequence[np.ndarray], starts: np.ndarray, planes: np.ndarray, pad: str, mean: bool,
    out: np.ndarray, targets: np.ndarray,
) -> None:
    """Patch i of `volumes`, one (Z,Y,X) per channel, goes to out[targets[i]] (m,C,H,W), of the
    same dtype.

    It begins at `starts[i]` (y, x) and shows the maximum (or rounded `mean`) over the planes
    `planes[i]` (first, one past the last); planes that the volume does not have are left out, and
    without any the patch is 0. Beyond the image's edge pixels are 0 or repeat the edge or its
    mirror image (`pad`).
    """
    shape, size = volumes[0].shape, out.shape[2:]
    planes = np.clip(planes, 0, shape[0])
    whole = _plain(shape, starts, planes, size)
    for target, z, y, x in _listed(targets, planes, starts, whole):
        for c, volume in enumerate(volumes):
            out[target, c] = volume[z, y : y + size[0], x : x + size[1]]
    if not whole.all():
        rest = ~whole
        rows, columns = _indices(shape, starts[rest], size, pad)
        integer = np.issubdtype(out.dtype, np.integer)
        for c, volume in enumerate(volumes):
            _cut(volume, rows, columns, planes[rest], mean, integer, out.dtype.type(0), out[:, c],
                 targets[rest])


def cut_masks(
    labels: np.ndarray, starts: np.ndarray, planes: np.ndarray, found: np.ndarray | None,
    out: np.ndarray, targets: np.ndarray,
) -> None:
    """out[targets[i]] (m,H,W) bool shows where `labels` (Z,Y,X) is `found[i]` in any of the
    planes, or where there is any label if `found` is None; False beyond the image's edge."""
    shape, size = labels.shape, out.shape[1:]
    planes = np.clip(planes, 0, shape[0])
    whole = _plain(shape, starts, planes, size)
    wanted = np.zeros(len(starts), np.uint32) if found is None else found.astype(np.uint32)
    compare = np.not_equal if found is None else np.equal
    values = iter(wanted[whole])
    for target, z, y, x in _listed(targets, planes, starts, whole):
        compare(labels[z, y : y + size[0], x : x + size[1]], next(values), out=out[target])
    if not whole.all():
        rest = ~whole
        rows, columns = _indices(shape, starts[rest], size, "zero")
        _cut_masks(labels, rows, columns, planes[rest], wanted[rest], found is None, out,
                   targets[rest])


def _plain(
    shape: tuple[int, ...], starts: np.ndarray, planes: np.ndarray, size: tuple[int, ...]
) -> np.ndarray:
    """Which patches (n,) lie inside the image and show one plane: numpy copies those fastest."""
    inside = ((starts >= 0) & (starts <= np.subtract(shape[1:], size))).all(axis=1)
    return inside & (planes[:, 1] - planes[:, 0] == 1)


def _listed(
    targets: np.ndarray, planes: np.ndarray, starts: np.ndarray, whole: np.ndarray
) -> list[list[int]]:
    """Target, plane, first row and column of each of the patches `whole` (n,) bool."""
    found: list[list[int]] = np.column_stack([targets, planes[:, 0], starts])[whole].tolist()
    return found


def _indices(
    shape: tuple[int, ...], starts: np.ndarray, size: tuple[int, ...], pad: str
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n,H) and columns (n,W) of the image that each patch shows; -1: none."""
    rows, columns = (_axis(starts[:, i], size[i], shape[1 + i], pad) for i in (0, 1))
    return rows, columns


def _axis(first: np.ndarray, size: int, n: int, pad: str) -> np.ndarray:
    """The mirror reaches one image width; further out its last row is repeated."""
    found = first[:, None] + np.arange(size)
    if pad == "zero":
        return np.where((found >= 0) & (found < n), found, -1)
    if pad == "reflect":
        over = np.maximum(2 * (n - 1) - found, 0)
        found = np.where(found < 0, -found, np.where(found >= n, over, found))
    return np.clip(found, 0, n - 1)


@compiled
def _cut(volume, rows, columns, planes, mean, integer, zero, out, targets):  # type: ignore[no-untyped-def]
    for i in range(len(targets)):
        patch = out[targets[i]]
        first, last = planes[i]
        for y in range(patch.shape[0]):
            if first >= last or rows[i, y] < 0:
                patch[y] = zero
            elif mean and last - first > 1:
                _mean(volume[first:last, rows[i, y]], columns[i], integer, patch[y])
            else:
                _most(volume[first:last, rows[i, y]], columns[i], zero, patch[y])


@compiled
def _most(planes, columns, zero, out):  # type: ignore[no-untyped-def]
    for x in range(len(columns)):
        out[x] = planes[0, columns[x]] if columns[x] >= 0 else zero
    for z in range(1, len(planes)):
        for x in range(len(columns)):
            if columns[x] >= 0:
                out[x] = max(out[x], planes[z, columns[x]])


@compiled
def _mean(planes, columns, integer, out):  # type: ignore[no-untyped-def]
    for x in range(len(columns)):
        total = 0.0
        if columns[x] >= 0:
            for z in range(len(planes)):
                total += planes[z, columns[x]]
            total /= len(planes)
        out[x] = np.floor(total + 0.5) if integer else total


@compiled
def _cut_masks(labels, rows, columns, planes, found, every, out, targets):  # type: ignore[no-untyped-def]
    for i in range(len(targets)):
        mask = out[targets[i]]
        mask[:] = False
        for z in range(planes[i, 0], planes[i, 1]):
            for y in range(mask.shape[0]):
                if rows[i, y] < 0:
                    continue
                source = labels[z, rows[i, y]]
                target = mask[y]
                for x in range(mask.shape[1]):
                    if columns[i, x] >= 0:
                        value = source[columns[i, x]]
                        target[x] |= value != 0 if every else value == found[i]
