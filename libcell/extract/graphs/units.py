"""Positions in pixels and times in frames, whatever a graph's axes are in."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from libcell.errors import DataError, UsageFault

PER_UM = {"angstrom": 1e-4, "nanometer": 1e-3, "micrometer": 1.0, "micron": 1.0, "um": 1.0,
          "µm": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6}
PLAIN = (None, "", "pixel", "px", "voxel", "frame", "dimensionless")
NEAR = 1e-3  # frames; times are often sums of rounded intervals


@dataclass(frozen=True)
class Steps:
    """What one pixel, plane and frame are, where the graph speaks of something else."""

    pixel_um: float | None = None
    z_um: float | None = None
    interval: float | None = None


def pixels(values: np.ndarray, axis: Any, name: str, steps: Steps, where: str) -> np.ndarray:
    """Positions (n,) float64 along an axis of geff, in pixels.

    An axis in pixels may have a `scale`, which is a pixel's size, and is left alone. One in
    micrometres is divided by the pixel size that was given, else by that scale.
    """
    if not np.isfinite(values).all():
        raise DataError(f"{where}: {axis.name} is not finite in {(~np.isfinite(values)).sum()} "
                        "nodes")
    if axis.unit in PLAIN:
        return values.astype(np.float64)
    if axis.unit not in PER_UM:
        raise DataError(f"{where}: axis {axis.name} is in {axis.unit}; expected pixel or a length")
    size = (steps.z_um or steps.pixel_um) if name == "z" else steps.pixel_um
    if size:
        return values * (PER_UM[axis.unit] / size)
    if axis.scale:
        return values / axis.scale
    flag = "--z-step" if name == "z" else "--pixel-size"
    raise UsageFault(f"{where}: axis {axis.name} is in {axis.unit}; say how many um a pixel is "
                     f"({flag})")


def frames(values: np.ndarray, axis: Any, steps: Steps, where: str) -> np.ndarray:
    """Frame numbers (n,) int64 from 0 along the time axis."""
    exact = values / steps.interval if steps.interval else values
    found = np.rint(exact)
    wrong = ~(np.abs(exact - found) <= NEAR)  # NaN is wrong, too
    if wrong.any():
        raise DataError(f"{where}: time {values[np.flatnonzero(wrong)[0]]} is no frame number; "
                        f"say how much time a frame is, in {axis.unit or 'its unit'} (--interval)")
    if (found < 0).any():
        raise DataError(f"{where}: time {values.min()} is before frame 0")
    if found.max(initial=0) > np.iinfo(np.int32).max:
        raise DataError(f"{where}: time {values.max()} is no frame number")
    return found.astype(np.int64)


def assumed(axes: dict[str, Any], steps: Steps) -> list[str]:
    """What is taken for granted where a graph's units leave it open, in words."""
    found = []
    unit = axes["t"].unit
    if unit not in PLAIN and not steps.interval:
        found.append(f"times are in {unit} and are taken as frame numbers (see --interval)")
    scales = {n: a.scale for n, a in axes.items() if n != "t" and a.unit not in PLAIN}
    if scales and not steps.pixel_um:
        told = ", ".join(f"{n} by {s:g}" for n, s in scales.items() if s)
        found.append(f"positions are divided by the scale of their axes to make pixels: {told}")
    return found
