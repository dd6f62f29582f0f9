"""Haralick's texture features of each object in one channel of a stack.

The conventions are those of `libcell.feat.families.texture`; there are 13 directions, those of
mahotas with (z, y, x) for its axes, and distances count voxels, whatever their size.
"""

from typing import Any

import numpy as np

from libcell.compiled import compiled
from libcell.errors import DataError
from libcell.feat.families import Column, _cooccurrence, texture
from libcell.feat.families._cooccurrence import LEVELS, LOG2, NAMES
from libcell.feat.volumes._voxels import VoxelIndex

NAME = "texture"
PER_CHANNEL = True
SETTINGS: dict[str, Any] = texture.SETTINGS
DIRECTIONS = np.array((
    (1, 0, 0), (1, 1, 0), (0, 1, 0), (1, -1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 1),
    (1, -1, 1), (1, 0, -1), (0, 1, -1), (1, 1, -1), (1, -1, -1)))

_describe = _cooccurrence._describe
_level = _cooccurrence._level


def columns(
    scales: tuple[int, ...] = (3,), levels: int = 256, span: str = "type"
) -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(_name(feature, scale, direction, levels), "1", texture.MEANING[feature])
            for scale in scales for direction in range(len(DIRECTIONS)) for feature in NAMES]


def _name(feature: str, scale: int, direction: int, levels: int) -> str:
    return f"Texture_{feature}_{{channel}}_{scale}_{direction:02d}_{levels}"


def measure(
    index: VoxelIndex, image: np.ndarray | None, scales: tuple[int, ...] = (3,),
    levels: int = 256, span: str = "type",
) -> dict[str, np.ndarray]:
    """Features of every object in `image` (Z,Y,X); the settings are those of the family."""
    if image is None or image.shape != index.mask.shape or image.dtype.kind not in "uifb":
        given = "none" if image is None else f"{image.dtype} {image.shape}"
        raise DataError(f"texture needs a stack of real numbers {index.mask.shape}, not {given}")
    low, high = texture.limits(span) or texture._of_type(image)
    values = index.flat.values(image.reshape(-1, image.shape[2]))
    steps = np.array(scales)[:, None, None] * DIRECTIONS
    found = np.full((len(scales), len(DIRECTIONS), len(index), len(NAMES)), np.nan)
    size = (index.high - index.low).prod(axis=1).max(initial=0)
    places = np.column_stack([index.z, index.y, index.x])
    _statistics(values, places, index.each.starts, index.each.stops, index.low, index.high,
                (float(low), float(high), levels), steps, np.empty(size, np.uint8),
                np.zeros((2, LEVELS * LEVELS), np.int64), np.zeros((3, 2 * LEVELS), np.int64),
                LOG2, found)
    return {_name(feature, scale, direction, levels): found[s, direction, :, k]
            for s, scale in enumerate(scales) for direction in range(len(DIRECTIONS))
            for k, feature in enumerate(NAMES)}


@compiled
def _statistics(
    values: np.ndarray, places: np.ndarray, starts: np.ndarray, stops: np.ndarray,
    low: np.ndarray, high: np.ndarray, span: tuple[float, float, int], steps: np.ndarray,
    scratch: np.ndarray, scores: np.ndarray, sums: np.ndarray, log2: np.ndarray,
    found: np.ndarray,
) -> None:
    """`scores` are counts by level and level, and which of them are not 0; 0 before and after."""
    count, touched = scores[0], scores[1]
    for i in range(starts.size):
        size = high[i] - low[i]
        box = scratch[: size[0] * size[1] * size[2]].reshape(size[0], size[1], size[2])
        box[:] = 0
        bottom, top, levels = span
        if not top > bottom:
            top = bottom
            for k in range(starts[i], stops[i]):
                if np.isfinite(values[k]):
                    top = max(top, values[k])
        highest = 0
        for k in range(starts[i], stops[i]):
            level = _level(values[k], bottom, top, levels)
            z, y, x = places[k] - low[i]
            box[z, y, x] = level
            highest = max(highest, level)
        for s in range(steps.shape[0]):
            for d in range(steps.shape[1]):
                kinds = _pairs(box, steps[s, d], count, touched)
                if kinds:
                    _describe(count, touched, kinds, highest, sums, log2, found[s, d, i])


@compiled
def _pairs(box: np.ndarray, step: np.ndarray, count: np.ndarray, touched: np.ndarray) -> int:
    """Count unordered pairs of levels a step (z, y, x) apart; how many kinds there are."""
    kinds, dz, dy, dx = 0, step[0], step[1], step[2]
    for z in range(max(0, -dz), min(box.shape[0], box.shape[0] - dz)):
        for y in range(max(0, -dy), min(box.shape[1], box.shape[1] - dy)):
            for x in range(max(0, -dx), min(box.shape[2], box.shape[2] - dx)):
                a, b = np.int64(box[z, y, x]), np.int64(box[z + dz, y + dy, x + dx])
                if a and b:
                    pair = LEVELS * min(a, b) + max(a, b)
                    if count[pair] == 0:
                        touched[kinds] = pair
                        kinds += 1
                    count[pair] += 1
    return kinds
