"""Cells to images and labels: every cell adds its light in its own window."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from libcell.errors import UsageFault
from libcell.simulate.cells import Cell
from libcell.simulate.labels import View, paint_labels, view
from libcell.simulate.optics import Optics
from libcell.simulate.seeds import Key, generator
from libcell.simulate.stains import STAINS, cover, optical_path

PHASE = "Phase"
CONTRASTS = {"fluorescence": ("DNA", "Actin", "Mito"), "phase": (PHASE,)}


def channels_of(contrast: str, channels: Sequence[str] | None) -> tuple[str, ...]:
    """The channels asked for, else those of a contrast. UsageFault for an unknown one."""
    if contrast not in CONTRASTS:
        raise UsageFault(f"contrast is {' or '.join(CONTRASTS)}, not {contrast!r}")
    found = tuple(channels) if channels is not None else CONTRASTS[contrast]
    known = (*STAINS, PHASE)
    unknown = [c for c in found if c not in known]
    if unknown or not found or len(set(found)) < len(found):
        wrong = f"no channel {', '.join(unknown)}; " if unknown else ""
        raise UsageFault(f"{wrong}channels are one or more of {', '.join(known)}, each once")
    return found


def render(
    cells: Sequence[Cell],
    shape: tuple[int, int],
    channels: Sequence[str],
    optics: Optics,
    key: Key,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (C,Y,X) uint16, nuclei and cells (Y,X) uint32 labelled 1..n in the order of `cells`.

    The noise of a channel has its own stream below `key`.
    """
    views = [view(c, shape) for c in cells]
    nuclei, bodies = paint_labels(views, shape)
    light = _light(views, bodies, shape, channels)
    image = np.empty(light.shape, np.uint16)
    for i, channel in enumerate(channels):
        form = optics.phase_contrast if channel == PHASE else None
        electrons = form(light[i]) if form else optics.fluorescence(light[i], channel)
        image[i] = optics.expose(electrons, generator((*key, "noise", channel)))
    return image, nuclei, bodies


def _light(
    views: Sequence[View], bodies: np.ndarray, shape: tuple[int, int], channels: Sequence[str]
) -> np.ndarray:
    """Light, or optical path in `Phase`, before the optics: (C,Y,X) float64."""
    light = np.zeros((len(channels), *shape))
    for label, v in enumerate(views, start=1):
        here = bodies[v.box]
        # half a pixel of soft edge lies outside the label, but never in another cell
        mine = ndimage.binary_dilation(here == label) & ((here == label) | (here == 0))
        on = cover(v, mine)
        for i, channel in enumerate(channels):
            if channel == PHASE:
                light[i][v.box] += optical_path(v, on)
            else:
                light[i][v.box] += STAINS[channel](v, on, *v.cell.levels[channel])
    return light.clip(0) if PHASE not in channels else light
