"""Simulated microscopy with known truth, for demos, tests and benchmarks."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from libcell.errors import CellError

KINDS = {
    "plate": "a multi-well plate: conditions, batch effects, classes of cells",
    "rounds": "fields imaged in two staining rounds, shifted, some cells lost",
    "timelapse": "films of dividing cells with tracks and cell-cycle stages",
    "lines": "time series of growing cell lines in batches, phase contrast",
    "livecell": "the same with an outline of every cell, laid out as LIVECell is",
}
WELLS = {"plate": 6, "rounds": 1, "timelapse": 1}
SITES = {"plate": 2, "rounds": 2, "timelapse": 1}
CELLS_PER_PX = {"plate": 40 / 256**2, "rounds": 40 / 256**2, "timelapse": 12 / 256**2,
                "lines": 40 / 256**2, "livecell": 40 / 256**2}
GROWN = ("lines", "livecell")


def parser() -> argparse.ArgumentParser:
    """One subcommand per kind of microscopy."""
    top = argparse.ArgumentParser(prog="python -m libcell.simulate", description=__doc__)
    kinds = top.add_subparsers(dest="kind", required=True)
    for kind, summary in KINDS.items():
        one = kinds.add_parser(kind, help=summary, description=summary)
        one.add_argument("-o", "--output", type=Path, required=True, metavar="DIR",
                         help="new folder; must not exist")
        one.add_argument("--seed", type=_least(0), default=0, metavar="N", help="[%(default)s]")
        if kind in GROWN:
            _add_lines(one)
        else:
            one.add_argument("--wells", type=_least(1), default=WELLS[kind], metavar="N",
                             help="wells, from B02 on [%(default)s]")
            one.add_argument("--sites", type=_least(1), default=SITES[kind], metavar="N",
                             help="fields of view per well [%(default)s]")
        one.add_argument("--size", type=_least(64), default=256, metavar="PX",
                         help="height and width of a field [%(default)s]")
        one.add_argument("--cells", type=_least(1), metavar="N",
                         help="cells per field [by its size]")
        if kind == "plate":
            one.add_argument("--plates", type=_least(1), default=1, metavar="N",
                             help="plates, each its own batch [%(default)s]")
        if kind == "rounds":
            one.add_argument("--cultures", action="store_true",
                             help="wells of two cell types, alone and together, each with a stain "
                                  "of its own in round 2 [cells in four phases of their cycle]")
        if kind == "timelapse":
            one.add_argument("--frames", type=_least(1), default=24, metavar="N",
                             help="frames, 10 minutes apart [%(default)s]")
        if kind in ("plate", "timelapse"):
            one.add_argument("--contrast", choices=("fluorescence", "phase"),
                             default="fluorescence", help="[%(default)s]")
    return top


def _add_lines(one: argparse.ArgumentParser) -> None:
    for name, value, text in (("lines", 3, "cell lines"), ("batches", 4, "batches"),
                              ("positions", 2, "time series of each line in each batch"),
                              ("frames", 6, "images of a time series")):
        one.add_argument(f"--{name}", type=_least(1), default=value, metavar="N",
                         help=f"{text} [%(default)s]")
    for name, number, text in (("hours", 6.0, "between two images"),
                               ("share", 1.0, "of the cells that look like their line"),
                               ("effect", 1.0, "strength of the batch effects")):
        one.add_argument(f"--{name}", type=float, default=number, metavar="X",
                         help=f"{text} [%(default)s]")


def _least(lowest: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text} is below {lowest}")
        return int(text)

    return whole


def simulate(options: argparse.Namespace) -> None:
    """Write what was asked for."""
    from libcell.simulate import (
        simulate_lines,
        simulate_plate,
        write_annotated,
        write_lines,
        write_plate,
        write_rounds,
        write_timelapse,
    )

    shape = (options.size, options.size)
    n_cells = options.cells or max(1, round(CELLS_PER_PX[options.kind] * options.size**2))
    if options.kind in GROWN:
        write = write_lines if options.kind == "lines" else write_annotated
        write(options.output, simulate_lines(
            options.seed, options.lines, options.batches, options.positions, options.frames,
            hours=options.hours, shape=shape, n_cells=n_cells, share=options.share,
            effect=options.effect))
        return
    common = {"wells": options.wells, "sites": options.sites, "shape": shape, "n_cells": n_cells}
    if options.kind == "plate":
        write_plate(options.output, simulate_plate(
            options.seed, **common, plates=options.plates, contrast=options.contrast))
    elif options.kind == "rounds":
        write_rounds(options.output, options.seed, cultured=options.cultures, **common)
    else:
        write_timelapse(options.output, options.seed, **common, frames=options.frames,
                        contrast=options.contrast)


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0, or that of the error, which is one line on stderr."""
    options = parser().parse_args(arguments)
    try:
        simulate(options)
    except CellError as error:
        print(f"libcell.simulate: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
