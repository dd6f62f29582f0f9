"""Which colour an object has: its stage's, or its track's.

Pictures are bytes that stand for places in one palette: greys of the image first, then colours.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GREYS = 160  # steps of grey in the palette
WHITE = GREYS - 1
PLAIN = GREYS  # of what has no colour
FIRST = GREYS + 1
HUES = 95  # what is left of 256
# safe for the colour-blind, light enough on black (Okabe and Ito)
STAGES = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2", "#FFFFFF")
NONE = "#9a9a9a"
TURN = 0.61803  # of the circle of hues from one track to the next


@dataclass(frozen=True)
class Colours:
    """Colour of every row of a table, and what the colours mean.

    index  (n,) uint8: place in the palette
    names  stages with their colours; empty where colours are tracks
    """

    index: np.ndarray
    names: dict[str, str]


def by_track(track: np.ndarray) -> Colours:
    """A hue for each track (n,), others for those that appeared just before and after."""
    _, order = np.unique(track, return_inverse=True)
    return Colours((FIRST + order % HUES).astype(np.uint8), {})


def by_stage(stage: Sequence[str | None], names: Sequence[str]) -> Colours:
    """Rows without a stage are grey."""
    places = {name: FIRST + k % HUES for k, name in enumerate(names)}
    index = [PLAIN if s is None else places[s] for s in stage]
    return Colours(np.array(index, np.uint8),
                   {n: code(palette(True)[p]) for n, p in places.items()})


def palette(stages: bool) -> np.ndarray:
    """(256, 3) uint8."""
    greys = np.repeat(np.linspace(0, 255, GREYS).round()[:, None], 3, axis=1)
    known = list(STAGES) if stages else []
    colours = [_rgb(c) for c in (NONE, *known)]
    for k in range(HUES - len(known)):
        hue = (0.55 + k * TURN) % 1
        colours.append([round(255 * v) for v in colorsys.hsv_to_rgb(hue, 0.62, 1.0)])
    return np.concatenate([greys, np.array(colours)]).astype(np.uint8)


def code(rgb: np.ndarray) -> str:
    """A colour as HTML writes it."""
    return "#{:02x}{:02x}{:02x}".format(*(int(v) for v in rgb))


def _rgb(text: str) -> list[int]:
    return [int(text[i : i + 2], 16) for i in (1, 3, 5)]
