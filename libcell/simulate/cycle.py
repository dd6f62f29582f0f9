"""The cell cycle: which stage when, and what the nucleus and the cell look like in it.

Looks follow what every textbook shows of a fluorescent histone: chromatin condenses in
prophase, gathers in prometaphase, lines up as a bright plate in metaphase, parts into two
masses in anaphase; the daughters' nuclei are small and bright in telophase. The body rounds
up meanwhile. Durations are in frames; interphase is hastened, so that short films divide.
"""

from dataclasses import dataclass, replace
from math import pi

import numpy as np

from libcell.simulate.cells import Cell
from libcell.simulate.shapes import Contour

STAGES = ("interphase", "prophase", "prometaphase", "metaphase", "anaphase", "telophase")
# the last frames of a mother, in order; telophase is the first frames of her daughters
MITOSIS = (("prophase", 2), ("prometaphase", 1), ("metaphase", 2), ("anaphase", 2))
MITOSIS_FRAMES = sum(n for _, n in MITOSIS)
TELOPHASE_FRAMES = 2
PARTED = 1.05  # distance of a mass from the middle at the end of anaphase, in nuclear radii


@dataclass(frozen=True)
class Moment:
    """Where a cell is in its cycle: stage, share of the stage (0..1) and of interphase gone."""

    stage: str
    progress: float
    grown: float


def moment(age: int, cycle: int, born: bool) -> Moment:
    """The moment of a cell of `age` frames whose cycle lasts `cycle`; born: seen from birth."""
    left = cycle - age
    grown = min(1.0, max(0.0, age / max(1, cycle - MITOSIS_FRAMES)))
    if born and age < TELOPHASE_FRAMES:
        return Moment("telophase", (age + 1) / (TELOPHASE_FRAMES + 1), 0.0)
    until = MITOSIS_FRAMES
    for stage, frames in MITOSIS:
        if until >= left > until - frames:
            return Moment(stage, (until - left + 1) / frames, 1.0)
        until -= frames
    return Moment("interphase", grown, grown)


def nuclear_radius(cell: Cell, grown: float) -> float:
    """Radius in px of a disc like the nucleus; its area doubles over interphase."""
    return (cell.nucleus.long_px * cell.nucleus.short_px) ** 0.5 * (1 + grown) ** 0.5


def appear(cell: Cell, now: Moment, angle: float) -> Cell:
    """The cell, given as it is at birth, as it looks now; angle: of the nucleus, radians."""
    radius = nuclear_radius(cell, now.grown)
    base = replace(cell.nucleus, angle=angle)
    share = (1 + now.grown) ** 0.5
    if now.stage == "interphase":
        nucleus = replace(base, long_px=base.long_px * share, short_px=base.short_px * share)
        # DNA doubles in the middle of interphase, area doubles over all of it
        content = 1 + float(np.clip((now.grown - 0.35) / 0.35, 0, 1))
        body = replace(cell.body, long_px=cell.body.long_px * share,
                       short_px=cell.body.short_px * share)
        return replace(cell, nucleus=nucleus, body=body, condensation=content / (1 + now.grown))
    long, short, bumps, packed, lumps, rounding = _mitotic(now)
    split = PARTED * now.progress * radius if now.stage == "anaphase" else 0.0
    nucleus = replace(base, long_px=long * radius, short_px=short * radius,
                      bumps=bumps * base.bumps, split_px=split)
    body_px = (cell.body.long_px * cell.body.short_px) ** 0.5 * share
    return replace(
        cell, nucleus=nucleus, body=_rounded(cell, body_px, angle, split, rounding),
        body_shift=(cell.body_shift[0] * (1 - rounding), cell.body_shift[1] * (1 - rounding)),
        condensation=packed, lumps=lumps, height=1 + 1.3 * rounding,
    )


def _mitotic(now: Moment) -> tuple[float, float, float, float, float, float]:
    """Semi-axes (in nuclear radii), bumps, condensation, lumps and rounding (0..1) of a stage."""
    p = now.progress
    return {
        "prophase": (0.98, 0.9, 1.0, 1.0 + 0.35 * p, 0.55, 0.4 * p),
        "prometaphase": (0.85, 0.68, 4.0, 1.9, 0.6, 0.9),
        "metaphase": (0.98, 0.32, 1.5, 2.9, 0.25, 1.0),
        "anaphase": (0.85, 0.27, 1.5, 2.7, 0.2, 1.0),
        "telophase": (1.05 - 0.1 * p, 0.5 + 0.35 * p, 1.5, 2.0 - 0.8 * p, 0.2, 0.9 - 0.6 * p),
    }[now.stage]


def _rounded(
    cell: Cell, radius_px: float, angle: float, split_px: float, rounding: float
) -> Contour:
    """The body: a smaller disc the more it rounds up, longer where the chromatin parts."""
    radius_px *= 1 - 0.3 * rounding
    stretch = (cell.body.long_px / cell.body.short_px) ** (0.5 * (1 - rounding))
    if split_px:
        return replace(cell.body, long_px=radius_px + 0.55 * split_px, short_px=0.95 * radius_px,
                       angle=angle + pi / 2, bumps=0.2 * cell.body.bumps)
    return replace(cell.body, long_px=radius_px * stretch, short_px=radius_px / stretch,
                   bumps=(1 - 0.8 * rounding) * cell.body.bumps)
