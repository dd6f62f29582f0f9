"""A folder of the Cell Tracking Challenge to a bundle: image, label and track stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.data.image import About
    from libcell.extract.challenge.folder import Sequence
    from libcell.extract.challenge.layers import Layer
    from libcell.extract.kernels.ctc_tracks import Rows
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which sequences and masks, and what the files do not tell."""

    sequence: Annotated[tuple[str, ...], Opt("sequences such as 01 [all of the folder]")] = ()
    labels: Annotated[str, Opt(
        "masks that become the cells' labels: tra (tracking markers, often small discs), st, seg, "
        "err-seg, res; auto: the first of these that there is",
        choices=("auto", "tra", "st", "seg", "err-seg", "res"))] = "auto"
    compartment: Annotated[str, Opt(
        "name of the label image; beside it lie TRA's masks as `markers`, if they are others"
    )] = "cells"
    results: Annotated[bool, Opt(
        "bring a tracker's result (01_RES) beside the truth: its masks as `predicted`, and "
        "predicted.tracks", ("--results",))] = False
    gaps: Annotated[str, Opt(
        "split: after a gap a cell is a track of its own, as the format has it, with the one "
        "before as parent; join: both are one track, and masks may lack frames in between",
        choices=("split", "join"))] = "split"
    pixel_size: Annotated[float | None, Opt("um per pixel", least=0)] = None
    z_step: Annotated[float | None, Opt("um from plane to plane [--pixel-size]", least=0)] = None


@dataclass(frozen=True)
class Movie:
    """A sequence with its place in the stores and the rows of its texts by compartment."""

    sequence: Sequence
    about: About
    rows: dict[str, Rows]


def run(job: Job, options: Options) -> None:
    """Check what the headers and texts tell, write frame by frame, then tracks and roots."""
    root, movies, layers = read_folder(job.inputs, options)
    if not layers:
        job.reporter.warn(f"{root}: holds no masks; the bundle has images alone")
    job.root.mkdir(exist_ok=True)
    names = [layer.compartment for layer in layers]
    made = [Block(m.sequence.name, {"root": job.root, "about": m.about, "compartments": names})
            for m in movies]
    job.map_whole("sequences", create_sequence, made)
    blocks = [b for m in movies for b in _blocks(job, m, layers)]
    done = job.map_whole("frames", write_frame, blocks)
    results, start = [], 0
    for movie in movies:
        results.append(done[start : start + movie.about.shape[0]])
        start += movie.about.shape[0]
    provenance = job.provenance([_mark(movies, layers, done)])
    tracks = write_tracks(job, movies, layers, results, options.gaps == "join", provenance)
    seal(job.root, movies, layers, results, provenance)
    job.publish("bundle", len(movies), frames=len(done), **tracks)


def read_folder(inputs: Inputs, options: Options) -> tuple[Path, list[Movie], list[Layer]]:
    """The folder, its movies, and what becomes of their masks; no pixel is read."""
    from libcell.errors import UsageFault
    from libcell.extract.challenge import folder, layers, lineages

    paths = inputs.paths()
    if len(paths) > 1:
        raise UsageFault(f"{len(paths)} inputs: give one folder, the one that holds 01/")
    if options.z_step and not options.pixel_size:
        raise UsageFault("--z-step needs --pixel-size")
    sequences = folder.find(paths[0], options.sequence)
    chosen = layers.choose(paths[0], sequences, options.labels, options.compartment,
                           options.results)
    pixel = options.pixel_size
    spacing = (options.z_step or pixel, pixel, pixel) if pixel else None
    movies = []
    for one in sequences:
        texts = {k.compartment: one.masks[k.source].text for k in chosen if k.tracks}
        rows = {c: lineages.read_rows(text, one.first, one.last)
                for c, text in texts.items() if text}
        group = one.name if len(sequences) > 1 else ""
        movies.append(Movie(one, layers.describe(one, chosen, group, spacing), rows))
    return paths[0], movies, chosen


# -- frames ------------------------------------------------------------------------------------


def _blocks(job: Job, movie: Movie, layers: list[Layer]) -> list[Block]:
    """A block per frame; its key changes with its files, so that mended ones are read again."""
    from libcell.data import digests

    name, made = movie.sequence.name, []
    for t, (number, image) in enumerate(movie.sequence.images.items()):
        masks = {k.compartment: movie.sequence.masks[k.source].files.get(number, [])
                 for k in layers}
        files = [image, *(path for parts in masks.values() for _, path in parts)]
        state = digests.of_json([digests.state(f).mark for f in files])[-8:]
        made.append(Block(f"{name}/t{number:03d} ({state})", {
            "root": job.root, "group": movie.about.group, "t": t, "image": image, "masks": masks,
            "target": job.parts / f"objects-{name}-{t:06d}.arrow"}))
    return made


