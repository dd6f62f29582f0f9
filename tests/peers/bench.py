"""`make bench`: speed and memory as ratios, on the same input, in the same run.

Every row has a bound; the exit code is 1 if a row misses its own. Rows are functions named
`bench_*` in the modules listed in MODULES.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

MODULES = ("tests.peers.bench_house", "tests.peers.bench_coco", "tests.peers.bench_extract_images",
           "tests.peers.bench_align", "tests.peers.bench_segment", "tests.peers.bench_heads",
           "tests.peers.bench_feat", "tests.peers.bench_feat_more", "tests.peers.bench_train",
           "tests.peers.bench_cells", "tests.peers.bench_crop", "tests.peers.bench_embed",
           "tests.peers.bench_sequence", "tests.peers.bench_explain", "tests.peers.bench_ssl",
           "tests.peers.bench_track")


@dataclass(frozen=True)
class Row:
    """One figure, what it may be at most, and how it came about."""

    what: str
    value: float
    most: float
    unit: str
    how: str

    @property
    def good(self) -> bool:
        return self.value <= self.most


@dataclass(frozen=True)
class Place:
    """Where inputs are and where scratch goes."""

    data: Path
    scratch: Path


def rows(place: Place, wanted: str) -> Iterable[Row]:
    """Every row of every benchmark whose name contains `wanted`."""
    for name in MODULES:
        module = importlib.import_module(name)
        for attribute in dir(module):
            if attribute.startswith("bench_") and wanted in attribute:
                benchmark: Callable[[Place], Iterable[Row]] = getattr(module, attribute)
                yield from benchmark(place)


def main() -> int:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path(".bench"))
    parser.add_argument("--only", default="", help="part of a benchmark's name")
    given = parser.parse_args()
    given.scratch.mkdir(exist_ok=True)
    print(f"{'':4} {'figure':>9} {'bound':>9}  what", flush=True)
    missed = 0
    for row in rows(Place(given.data.resolve(), given.scratch.resolve()), given.only):
        missed += not row.good
        mark = "ok" if row.good else "MISS"
        print(f"{mark:4} {row.value:9.2f} {row.most:9.2f}  {row.what} ({row.unit}; {row.how})",
              flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
