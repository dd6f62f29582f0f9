"""Uneven illumination taken out: (pixels - dark) / gain, the gain being 1 on average."""

import numpy as np

from libcell.errors import DataError


def lit(pixels: np.ndarray, dark: np.ndarray | None) -> np.ndarray:
    """Pixels with dark taken off, float64; below 0 where noise is."""
    wide = pixels.astype(np.float64)
    return wide if dark is None else wide - dark


def gain_of(reference: np.ndarray, dark: np.ndarray | None, where: str) -> np.ndarray:
    """Gain (Y,X) float32 of mean 1 from a reference image (Y,X) of an even sample.

    `dark` (Y,X) is the camera's offset, taken off first. DataError where the reference is not
    lighter than that everywhere: a pixel without light cannot be mended.
    """
    light = lit(reference, dark)
    bad = int(np.count_nonzero(~(np.isfinite(light) & (light > 0))))
    if bad:
        beside = "the dark image" if dark is not None else "0"
        raise DataError(f"{where}: {bad} of {light.size} pixels are not above {beside}; a "
                        "flat-field image shows an even sample, lit everywhere")
    return (light / light.mean()).astype(np.float32)


def corrected(pixels: np.ndarray, gain: np.ndarray | None, dark: np.ndarray | None) -> np.ndarray:
    """Pixels (Z,Y,X) with dark (Y,X) taken off and divided by gain (Y,X), in their own dtype.

    Whole numbers are rounded to the nearest and clipped to what the dtype holds.
    """
    wide: np.ndarray = pixels.astype(np.float64 if pixels.dtype.itemsize >= 4 else np.float32)
    if dark is not None:
        wide = wide - dark.astype(wide.dtype)
    if gain is not None:
        wide = wide / gain
    if pixels.dtype.kind == "f":
        return wide.astype(pixels.dtype)
    limits = np.iinfo(pixels.dtype)
    return np.clip(np.rint(wide), limits.min, limits.max).astype(pixels.dtype)
