"""A network that links cells through time, learnt from a movie and its tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt
from libcell.train.engine.options import TrainingOptions

if TYPE_CHECKING:
    from libcell.nn.tracker.network import Shape
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.train.engine.fit import Fitted
    from libcell.train.tracking.films import Film
    from libcell.train.tracking.movies import Movie

LARGE = 28.0  # px: the edge of a cell from which four pixels are folded into one


@dataclass(frozen=True, kw_only=True)
class Options(TrainingOptions):
    """What is learnt, from which frames, with which network."""

    tracks: Annotated[str, Opt(
        "annotated tracks: a track store of these labels, or a table (t, y, x and track_id, "
        "parent_track_id or cell_id, parent_id)", path=True)]
    frames: Annotated[str | None, Opt("frames to learn from, the end left out, e.g. 0:26 [all]"
                                      )] = None
    annotated: Annotated[str, Opt(
        "whether the tracks name every cell: all, some, or auto, which sees whether labels are "
        "left over (without labels: some)", choices=("auto", "all", "some"))] = "auto"
    share: Annotated[float, Opt("without labels: share of the cells that are annotated, about",
                                least=0.001, most=1)] = 1.0
    radius: Annotated[float | None, Opt(
        "without labels: px from a cell's centre to its edge, where the table has no radius [half "
        "the distance from an annotated cell to the next, which is too far if few are]",
        least=0.5)] = None
    channels: Annotated[tuple[str, ...], Opt(
        "channels by name, or by number from 1; grey: an image's only channel, or the luma of "
        "red, green, blue", ("-c", "--channels"))] = ("grey",)
    compartment: Annotated[str | None, Opt("label image that was tracked [the only one]")] = None
    pmin: Annotated[float, Opt("percentile that becomes black", least=0, most=100)] = 1.0
    pmax: Annotated[float, Opt("percentile that becomes white", least=0, most=100)] = 99.8
    invert: Annotated[str, Opt("dark and bright change places: in images most of which is bright, "
                               "always, or never", choices=("bright", "always", "never"))] = "never"
    z_step: Annotated[float | None, Opt("x pixels from plane to plane [the pixel size says]",
                                        least=0)] = None
    skip: Annotated[int, Opt("pairs of frames lie up to this many frames apart", least=1)] = 3
    validation: Annotated[float, Opt("share of the steps from frame to frame that is held out to "
                                     "choose the best epoch; 0: the last one is kept", least=0,
                                     most=0.9)] = 0.1
    size: Annotated[int, Opt("rows and columns of a crop", least=32)] = 256
    depth: Annotated[int, Opt("planes of a crop, where images have several", least=1)] = 8
    crops: Annotated[int, Opt("pairs of crops of an epoch", least=1)] = 128
    scale: Annotated[float, Opt("crops are up to this many times larger or smaller than the image",
                                least=1, most=4)] = 1.25
    fold: Annotated[str, Opt("pixels per side that the network folds into one [4 for cells of "
                             "28 px and more]", choices=("auto", "2", "4"))] = "auto"
    widths: Annotated[tuple[int, ...], Opt("channels of the network's levels [of planes "
                                           "24,48,96,128, of stacks 16,32,48,64]")] = ()
    embedding: Annotated[int, Opt("numbers of the embedding", least=2)] = 16
    epochs: Annotated[int, Opt("passes of --crops pairs", least=1)] = 12
    batch: Annotated[int, Opt("pairs of one step", least=1)] = 4
    lr: Annotated[float, Opt("learning rate at its highest", least=0)] = 5e-3
    weight_decay: Annotated[float, Opt("pull of the weights towards zero", least=0)] = 0.01
    clip: Annotated[float | None, Opt("longest gradient", least=0)] = 1.0
    ema: Annotated[float | None, Opt("average the weights with this decay, e.g. 0.999", least=0,
                                     most=1)] = 0.99


def run(job: Job, options: Options) -> None:
    """Prepare the frames, train, save."""
    from libcell.train.engine.extra import require

    require("cell-train tracker")
    from libcell.data import models
    from libcell.train.engine import history
    from libcell.train.tracking import films

    made = films.of(job.inputs.paths("image", "labels"), options)
    _require_sound(options, _widths(options, made[0].ndim))
    movies = _prepared(job, made, options)
    shape = _shape(made, movies, options)
    held = films.held_out(movies, options.validation)
    fitted, sure = _fitted(job, options, shape, movies, held)
    card = _card(job, options, made, movies, shape) | {"sure": sure}
    card |= {"split": _split(made, movies, held),
             "metrics": {"epoch": fitted.epoch, "validation": fitted.figures}}
    history.write(job.root, fitted.history, job.provenance())
    models.save(job.root, fitted.tensors(), card)
    kept = ("loss", "links_right", "divisions_right")
    job.publish("model", sum(len(m.frames) for m in movies),
                **{k: fitted.figures[k] for k in kept if k in fitted.figures})


def _fitted(
    job: Job, options: Options, shape: Shape, movies: list[Movie], held: list[tuple[int, int]]
) -> tuple[Fitted, dict[str, float]]:
    """The trained network, and how sure it is of cells that it knows.

    DataError if no two frames have a cell in common.
    """
    from libcell.errors import DataError
    from libcell.nn.tracker.network import Tracker
    from libcell.train.engine import seeds
    from libcell.train.engine.fit import fit
    from libcell.train.engine.recipe import Recipe
    from libcell.train.tracking.pairs import Cut
    from libcell.train.tracking.task import Drawing, TrackerTask

    planes = min(options.depth, max(m.frames[0].image.shape[1] for m in movies))
    share = 1.0 if all(m.complete for m in movies) else options.share
    cut = Cut((planes, options.size), options.scale, shape.fold, share, shape.shaped)
    drawing = Drawing(options.batch, max(1, options.crops // options.batch), options.skip, cut)
    seeds.plant(job.seed)
    task = TrackerTask(Tracker(shape), movies, held, drawing, job.seed)
    if task.empty:
        raise DataError(f"{options.tracks}: no cell of these frames is tracked from one frame to "
                        "another; give more of them (--frames)")
    fitted = fit(task, Recipe.of(options), job, seed=job.seed)
    assert isinstance(fitted.network, Tracker)
    return fitted, task.sure(fitted.network)


def _prepared(job: Job, made: list[Film], options: Options) -> list[Movie]:
    """The films' frames, prepared, with their cells and tracks."""
    from libcell.train.segmentation.fields import Reading
    from libcell.train.tracking import annotation, movies

    told = [annotation.read(film.tracks, film.name, film.z_step, options.radius) for film in made]
    reading = Reading(tuple(options.channels), options.pmin, options.pmax, options.invert)
    folders = {(n, t): job.parts / f"frame-{n:04d}-{t:06d}"
               for n, film in enumerate(made) for t in film.frames}
    blocks = [Block(f"{made[n].image.where}:t{t}", {
        "image": made[n].image, "truth": made[n].truth, "compartment": made[n].compartment,
        "t": t, "reading": reading, "folder": folder}) for (n, t), folder in folders.items()]
    job.map_whole("prepare", movies.prepare, blocks)
    sparse = {"auto": None, "all": False, "some": True}[options.annotated]
    found = []
    for n, film in enumerate(made):
        some = [folders[n, t] for t in film.frames]
        found.append(movies.load(some, film.frames.start, told[n], film.spacing,
                                 film.truth is not None, sparse))
    return found


