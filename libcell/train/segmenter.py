"""A network that finds cells, learnt from images and their label images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt
from libcell.train.engine.options import TrainingOptions

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from libcell.nn.segmenter.network import Shape
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.train.engine.fit import Fitted
    from libcell.train.segmentation.fields import Prepared
    from libcell.train.segmentation.pairs import Example

SMALLEST = 3  # in 100 cells of the training images are smaller than the smallest that count,
MARGIN = 0.75  # times this: where all are alike, what is found is a little smaller or larger


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """What is learnt, from which channels, on what crops, with which network."""

    channels: Annotated[tuple[str, ...], Opt(
        "channels by name, or by number from 1; grey: an image's only channel, or the luma of "
        "red, green, blue", ("-c", "--channels"))] = ("grey",)
    compartment: Annotated[str | None, Opt("label image to learn [the only one]")] = None
    pmin: Annotated[float, Opt("percentile that becomes black", least=0, most=100)] = 1.0
    pmax: Annotated[float, Opt("percentile that becomes white", least=0, most=100)] = 99.8
    validation: Annotated[float, Opt(
        "share of the fields of view (of a plate: wells) that is held out to choose the best "
        "epoch; 0: the last one is kept", least=0, most=0.9)] = 0.15
    size: Annotated[int, Opt("rows and columns of a crop", least=64)] = 256
    depth: Annotated[int, Opt("planes of a crop, where images have several", least=1)] = 8
    crops: Annotated[int, Opt("crops of an epoch", least=1)] = 256
    scale: Annotated[float, Opt("crops are up to this many times larger or smaller than the image",
                                least=1, most=4)] = 1.5
    invert: Annotated[str, Opt(
        "dark and bright change places: in images most of which is bright (stained tissue beside "
        "fluorescence), always, or never", choices=("bright", "always", "never"))] = "bright"
    swap: Annotated[float, Opt("how often they do once more in training, for what is inverted "
                               "wrongly", least=0, most=1)] = 0.1
    fold: Annotated[str, Opt("pixels per side that the network folds into one: 4 for cells of "
                             "60 px and more, four times as fast", choices=("2", "4"))] = "2"
    widths: Annotated[tuple[int, ...], Opt("channels of the network's levels")] = (32, 64, 128, 192)
    epochs: Annotated[int, Opt("passes of --crops crops", least=1)] = 60
    batch: Annotated[int, Opt("crops of one step", least=1)] = 4
    lr: Annotated[float, Opt("learning rate at its highest", least=0)] = 5e-3
    weight_decay: Annotated[float, Opt("pull of the weights towards zero", least=0)] = 0.01
    clip: Annotated[float | None, Opt("longest gradient", least=0)] = 1.0
    ema: Annotated[float | None, Opt("average the weights with this decay, e.g. 0.999", least=0,
                                     most=1)] = 0.998


def run(job: Job, options: Options) -> None:
    """Prepare the fields, train, save."""
    from libcell.train.engine.extra import require

    require("cell-train segmenter")
    from libcell.data import models
    from libcell.train.engine import history
    from libcell.train.segmentation import pairs
    from libcell.train.segmentation.fields import Prepared

    made = pairs.examples(job.inputs.paths("image", "labels"))
    compartment = _compartment(made, options.compartment)
    shape = _shape(made, options)
    folders, facts = _prepare(job, made, options, compartment, shape.ndim)
    held = pairs.held_out(made, options.validation, job.seed)
    fields = [Prepared.load(f) for f in folders]
    fitted = _fitted(job, options, shape, fields, held)
    card = _card(job, options, compartment, shape) | _sizes(facts, fields)
    card |= {"split": _split(made, held),
             "metrics": {"epoch": fitted.epoch, "validation": fitted.figures}}
    history.write(job.root, fitted.history, job.provenance())
    models.save(job.root, fitted.tensors(), card)
    job.publish("model", len(made), **{k: fitted.figures[k] for k in ("loss", "dice")
                                       if k in fitted.figures})


def _fitted(
    job: Job, options: Options, shape: Shape, fields: list[Prepared], held: np.ndarray
) -> Fitted:
    """The trained network; `held` (n,) bool says which fields judge it."""
    from libcell.nn.segmenter.network import Segmenter
    from libcell.train.engine import seeds
    from libcell.train.engine.fit import fit
    from libcell.train.engine.recipe import Recipe
    from libcell.train.segmentation.task import Drawing, SegmenterTask

    planes = min(options.depth, max(f.cell.shape[0] for f in fields))
    drawing = Drawing((planes, options.size), options.batch,
                      max(1, options.crops // options.batch), options.scale, options.swap)
    seeds.plant(job.seed)
    train, judges = ([f for f, h in zip(fields, held) if h == part] for part in (False, True))
    task = SegmenterTask(Segmenter(shape), train, judges, drawing, job.seed)
    return fit(task, Recipe.of(options), job, seed=job.seed)


def _card(job: Job, options: Options, compartment: str, shape: Shape) -> dict[str, Any]:
    """What was learnt, from what, and what the network takes."""
    from libcell.nn.segmenter import ARCHITECTURE

    return {
        "provenance": job.provenance(),
        "architecture": ARCHITECTURE,
        "classes": ["background", compartment],
        "target": compartment,
        "input": {"kind": "images", "channels": list(options.channels), "pmin": options.pmin,
                  "pmax": options.pmax, "invert": options.invert},
        "network": shape.to_card(),
        "training_data": job.inputs.digest()["digest"],
        "seed": job.seed,
    }


def _compartment(made: list[Example], given: str | None) -> str:
    """The label image to learn. DataError where there are several and none is named."""
    from libcell.data import labels
    from libcell.errors import DataError

    there = labels.compartments_at(made[0].truth)
    if given is None and len(there) > 1:
        raise DataError(f"{made[0].truth.where}: has {', '.join(there)}; say which (--compartment)")
    return given or there[0]


def _shape(made: list[Example], options: Options) -> Shape:
    """The network: with planes if the first image has any."""
    from libcell.data import open as opening
    from libcell.errors import UsageFault
    from libcell.nn.segmenter.network import Shape

    if len(options.widths) < 2 or min(options.widths) < 1:
        raise UsageFault("--widths: expected two channel numbers or more, e.g. 32,64,128,192")
    planes = opening.image(made[0].image).about.shape[2]
    shape = Shape(len(options.channels), 3 if planes > 1 else 2, int(options.fold),
                  tuple(options.widths))
    if options.size % shape.multiple:
        raise UsageFault(f"--size {options.size}: is not a multiple of {shape.multiple}, which the "
                         f"network's {len(options.widths)} levels need")
    return shape


def _prepare(
    job: Job, made: list[Example], options: Options, compartment: str, ndim: int
) -> tuple[list[Path], list[dict[str, Any]]]:
    """Folders of the prepared frames, and what each holds. DataError without any cell."""
    from libcell.errors import DataError, UsageFault
    from libcell.train.segmentation import fields

    if options.pmin >= options.pmax:
        raise UsageFault(f"--pmin {options.pmin:g} is not below --pmax {options.pmax:g}")
    reading = fields.Reading(tuple(options.channels), options.pmin, options.pmax, options.invert)
    folders = [job.parts / f"frame-{i:06d}" for i in range(len(made))]
    blocks = [
        Block(f"{e.image.where}:t{e.t}", {
            "image": e.image, "truth": e.truth, "compartment": compartment, "t": e.t,
            "reading": reading, "ndim": ndim, "folder": folder})
        for e, folder in zip(made, folders)
    ]
    done = [(b.args["folder"], d) for b, d in job.map("prepare", fields.prepare, blocks)]
    job.settle()
    if not sum(facts["objects"] for _, facts in done):
        raise DataError(f"{made[0].truth.path}: holds no {compartment} to learn from")
    return [f for f, _ in done], [d for _, d in done]


def _sizes(facts: list[dict[str, Any]], fields: list[Prepared]) -> dict[str, Any]:
    """How large cells are: `diameter_px`, the median of the frames' medians; `reach_px`, how far
    a path to a centre may be; `min_area_px`, below which nothing is a cell."""
    import statistics

    import numpy as np

    areas = np.concatenate([f.objects[:, 3] for f in fields])
    known = [f for f in facts if f["objects"]]
    longest = max(f["longest_px"] for f in known)
    return {"diameter_px": statistics.median(f["diameter_px"] for f in known),
            "reach_px": max(16, min(256, 8 * round(0.75 * longest / 8))),
            "min_area_px": max(1, int(MARGIN * np.percentile(areas, SMALLEST)))}


def _split(made: list[Example], out: Any) -> dict[str, Any]:
    """Which wells or fields of view are in which part."""
    parts: dict[str, Any] = {"by": ["field of view or well"]}
    for name, wanted in (("train", False), ("validation", True)):
        chosen = [e for e, o in zip(made, out) if o == wanted]
        groups = sorted({e.image.group or e.image.path.name for e in chosen})
        parts |= {name: groups, f"{name}_frames": len(chosen)}
    return parts


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and learnt."""
    from libcell.train.engine.extra import require

    require("cell-train segmenter")
    from libcell.train.segmentation import pairs

    made = pairs.examples(inputs.paths("image", "labels"))
    _compartment(made, options.compartment)
    _shape(made, options)
    return {"reads": [str(p) for p in inputs.seen], "blocks": len(made),
            "fields": [e.image.group for e in made]}


METHOD = Method(
    name="segmenter",
    summary="A network that finds cells, learnt from images and their label images.",
    run=run,
    options=Options,
    reads=("image", "labels"),
    writes="model",
    suffix=".model",
    example="cell-train segmenter d.ome.zarr d.labels.ome.zarr -o seg.model",
    paper="Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28; directions to the centre by "
          "heat, Stringer et al. 2021, doi:10.1038/s41592-020-01018-x",
    needs="train",
    plan=plan,
)
