"""How good label images are: found objects against true ones, per image and overall."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.errors import DataError
from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job
    from libcell.segment.kernels.matching import Counts, Pairs

WINDOW = 2048  # rows and columns read at once: whole shards of a label store
SAID = ("AP50", "AP75", "AP", "precision_50", "recall_50", "F1_50", "PQ", "SEG")


@dataclass(frozen=True)
class Options:
    """What the label images are judged against."""

    truth: Annotated[str, Opt("label store with the true objects, same groups as INPUT; else it is "
                              "the last INPUT", path=True, last=True)]
    compartment: Annotated[str | None, Opt("label image to judge [the only one]")] = None
    truth_compartment: Annotated[str | None, Opt(
        "label image of the truth [--compartment, or the only one]")] = None


def run(job: Job, options: Options) -> None:
    """Score every field of view, frame by frame; write table `scores` and say the figures.

    An image without objects in both stores adds nothing and has no figures (null): it is
    neither a success nor a failure.
    """
    from libcell.segment.kernels import matching

    blocks = [Block(s.where, {"found": s, "truth": t, "options": asdict(options)})
              for s, t in _couples(job.inputs, options)]
    images: list[tuple[str, list[Counts]]] = []
    for _, done in job.map("fields", score_field, blocks):
        images.append((done["image"], [_counts(c) for c in done["frames"]]))
    job.settle()
    total = matching.add(c for _, frames in images for c in frames)
    found = matching.figures(total)
    job.write_table("scores", score_table(images), **{k: found[k] for k in SAID},
                    **matching.tallies(total))


def _couples(inputs: Inputs, options: Options) -> list[tuple[Source, Source]]:
    """(found, truth) of every field of view; DataError unless the stores hold the same ones.

    Of a pipe, all fields are awaited: one that is missing must not come out at the end.
    """
    from libcell.data import labels
    from libcell.data.images import Source
    from libcell.errors import MissingInput

    place = Path(options.truth)
    if not place.exists():
        raise MissingInput(f"{place}: not found (--truth)")
    groups = labels.fields(place)[0]
    found = list(inputs.fields("labels"))
    _require_same([s.group or "" for s in found], groups, place)
    couples = [(s, Source(place, s.group or "")) for s in found]
    for ours, theirs in couples:
        _open(ours, theirs, options)
    return couples


def _require_same(found: list[str], truth: list[str], place: Path) -> None:
    more, less = sorted(set(found) - set(truth)), sorted(set(truth) - set(found))
    if more or less:
        faults = [f"{_some(names)} {_verb(names)} only {where}"
                  for names, where in ((more, "in INPUT"), (less, "here")) if names]
        raise DataError(f"{place}: other fields of view than INPUT: {'; '.join(faults)}; "
                        "give stores of the same image store")


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(n) for n in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _verb(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _open(found: Source, truth: Source, options: Options) -> tuple[str, str, tuple[int, ...]]:
    """The compartments that are compared, and the shape (T,C,Z,Y,X) that both have."""
    from libcell.data import labels

    ours = _compartment(found, options.compartment, "--compartment")
    wanted = options.truth_compartment or options.compartment
    theirs = _compartment(truth, wanted, "--truth-compartment")
    about = labels.open_labels(found, ours).about
    other = labels.open_labels(truth, theirs).about
    if about.shape != other.shape:
        sizes = [" x ".join(str(n) for i, n in enumerate(a.shape) if i != 1)
                 for a in (about, other)]
        raise DataError(f"{found.where}: labels are {sizes[0]} (T,Z,Y,X), the truth "
                        f"{truth.where} is {sizes[1]}; they must be the same field of view")
    return ours, theirs, about.shape


def _compartment(source: Source, given: str | None, flag: str) -> str:
    """The one to compare: two of them, and a guess would be a silent choice."""
    from libcell.data import labels

    there = labels.compartments_at(source)
    if given is None and len(there) > 1:
        raise DataError(f"{source.where}: has {', '.join(there)}; say which ({flag})")
    return given or there[0]


def score_field(found: Source, truth: Source, options: dict[str, Any]) -> dict[str, Any]:
    """The counts of one field of view, one list per frame; memory follows a window."""
    from libcell.data import labels
    from libcell.segment.kernels import matching

    ours, theirs, shape = _open(found, truth, Options(**options))
    frames = []
    for t in range(shape[0]):
        counts = matching.count(_frame(found, ours, truth, theirs, t, shape))
        frames.append(list(counts))
    return {"image": found.group or labels.field_keys(found)[1], "frames": frames}


def _frame(
    found: Source, ours: str, truth: Source, theirs: str, t: int, shape: tuple[int, ...]
) -> Pairs:
    from libcell.data import labels
    from libcell.segment.kernels import matching
    from libcell.segment.tiles.cut import corners

    parts = []
    for y, x in corners(shape[3:], WINDOW):
        window = slice(y, y + WINDOW), slice(x, x + WINDOW)
        parts.append(matching.overlaps(labels.read_frame(truth, theirs, t, *window),
                                       labels.read_frame(found, ours, t, *window)))
    return matching.merge(parts)


def _counts(values: list[Any]) -> Counts:
    """Counts as they were, from what a journal held."""
    from libcell.segment.kernels.matching import Counts

    truth, found, tp, *sums = values
    return Counts(truth, found, tuple(tp), *sums)


def score_table(images: list[tuple[str, list[Counts]]]) -> pa.Table:
    """Table `scores`: rows per image and frame (`group`, `Metadata_T`), then overall.

    Overall figures are those of all objects together; `..._image_mean` is the mean over images
    and frames that have any object.
    """
    from libcell.data import tables
    from libcell.segment.kernels import matching

    rows = [row for image, frames in images for t, counts in enumerate(frames)
            for row in _rows(counts, image, t)]
    every = [c for _, frames in images for c in frames]
    total = matching.add(every)
    rows += [_row(f"{metric}_image_mean", _mean([matching.figures(c)[metric] for c in every]),
                  total.truth) for metric in SAID]
    rows += _rows(total)
    return tables.from_columns("scores", {k: [r[k] for r in rows] for k in rows[0]})


def _rows(counts: Counts, image: str | None = None, t: int | None = None) -> list[dict[str, Any]]:
    from libcell.segment.kernels import matching

    values = matching.figures(counts) | matching.tallies(counts)
    return [_row(metric, value, counts.truth, image, t) for metric, value in values.items()]


def _row(
    metric: str, value: float | None, n: int, image: str | None = None, t: int | None = None
) -> dict[str, Any]:
    return {"metric": metric, "value": value, "low": None, "high": None, "n": n, "split": None,
            "label": None, "group": image, "Metadata_T": t}


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    couples = _couples(inputs, options)
    return {"reads": [*(str(p) for p in inputs.seen), options.truth], "blocks": len(couples),
            "fields": [s.group for s, _ in couples]}


METHOD = Method(
    name="score",
    summary="How good label images are: found objects against true ones, at many IoUs.",
    run=run,
    options=Options,
    reads=("labels",),
    writes="scores",
    suffix=".parquet",
    example="cell-segment score p.labels.ome.zarr held.labels.ome.zarr -o x.parquet",
    paper="Kirillov et al. 2019, doi:10.1109/CVPR.2019.00963 (PQ); Ulman et al. 2017, "
          "doi:10.1038/nmeth.4473 (SEG); Hoover et al. 1996, doi:10.1109/34.506791 (pieces)",
    streams=True,
    optional=True,
    plan=plan,
)