def _shape(made: list[Film], movies: list[Movie], options: Options) -> Shape:
    """The network for these films; large cells are looked at more coarsely."""
    import statistics

    from libcell.errors import UsageFault
    from libcell.nn.tracker.cells import usual_size
    from libcell.nn.tracker.network import Shape

    ndim = made[0].ndim
    edges = [usual_size(f.cells) for m in movies for f in m.frames if len(f.cells)]
    edge = statistics.median(edges) if edges else 1.0
    fold = (4 if edge >= LARGE else 2) if options.fold == "auto" else int(options.fold)
    widths = _widths(options, ndim)
    shape = Shape(len(options.channels), ndim, fold, widths, options.embedding,
                  shaped=all(f.truth is not None for f in made))
    if options.size % shape.trunk.multiple:
        raise UsageFault(f"--size {options.size}: is not a multiple of {shape.trunk.multiple}, "
                         f"which the network's {len(widths)} levels need")
    return shape


def _widths(options: Options, ndim: int) -> tuple[int, ...]:
    return tuple(options.widths) or ((24, 48, 96, 128) if ndim == 2 else (16, 32, 48, 64))


def _require_sound(options: Options, widths: tuple[int, ...]) -> None:
    """UsageFault for what can be told before any frame is read."""
    from libcell.errors import UsageFault

    if options.pmin >= options.pmax:
        raise UsageFault(f"--pmin {options.pmin:g} is not below --pmax {options.pmax:g}")
    if len(widths) < 2 or min(widths) < 1:
        raise UsageFault("--widths: expected two channel numbers or more, e.g. 24,48,96,128")
    multiple = 2 << (len(widths) - 1)
    if options.size % multiple:
        raise UsageFault(f"--size {options.size}: is not a multiple of {multiple}, which the "
                         f"network's {len(widths)} levels need")


