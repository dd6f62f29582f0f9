"""Haralick's texture features of each object in one channel: CellProfiler's Texture.

The pixels' values become grey levels by one rule for the whole image, as in CellProfiler: from 0
to the largest value of the pixel type, rounded to 0 .. 255, then, for fewer levels, cut off.
Pairs of pixels `scale` px apart count where both lie in the object and neither has level 0;
directions are 00 along x, 01 along the falling diagonal, 02 along y, 03 along the rising one.
Statistics are mahotas's: the matrix is symmetric, DifferenceVariance is that of the
probabilities of the differences from 0 to the object's highest level.

- Images that use few of their type's values (12 bits in 16) have few levels left: give `span`.
- Floating-point images span their levels from their smallest to their largest value.
- NaN in a direction without a pair. mahotas fails there, and CellProfiler has NaN in all four.
- Energy is the root of AngularSecondMoment and Dissimilarity the mean difference, as in
  scikit-image's graycoprops, where InverseDifferenceMoment is called homogeneity and
  AngularSecondMoment ASM. graycomatrix counts ordered pairs unless it is told `symmetric=True`.
"""

from typing import Any

import numpy as np

from libcell.errors import DataError, UsageFault
from libcell.feat.families import _cooccurrence
from libcell.feat.families._column import Column
from libcell.feat.families._index import ObjectIndex

NAME = "texture"
PER_CHANNEL = True
SETTINGS: dict[str, Any] = {"scales": (3,), "levels": 256, "span": "type"}
MEANING = {
    "AngularSecondMoment": "sum of the squares: 1 where all pairs are alike",
    "Contrast": "mean squared difference of the levels of a pair",
    "Correlation": "of the levels of a pair; 1 where all are alike",
    "Variance": "of the levels",
    "InverseDifferenceMoment": "mean of 1 / (1 + squared difference)",
    "SumAverage": "mean of the sum of a pair's levels",
    "SumVariance": "variance of the sum",
    "SumEntropy": "entropy of the sum, bits",
    "Entropy": "entropy of the pairs, bits",
    "DifferenceVariance": "variance of the probabilities of the differences",
    "DifferenceEntropy": "entropy of the difference, bits",
    "InfoMeas1": "first information measure of correlation",
    "InfoMeas2": "second information measure of correlation",
    "Dissimilarity": "mean difference of the levels of a pair",
    "Energy": "root of AngularSecondMoment",
}


def columns(
    scales: tuple[int, ...] = (3,), levels: int = 256, span: str = "type"
) -> list[Column]:
    """Every feature with its unit and meaning."""
    return [Column(_name(feature, scale, direction, levels), "1", MEANING[feature])
            for scale in scales for direction in range(4) for feature in _cooccurrence.NAMES]


def measure(
    labels: np.ndarray, image: np.ndarray | None, index: ObjectIndex,
    scales: tuple[int, ...] = (3,), levels: int = 256, span: str = "type",
) -> dict[str, np.ndarray]:
    """Features of every object of `labels` (Y,X) in `image` (Y,X); see `columns`.

    `scales` in px; `levels` 2 to 256; `span` are the values that the levels span: "type",
    "object" (0 to each object's largest), or "LOW,HIGH".
    """
    if image is None or image.shape != labels.shape or image.dtype.kind not in "uifb":
        given = "none" if image is None else f"{image.dtype} {image.shape}"
        raise DataError(f"texture needs an image of real numbers {labels.shape}, not {given}")
    low, high = limits(span) or _of_type(image)
    found = _cooccurrence.statistics(index.by_run, index.values(image), low, high, levels, scales)
    return {_name(feature, scale, direction, levels): found[s, direction, k]
            for s, scale in enumerate(scales) for direction in range(4)
            for k, feature in enumerate(_cooccurrence.NAMES)}


def require(scales: tuple[int, ...], span: str) -> None:
    """UsageFault for settings that are none; levels are checked with the option."""
    if not scales or min(scales) < 1:
        raise UsageFault("--texture-scales: give distances of 1 px or more")
    limits(span)


def limits(span: str) -> tuple[float, float] | None:
    """The numbers that a span names, (0, 0) for each object's own; None where the image tells.

    UsageFault for what is no span.
    """
    if span == "type":
        return None
    if span == "object":
        return 0.0, 0.0
    try:
        low, high = (float(part) for part in span.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not low < high < np.inf:
        raise UsageFault(f"--texture-span {span}: give type, object, or two numbers LOW,HIGH")
    return low, high


def _of_type(image: np.ndarray) -> tuple[float, float]:
    """From 0 to the largest value of the pixel type; of floating point, the image's own range."""
    if image.dtype.kind == "b":
        return 0.0, 1.0
    if image.dtype.kind != "f":
        return 0.0, float(np.iinfo(image.dtype).max)
    finite = image[np.isfinite(image)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return low, high if high > low else low + 1


def _name(feature: str, scale: int, direction: int, levels: int) -> str:
    return f"Texture_{feature}_{{channel}}_{scale}_{direction:02d}_{levels}"
