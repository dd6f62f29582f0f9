"""How a cell shines in each stain: View in, light (Y,X) of its window out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from libcell.simulate.labels import View


@dataclass(frozen=True)
class Coverage:
    """How much of each pixel (0..1, (Y,X)) nucleus, chromatin and body cover.

    Edges are soft by a pixel, so that a shift by part of a pixel shows. `chromatin` differs
    from `nucleus` only where the nucleus is splitting.
    """

    nucleus: np.ndarray
    chromatin: np.ndarray
    body: np.ndarray


def cover(view: View, allowed: np.ndarray) -> Coverage:
    """Coverage within the pixels (Y,X bool) that the labels leave to this cell."""
    chromatin = _soft(view.apart_depth) * allowed
    nucleus = _soft(view.nucleus_depth) * allowed
    return Coverage(nucleus, chromatin, np.maximum(_soft(view.body_depth) * allowed, nucleus))


def _soft(depth: np.ndarray) -> np.ndarray:
    return np.clip(depth + 0.5, 0.0, 1.0)


def _dome(q: np.ndarray, flat: float) -> np.ndarray:
    """Thickness of a rounded body over its relative radius: 1 in the centre, `flat` outside."""
    return flat + (1 - flat) * np.sqrt(np.clip(1 - q**2, 0, 1))


def _nucleoli(view: View) -> np.ndarray:
    """0..1 (Y,X): a few round spots; none once the chromatin condenses."""
    if view.cell.condensation > 1.3:
        return np.zeros_like(view.nucleus_q)
    field = view.cell.nucleoli.sample(view.dy, view.dx, view.cell.nucleus.angle)
    return np.clip(field - 1.0, 0, 1) * (view.nucleus_q < 0.8)


def _dna(view: View, on: Coverage, inside: float, outside: float) -> np.ndarray:
    cell = view.cell
    grain = 1 + cell.lumps * cell.chromatin.sample(view.dy, view.dx, cell.nucleus.angle)
    thick = _dome(view.apart_q, 0.65) * cell.condensation
    chromatin = on.chromatin * thick * grain.clip(0.2) * (1 - 0.5 * _nucleoli(view))
    return inside * chromatin + outside * on.body


def _smooth(view: View, on: Coverage, inside: float, outside: float) -> np.ndarray:
    """A soluble stain: its share in the nucleus and in the cytoplasm, thinner at the edge."""
    cytoplasm = (on.body - on.nucleus) * _dome(view.body_q, 0.35)
    return inside * on.nucleus * _dome(view.nucleus_q, 0.8) + outside * cytoplasm


def _replicating(view: View, on: Coverage, inside: float, outside: float) -> np.ndarray:
    """EdU or BrdU: foci of replication in the nucleus."""
    foci = 0.6 + 0.4 * view.cell.threads.sample(1.7 * view.dy, 1.7 * view.dx).clip(-1, 2)
    return inside * on.chromatin * foci + outside * on.body


def _rna(view: View, on: Coverage, inside: float, outside: float) -> np.ndarray:
    return _smooth(view, on, inside, outside) + 1.2 * inside * on.nucleus * _nucleoli(view)


def _reticulum(view: View, on: Coverage, inside: float, outside: float) -> np.ndarray:
    texture = 1 + 0.2 * view.cell.chromatin.sample(view.dy, view.dx)
    return _smooth(view, on, inside, outside) * texture.clip(0.3)


def _actin(view: View, on: Coverage, inside: float, outside: float) -> np.ndarray:
    """A bright cortex and stress fibres along the body's long axis."""
    cortex = np.exp(-((np.clip(view.body_depth, 0, None) - 1.0) / 2.2) ** 2)
    angle = view.cell.body.angle
    across = np.cos(angle) * view.dy - np.sin(angle) * view.dx
    bend = view.cell.nucleoli.sample(view.dy, view.dx)
    fibres = np.exp(-((np.sin(0.75 * across + 0.8 * bend) / 0.35) ** 2))
    return on.body * (outside * (0.25 + 0.85 * cortex + 0.3 * fibres)) - (
        0.2 * (outside - inside) * on.nucleus
    ).clip(0)


def _mito(view: View, on: Coverage, inside: float, outside: float) -> np.ndarray:
    """Threads around the nucleus, fewer towards the edge; the zero lines of a random field."""
    field = view.cell.threads.sample(view.dy, view.dx, view.cell.nucleus.angle)
    threads = np.exp(-((field / 0.32) ** 2))
    around = np.clip(1.15 - view.body_q, 0, 1) ** 0.7
    return outside * (on.body - on.nucleus) * threads * around + inside * on.nucleus


Stain = Callable[[View, Coverage, float, float], np.ndarray]

STAINS: dict[str, Stain] = {
    "DNA": _dna,
    "ER": _reticulum,
    "RNA": _rna,
    "Actin": _actin,
    "Mito": _mito,
    "Marker": _smooth,
    "EdU": _replicating,
    "BrdU": _replicating,
}


def optical_path(view: View, on: Coverage) -> np.ndarray:
    """Optical path difference (Y,X) of a cell against the medium; about 1 in a flat cell."""
    body = on.body * _dome(view.body_q, 0.25) * view.cell.height
    grains = 0.06 * view.cell.threads.sample(view.dy, view.dx) * (on.body - on.nucleus)
    nucleus = on.nucleus * (0.15 + 0.5 * _nucleoli(view))
    # chromosomes bend light more than nucleoplasm does
    packed = 0.12 * (view.cell.condensation - 1) * on.chromatin
    return body + grains + nucleus + packed