def _card(
    job: Job, options: Options, made: list[Film], movies: list[Movie], shape: Shape
) -> dict[str, Any]:
    """What was learnt, from what, and what the network takes."""
    import statistics

    from libcell.nn.tracker import ARCHITECTURE
    from libcell.nn.tracker.cells import usual_size

    edges = [usual_size(f.cells) for m in movies for f in m.frames if len(f.cells)]
    target = made[0].compartment or "cells"
    return {
        "provenance": job.provenance(),
        "architecture": ARCHITECTURE,
        "classes": ["background", target],
        "target": target,
        "input": {"kind": "images", "channels": list(options.channels), "pmin": options.pmin,
                  "pmax": options.pmax, "invert": options.invert},
        "network": shape.to_card(),
        "edge_px": statistics.median(edges),
        "training_data": job.inputs.digest()["digest"],
        "seed": job.seed,
    }


def _split(made: list[Film], movies: list[Movie], held: list[tuple[int, int]]) -> dict[str, Any]:
    """Which frames, and which steps between them, are in which part."""
    fields = [{"field": f.name, "frames": [f.frames.start, f.frames.stop],
               "complete": m.complete, "annotated": sum(int((x.track > 0).sum())
                                                        for x in m.frames),
               "validation_steps": [f.frames.start + t for n, t in held if n == k]}
              for k, (f, m) in enumerate(zip(made, movies))]
    return {"by": ["steps from frame to frame"], "fields": fields}


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and learnt."""
    from libcell.train.engine.extra import require

    require("cell-train tracker")
    from libcell.train.tracking import films

    made = films.of(inputs.paths("image", "labels"), options)
    return {"reads": [*(str(p) for p in inputs.seen), options.tracks],
            "blocks": sum(len(f.frames) for f in made), "fields": [f.name for f in made]}


METHOD = Method(
    name="tracker",
    summary="A network that links cells through time, learnt from a movie and its tracks.",
    run=run,
    options=Options,
    reads=("image", "labels"),
    writes="model",
    suffix=".model",
    example="cell-train tracker b/image.ome.zarr b/labels.ome.zarr --tracks b/true.tracks "
            "-o tracker.model",
    paper="after CELLECT 2025, doi:10.1038/s41592-025-02886-x",
    needs="train",
    plan=plan,
)