def create_sequence(**args: Any) -> dict[str, Any]:
    """The empty pyramids of a sequence."""
    from libcell.extract.challenge import frames

    return frames.create_sequence(**args)


def write_frame(**args: Any) -> dict[str, Any]:
    """One frame: image, labels and its objects."""
    from libcell.extract.challenge import frames

    return frames.write_frame(**args)


def _mark(
    movies: list[Movie], layers: list[Layer], done: list[dict[str, Any]]
) -> dict[str, Any]:
    """Provenance's mark of all files that were read."""
    from libcell.data import digests

    texts = [m.sequence.masks[k.source].text for m in movies for k in layers if k.tracks]
    seen = [d["files"] for d in done] + [digests.of_file(t) for t in texts if t]
    return {"role": "input", "schema": None, "digest": digests.of_json(seen)}


# -- tracks, then the roots --------------------------------------------------------------------


def write_tracks(
    job: Job, movies: list[Movie], layers: list[Layer], results: list[list[dict[str, Any]]],
    join: bool, provenance: dict[str, Any],
) -> dict[str, Any]:
    """The track stores; returns the number of tracks and divisions of the first, if any."""
    import pyarrow as pa

    from libcell.data import tracks

    said: dict[str, Any] = {}
    for layer in layers:
        if not layer.tracks:
            continue
        parts = [_links(job, m, layer, r, join) for m, r in zip(movies, results)]
        table = pa.concat_tables(parts, promote_options="permissive")
        graph = tracks.write(job.root / layer.tracks, table, provenance)
        said = said or {"tracks": graph.tracks, "divisions": graph.divisions}
    return said


def _links(job: Job, movie: Movie, layer: Layer, results: list[dict[str, Any]], join: bool) -> Any:
    """Table `links` of one sequence and compartment."""
    import pyarrow.compute as pc

    from libcell.data import tables
    from libcell.extract.challenge import lineages

    parts = [tables.read_part(job.parts / r["objects"]) for r in results]
    frames = [p.filter(pc.equal(p.column("compartment"), layer.compartment)) for p in parts]
    text = movie.sequence.masks[layer.source].text
    return lineages.table_of(
        movie.sequence, movie.rows[layer.compartment], frames, movie.about.keys,
        layer.compartment, str(text), join, movie.about.shape[2] > 1)


def seal(
    root: Path, movies: list[Movie], layers: list[Layer], results: list[list[dict[str, Any]]],
    provenance: dict[str, Any],
) -> None:
    """Display windows, what was annotated, and the root metadata of image and labels."""
    import numpy as np

    from libcell.data import digests, groups, image_store, labels
    from libcell.extract.challenge.frames import IMAGE, LABELS

    names = [m.about.group for m in movies]
    for movie in movies:
        smallest = image_store.open_levels(root / IMAGE, movie.about.group)[-1]
        image_store.describe(root / IMAGE, movie.about,
                             [image_store.window(np.asarray(smallest[0, 0]))], {})
        for layer in layers:
            place = labels.label_path(movie.about.group, layer.compartment)
            groups.update(root / LABELS / place, {"challenge": _origin(movie.sequence, layer)})
    pixels = [digests.of_json([r["image"] for r in rs]) for rs in results]
    image_store.seal(root / IMAGE, "challenge", names, pixels, provenance)
    if layers:
        found = [digests.of_json([r["labels"] for r in rs]) for rs in results]
        compartments = [layer.compartment for layer in layers]
        labels.seal(root / LABELS, names, compartments, found, provenance)


def _origin(sequence: Sequence, layer: Layer) -> dict[str, Any]:
    """Whence a label image is; `annotated`: the frames, or (frame, plane), that have masks."""
    files = sequence.masks[layer.source].files
    spots = [[number - sequence.first, plane] if plane is not None else number - sequence.first
             for number, parts in files.items() for plane, _ in parts]
    whole = len(files) == len(sequence.images) and all(isinstance(s, int) for s in spots)
    return {"source": layer.source, "first_frame": sequence.first,
            "annotated": "all" if whole else spots}


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from math import prod

    root, movies, layers = read_folder(inputs, options)
    size = sum(prod(m.about.shape) * (m.about.dtype.itemsize + 4 * len(layers)) for m in movies)
    return {"reads": [str(root)], "blocks": sum(m.about.shape[0] for m in movies),
            "fields": [m.sequence.name for m in movies], "bytes": size * 4 // 3}


METHOD = Method(
    name="ctc",
    summary="A Cell Tracking Challenge folder to a bundle of image, labels and true tracks.",
    run=run,
    options=Options,
    reads=("files",),
    writes="bundle",
    suffix="",
    mends=True,
    example="cell-extract ctc Fluo-N2DH-SIM+/ --sequence 01 -o b",
    plan=plan,
    paper="Maška et al., Nature Methods 2023, doi:10.1038/s41592-023-01879-y",
)
