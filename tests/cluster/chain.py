"""Block-wise commands in an order in which each finds what it reads."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.small_plate import PATTERN, contents, write_raw

WELLS = tuple(f"{row}{column:02d}" for row in "AB" for column in range(1, 7))
CELLS = ("n.labels.ome.zarr", "--images", "p.ome.zarr")
FILM = ("f.labels.ome.zarr", "--images", "f.ome.zarr")
CNN = ("--epochs", "1", "--backbone", "resnet10t", "--size", "24", "--device", "cpu")


@dataclass(frozen=True)
class Step:
    """One command; `blocks` says that its work goes over the pool, the others prepare."""

    args: tuple[str, ...]
    output: str
    blocks: bool = True


SHORT = (
    Step(("extract", "images", "raw/*.tif", "--pattern", PATTERN), "p.ome.zarr"),
    Step(("segment", "threshold", "p.ome.zarr", "-c", "DNA"), "n.labels.ome.zarr"),
    Step(("segment", "threshold", "p.ome.zarr", "-c", "DNA", "--tile", "64"), "t.labels.ome.zarr"),
    Step(("crop", "cells", *CELLS, "--size", "24"), "c.crops.zarr"),
    Step(("feat", "measure", *CELLS), "f.parquet"),
)
CHAIN = (
    *SHORT,
    Step(("segment", "foreground", "p.ome.zarr", "-c", "GFP"), "a.labels.ome.zarr"),
    Step(("segment", "grow", *CELLS, "-c", "GFP", "--distance", "8"), "g.labels.ome.zarr"),
    Step(("segment", "pair", "n.labels.ome.zarr", "--cells", "g.labels.ome.zarr"),
         "b.labels.ome.zarr"),
    Step(("segment", "score", "t.labels.ome.zarr", "n.labels.ome.zarr"), "score.parquet"),
    Step(("align", "rounds", "p.ome.zarr", "--moving", "p.ome.zarr"), "r.ome.zarr"),
    Step(("crop", "clusters", "a.labels.ome.zarr", "--images", "p.ome.zarr", "--channel", "GFP",
          "--size", "48"), "k.crops.zarr"),
    Step(("extract", "to-coco", "n.labels.ome.zarr"), "n.json"),
    Step(("extract", "images", "film/images/*.tif",
          "--pattern", "{well}_s{site}_t{t}_{channel}.tif"), "f.ome.zarr"),
    Step(("align", "drift", "f.ome.zarr"), "d.ome.zarr"),
    Step(("segment", "threshold", "f.ome.zarr"), "f.labels.ome.zarr"),
    Step(("track", "overlap", "f.labels.ome.zarr"), "o.tracks"),
    Step(("track", "lap", "f.labels.ome.zarr"), "l.tracks"),
    Step(("track", "relabel", "o.tracks", "--labels", "f.labels.ome.zarr"), "q.labels.ome.zarr"),
    Step(("crop", "sequences", "o.tracks", "--labels", *FILM, "--size", "24"), "s.crops.zarr"),
    Step(("train", "cnn", "c.crops.zarr", "--target", "Metadata_Well", "--group",
          "Metadata_Label", *CNN), "c.model",
         blocks=False),
    Step(("train", "predict", "c.crops.zarr", "-m", "c.model"), "y.parquet"),
    Step(("feat", "embed", "c.crops.zarr", "-m", "c.model"), "e.parquet"),
    Step(("explain", "cam", "c.model", "c.crops.zarr"), "x.explain.zarr"),
    Step(("train", "segmenter", "p.ome.zarr", "n.labels.ome.zarr", "-c", "DNA", "--epochs", "1",
          "--crops", "8", "--device", "cpu"), "seg.model", blocks=False),
    Step(("segment", "unet", "p.ome.zarr", "-c", "DNA", "-m", "seg.model"), "u.labels.ome.zarr"),
)


def prepare(folder: Path) -> Path:
    """The raw images of a plate and of a film."""
    write_raw(folder / "raw", WELLS)
    subprocess.run([sys.executable, "-m", "libcell.simulate", "timelapse", "-o", folder / "film",
                    "--size", "128", "--frames", "6"], check=True, stdout=subprocess.DEVNULL)
    return folder


def run(
    args: Iterable[object], folder: Path, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """A command as a user runs it: the room and its arguments, in `folder`."""
    room, *rest = map(str, args)
    return subprocess.run([sys.executable, "-m", f"cell_{room}", *rest], cwd=folder, text=True,
                          capture_output=True, timeout=900, env=os.environ | dict(env or {}))


def same(one: Path, other: Path) -> bool:
    """Whether two outputs hold the same files with the same bytes."""
    return contents(one) == contents(other)
