"""A network that tells the classes of crops, whole groups held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from libcell.run.method import Method
from libcell.train.pictures.options import PRESETS, PictureOptions

if TYPE_CHECKING:
    from libcell.run.job import Job


@dataclass(frozen=True, kw_only=True)
class Options(PictureOptions):
    """What is learnt, which pixels are seen, which network learns, how they are varied."""


def run(job: Job, options: Options) -> None:
    """Split, train, set the temperature, score on what was held out, save."""
    from libcell.data import crops
    from libcell.errors import UsageFault
    from libcell.train.engine.extra import require

    require(job.command, "timm", "torchvision")
    path, *others = job.inputs.paths("crops")
    if others:
        raise UsageFault(f"{len(others) + 1} inputs; cell-train cnn learns from one crop store")

    from libcell.nn import backbones
    from libcell.train.folds.announced import announce
    from libcell.train.pictures.course import Course
    from libcell.train.pictures.training import head_of

    backbones.spelled(options.backbone)
    head_of(options)
    card = Course(job, path, crops.open_crops(path).index(), options).model(
        job.root, options, job.seed, "train")
    if card is not None:
        announce(job, card, ("balanced_accuracy", "macro_f1"))


METHOD = Method(
    name="cnn",
    summary="A network on crops: backbone and head by name, whole groups held out for the test.",
    run=run,
    options=Options,
    reads=("crops",),
    writes="model",
    suffix=".model",
    example="cell-train cnn m.crops.zarr --target Metadata_Class --group Metadata_Plate "
            "-o c.model",
    needs="train",
    presets=PRESETS,
    distributed=True,
)
