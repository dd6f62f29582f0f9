"""A film onto its first frame: translation frame by frame, all channels and labels together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.data.image import About
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What the frames are compared by and with, and what becomes of the borders."""

    channel: Annotated[str, Opt("channel to register by; planes by their maximum",
                                ("-c", "--channel"))] = "1"
    reference: Annotated[str, Opt(
        "compare each frame with the first, or with the one before and add up the shifts (for "
        "films whose content changes)", choices=("first", "previous"))] = "first"
    max_shift: Annotated[float | None, Opt(
        "largest shift in px along y or x, from the frame that is compared with", least=0)] = None
    crop: Annotated[bool, Opt("crop to what all frames share; else what a frame has not seen is 0",
                              ("--crop",))] = False
    labels: Annotated[str | None, Opt("label store of the film, moved along by nearest pixels; "
                                      "needs -o x.bundle", path=True)] = None
    order: Annotated[int, Opt("interpolation: 0 nearest, 1 linear, 3 cubic", least=0, most=3)] = 3


def run(job: Job, options: Options) -> None:
    """Follow every film, then move its frames; frames that do not match are flagged."""
    from libcell.align.stores import films
    from libcell.data import image_store, labels

    _require_order(options.order)
    films.require_bundle(job.kind, options.labels)
    image = films.image_place(job.root, job.kind)
    content: dict[str, dict[str, Any]] = {}
    rows: list[dict[str, Any]] = []
    blocks = (Block(s.where, {"source": s, "root": image.parent, "image": image.name,
                              "options": asdict(options)})
              for s in job.inputs.fields("image"))
    for block, film in job.map("films", follow_film, blocks):
        group = block.args["source"].group or ""
        _warn(job, block.key, film["rows"])
        sealed = _move(job, block, film)
        if sealed is None:
            continue
        rows += film["rows"]
        content[group] = sealed | {"compartments": film["compartments"]}
        if job.kind == "image":
            job.part("image", group, len(film["rows"]))
    job.settle()
    provenance = job.provenance()
    _write_transforms(job, rows, provenance)
    name = job.output.path.name.split(".")[0] if job.output else "aligned"
    groups = list(content)
    image_store.seal(image, name, groups, [d["image"] for d in content.values()], provenance)
    if options.labels:
        compartments: list[str] = next((d["compartments"] for d in content.values()), [])
        labels.seal(image.parent / films.LABELS, groups, compartments,
                    [d["labels"] for d in content.values()], provenance)
    job.publish(job.kind, len(groups), frames=len(rows),
                unmatched=sum(not r["matched"] for r in rows))


def _require_order(order: int) -> None:
    from libcell.errors import UsageFault

    if order == 2:
        raise UsageFault("--order 2: expected 0 (nearest), 1 (linear) or 3 (cubic)")


def _warn(job: Job, where: str, rows: list[dict[str, Any]]) -> None:
    lost = [r for r in rows if not r["matched"]]
    if lost:
        job.reporter.warn(f"{where}: {len(lost)} of {len(rows)} frames do not match and stay at "
                          f"the last good shift, e.g. frame {lost[0]['Metadata_T']}: "
                          f"{lost[0]['reason']}")


def _move(job: Job, film: Block, found: dict[str, Any]) -> dict[str, str] | None:
    """Move all frames of a film; its digests, None if a frame failed."""
    from libcell.data import digests, image_store

    blocks = [
        Block(f"{film.key}/t{row['Metadata_T']:03d}", film.args | {
            "t": row["Metadata_T"], "shift": [row["applied_dy"], row["applied_dx"]],
            "region": found["region"], "compartments": found["compartments"]})
        for row in found["rows"]
    ]
    done = [result for _, result in job.map("frames", move_frame, blocks)]
    if len(done) < len(blocks):
        return None
    windows = [(min(low for low, _ in of), max(high for _, high in of))
               for of in zip(*(d["windows"] for d in done))]
    root = film.args["root"] / film.args["image"]
    about = _made(film.args["source"], found["region"])
    origin = [found["region"][0][0], found["region"][1][0]]
    image_store.describe(root, about, windows, {"transform": {"origin_px": origin}})
    return {kind: digests.of_json([d[kind] for d in done]) for kind in ("image", "labels")}


def _write_transforms(
    job: Job, rows: list[dict[str, Any]], provenance: dict[str, Any]
) -> None:
    from libcell.data import tables
    from libcell.schema.arrow import arrow_schema

    names = rows[0] if rows else arrow_schema("transforms").names
    columns = {name: [r[name] for r in rows] for name in names}
    table = tables.from_columns("transforms", columns)
    tables.write_parts(job.root / "transforms.parquet", [table], table.schema, "transforms",
                       provenance)


