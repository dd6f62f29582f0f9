"""The flat field of all images together, estimated by BaSiC."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from libcell.data import digests
from libcell.data.image import ALL
from libcell.errors import DataError
from libcell.extract.fields.assemble import assemble
from libcell.extract.fields.light import Light, dark_of
from libcell.extract.kernels import basic, flat_field
from libcell.run.blocks import Block

if TYPE_CHECKING:
    from libcell.run.job import Job

FEW = 8  # fewer images than this hold too little of the flat field and too much of the cells
DOUBTFUL = 0.05  # mean difference of flat fields that makes a correction of 10 % worthless


def estimate(job: "Job", fields: list[Block], light: Light) -> tuple[Light, str]:
    """Where the estimated gains (C,Y,X) are, beside the dark image; and their digest.

    Each image is read once and shrunk; a stack is seen through its middle plane. DataError where
    the images differ in size or channels: then they share no flat field.
    """
    folder = job.parts
    blocks = [Block(f"{b.key}", b.args | {"light": light, "target": folder / f"flat-{i:06d}.npy"})
              for i, b in enumerate(_evenly(fields))]
    before = len(job.failures)
    found = list(job.map("flat-field", shrink, blocks))
    if not found:
        job.settle()
    del job.failures[before:]  # such a field fails once more when it is written, and counts there
    first = _require_alike([(block.key, result) for block, result in found])
    stack = _evenly(np.concatenate([np.load(block.args["target"]) for block, _ in found]))
    if len(stack) < FEW:
        job.reporter.warn(f"--flat-field basic: estimated from {len(stack)} images; it wants "
                          f"{FEW} or more")
    height, width = first["shape"]
    gains = np.stack([basic.enlarged(_judged(job, stack[:, c], name), (height, width))
                      for c, name in enumerate(first["channels"])])
    digest = digests.of_bytes(gains.tobytes())
    target = folder / f"gains-{digest[-12:]}.npy"
    np.save(target, gains)
    return Light(target, light.dark), digest


def _judged(job: "Job", images: np.ndarray, channel: str) -> np.ndarray:
    """A channel's flat field; a warning where two halves of its images tell different ones."""
    if len(images) >= 2 * FEW:
        apart = np.abs(basic.estimate(images[::2]) - basic.estimate(images[1::2])).mean()
        if apart > DOUBTFUL:
            job.reporter.warn(
                f"--flat-field basic: two halves of the images of channel {channel} give flat "
                f"fields that are {apart:.0%} apart; trust a measured one more, or give --dark")
    return basic.estimate(images)


def _require_alike(found: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Size and channels that all fields have."""
    name, first = found[0]
    for key, one in found:
        if one != first:
            kinds = [f"{' x '.join(map(str, k['shape']))} px of {', '.join(k['channels'])}"
                     for k in (first, one)]
            raise DataError(f"{name} is {kinds[0]}, but {key} is {kinds[1]}; --flat-field basic "
                            "takes images of one kind, which share their flat field")
    return first


def _evenly(items: Any) -> Any:
    """At most as many of some blocks or images as tell something new, from first to last."""
    count = min(len(items), basic.MOST_IMAGES)
    chosen = np.linspace(0, len(items) - 1, count).round().astype(int)
    return items[chosen] if isinstance(items, np.ndarray) else [items[i] for i in chosen]


def shrink(light: Light, target: Path, **field: Any) -> dict[str, Any]:
    """Leave a field's images, dark taken off and shrunk, as (N,C,y,x) at `target`."""
    made = assemble(**field)
    frames, channels, depth, height, width = made.about.shape
    darks = dark_of(light, made)
    middle = slice(depth // 2, depth // 2 + 1)
    small = []
    for t in _frames(frames):
        planes = [flat_field.lit(made.read(t, c, ALL, middle)[0], darks[c])
                  for c in range(channels)]
        small.append([basic.reduced(plane) for plane in planes])
    np.save(target, np.array(small))
    return {"shape": [height, width], "channels": list(made.about.channels)}


def _frames(count: int) -> list[int]:
    """Up to eight frames of a movie: neighbours in time are nearly the same image."""
    return sorted({int(t) for t in np.linspace(0, count - 1, min(count, 8)).round()})
