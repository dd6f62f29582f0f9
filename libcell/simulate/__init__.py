"""Simulated microscopy with known truth, for demos, tests and benchmarks. Nothing here is data.

The same seed gives the same bytes (on one machine, with one numpy), and a field of view does
not depend on which others were asked for. Names load on first use, so that
`python -m libcell.simulate --help` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libcell.simulate.annotated import write_annotated
    from libcell.simulate.classes import CLASSES, CellClass
    from libcell.simulate.field import Field, simulate_field
    from libcell.simulate.lines import Lines, simulate_lines
    from libcell.simulate.optics import Optics
    from libcell.simulate.plate import Plate, simulate_plate
    from libcell.simulate.rounds import Rounds, simulate_rounds
    from libcell.simulate.timelapse import Timelapse, simulate_timelapse
    from libcell.simulate.write import write_lines, write_plate, write_rounds, write_timelapse

WHERE = {
    "CLASSES": "classes", "CellClass": "classes", "Optics": "optics",
    "Field": "field", "simulate_field": "field",
    "Lines": "lines", "simulate_lines": "lines",
    "Plate": "plate", "simulate_plate": "plate",
    "Rounds": "rounds", "simulate_rounds": "rounds",
    "Timelapse": "timelapse", "simulate_timelapse": "timelapse",
    "write_annotated": "annotated",
    "write_lines": "write", "write_plate": "write", "write_rounds": "write",
    "write_timelapse": "write",
}

__all__ = [
    "CLASSES", "CellClass", "Field", "Lines", "Optics", "Plate", "Rounds", "Timelapse",
    "simulate_field", "simulate_lines", "simulate_plate", "simulate_rounds",
    "simulate_timelapse", "write_annotated", "write_lines", "write_plate", "write_rounds",
    "write_timelapse",
]


def __getattr__(name: str) -> Any:
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{WHERE[name]}"), name)