# -- films: where the frames lie ----------------------------------------------------------------


def follow_film(
    source: Source, root: Path, image: str, options: dict[str, Any]
) -> dict[str, Any]:
    """The shift of every frame, the region to keep, and the empty pyramids for it.

    The region is [[y0, y1], [x0, x1]].
    """
    from libcell.align.kernels import follow
    from libcell.align.stores import films
    from libcell.data import image_store, labels
    from libcell.data import open as opening
    from libcell.errors import DataError

    given = Options(**options)
    film = opening.image(source)
    about, channel = film.about, film.about.channel(given.channel)
    compartments = films.compartments_of(given.labels, source, about)
    seen = (film.read(t=t, c=channel).max(axis=0) for t in range(about.shape[0]))
    steps = list(follow.follow(seen, given.reference == "previous", given.max_shift))
    region = (slice(0, about.shape[3]), slice(0, about.shape[4]))
    if given.crop:
        moves = [(s.dy, s.dx) for s in steps]
        region = follow.shared_region((about.shape[3], about.shape[4]), moves, given.order)
    spans = [[s.start, s.stop] for s in region]
    if any(a == b for a, b in spans):
        raise DataError(f"{about.where}: no place is in all {len(steps)} frames; do without --crop")
    made = _made(source, spans)
    image_store.create(root / image, made)
    if compartments:
        labels.create(root / films.LABELS, made, compartments, f"../{films.IMAGE}")
    return {"rows": [_row(about, t, s) for t, s in enumerate(steps)], "region": spans,
            "compartments": compartments}


def _made(source: Source, region: list[list[int]]) -> About:
    """What the film is after cropping to `region`."""
    from dataclasses import replace

    from libcell.data import open as opening

    about = opening.image(source).about
    (y0, y1), (x0, x1) = region
    return replace(about, shape=(*about.shape[:3], y1 - y0, x1 - x0))


def _row(about: About, t: int, step: Any) -> dict[str, Any]:
    """A row of the table `transforms`; figures that do not exist are null."""
    import math

    def figure(name: str) -> float | None:
        value = getattr(step.found, name) if step.found else math.nan
        return float(value) if math.isfinite(value) else None

    return {
        "Metadata_Image": about.group or about.name, "Metadata_T": t,
        "dy": step.dy if step.matched else None, "dx": step.dx if step.matched else None,
        "quality": figure("quality"),
        "correlation_before": figure("correlation_before"),
        "correlation_after": figure("correlation_after"),
        "matched": step.matched, "reason": step.reason or None,
        "applied_dy": step.dy, "applied_dx": step.dx,
    }


# -- frames: the pixels -------------------------------------------------------------------------


def move_frame(
    source: Source, root: Path, image: str, options: dict[str, Any], t: int,
    shift: list[float], region: list[list[int]], compartments: list[str],
) -> dict[str, Any]:
    """Move one frame with all its channels and labels; its digests and display windows."""
    from libcell.align.kernels.resample import apply_shift
    from libcell.align.stores import films
    from libcell.data import digests, image_store, labels
    from libcell.data import open as opening

    given = Options(**options)
    film = opening.image(source)
    y, x = (slice(*span) for span in region)
    group, windows, content = source.group or "", [], []
    levels = image_store.open_levels(root / image, group)
    for c in range(len(film.about.channels)):
        moved = apply_shift(film.read(t=t, c=c), shift, given.order)[0][:, y, x]
        windows.append(image_store.window(moved[:, ::4, ::4]))
        content.append(films.write_planes(levels, t, c, moved, mean=True))
    seals = []
    for compartment in compartments:
        masks = labels.read_frame(films.labels_at(given.labels or "", source), compartment, t)
        made = labels.open_levels(root / films.LABELS, group, compartment)
        moved = apply_shift(masks, shift, 0)[0][:, y, x]
        seals.append(films.write_planes(made, t, 0, moved, mean=False))
    return {"image": digests.of_json(content), "labels": digests.of_json(seals),
            "windows": windows}


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    return inputs.plan("image", *([options.labels] if options.labels else []))


METHOD = Method(
    name="drift",
    summary="A film onto its first frame: frames, channels and labels moved by the drift found.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="image",
    suffix=".ome.zarr",
    also=(("bundle", ".bundle"),),
    example="cell-align drift film.ome.zarr -c Phase --crop -o still.ome.zarr",
    paper="normalised cross-correlation (Lewis 1995), then Newton's method on the cross-spectrum "
          "(Guizar-Sicairos 2008, doi:10.1364/OL.33.000156)",
    plan=plan,
)
