"""Tracked cells in the time of their own mitosis, from a stage predicted in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from libcell.align.stores.sequences import Track
    from libcell.run.job import Job

ANCHORS = ("anaphase", "latemitosis")  # what begins where sister chromatids part


@dataclass(frozen=True)
class Options:
    """What is time 0, and what is stretched."""

    anchor: Annotated[str | None, Opt("stage whose first frame is time 0 [Anaphase or "
                                      "LateMitosis]")] = None
    stages: Annotated[tuple[str, ...], Opt(
        "all stages in the order in which they come, first the one after division [as published "
        "data sets have them]")] = ()
    track: Annotated[str | None, Opt("column that names the track [track_id, Metadata_Track or "
                                     "Metadata_Sequence]")] = None
    stretch: Annotated[bool, Opt(
        "stretch each stage whose begin and end were seen to the median length of all tracks; else "
        "tracks are only moved", ("--stretch/--no-stretch",))] = True
    before: Annotated[int | None, Opt("leave out what is more frames before time 0",
                                      least=0)] = None
    after: Annotated[int | None, Opt("leave out what is more frames after time 0",
                                     least=0)] = None


def run(job: Job, options: Options) -> None:
    """Repair the order of the stages, align every track, write the rows with their new time."""
    from libcell.align.stores import sequences
    from libcell.errors import DataError

    table = job.inputs.table("predictions")
    names = sequences.stage_order(table, options.stages)
    anchor = _anchor(names, options.anchor)
    found = sequences.sequences(table, sequences.column_of(table, options.track), names)
    courses = _courses(found)
    times = _times(found, courses, anchor, options.stretch)
    lost = sum(t is None for t in times)
    if found and lost == len(found):
        raise DataError(f"none of {lost} tracks is seen to enter {names[anchor]} (--anchor)")
    if lost:
        job.reporter.warn(f"{lost} of {len(found)} tracks are not seen to enter {names[anchor]} "
                          "and have no aligned time")
    kept = [_window(s, t, options) for s, t in zip(found, times)]
    made = _table(table, found, courses, times, kept, names)
    repaired = int(sum((c != s.likely.argmax(axis=1)).sum() for c, s in zip(courses, found)))
    said = {"tracks": len(found) - lost, "unaligned": lost, "repaired": repaired}
    if job.kind != "bundle":
        job.write_table("predictions", made, **said)
        return
    _write_bundle(job, made, _picture(courses, times, kept, names, anchor))
    job.publish("bundle", made.num_rows, **said)


def _anchor(names: list[str], wanted: str | None) -> int:
    from libcell.errors import UsageFault

    fitting = [wanted.lower()] if wanted else ANCHORS
    found = [i for i, name in enumerate(names) if name.lower() in fitting]
    if not found:
        raise UsageFault(f"--anchor {wanted or 'is needed'}: the stages are {', '.join(names)}")
    return found[0]


def _courses(found: list[Track]) -> list[np.ndarray]:
    """Each track's stages in order; a daughter goes on where her mother ends."""
    import numpy as np

    from libcell.align.kernels import stages

    courses = []
    for one in found:
        likely = [one.likely] if one.parent is None else [found[one.parent].likely, one.likely]
        courses.append(stages.in_order(np.concatenate(likely))[-len(one.t):])
    return courses


def _times(
    found: list[Track], courses: list[np.ndarray], anchor: int, stretch: bool
) -> list[np.ndarray | None]:
    """Aligned time of each track; a daughter without a mitosis of her own has her mother's."""
    import numpy as np

    from libcell.align.kernels import stages

    lines = []  # course and frames, the mother's before one's own
    for one, course in zip(found, courses):
        before = [] if one.parent is None else [one.parent]
        lines.append((np.concatenate([*(courses[m] for m in before), course]),
                      np.concatenate([*(found[m].t for m in before), one.t])))
    mothers = {s.parent for s in found}
    whole = [line for i, line in enumerate(lines) if i not in mothers]
    lengths = stages.usual_lengths(whole) if stretch else {}
    times: list[np.ndarray | None] = []
    for one, course, line in zip(found, courses, lines):
        time = stages.aligned_time(course, one.t, anchor, lengths)
        if time is None:
            time = stages.aligned_time(*line, anchor, lengths)
        times.append(None if time is None else time[-len(one.t):])
    return times


def _window(track: Track, time: np.ndarray | None, options: Options) -> np.ndarray:
    """Which frames of a track are within the window; those without aligned time are in none."""
    import numpy as np

    if time is None:
        return np.full(len(track.t), options.before is None and options.after is None)
    low = -np.inf if options.before is None else -options.before
    high = np.inf if options.after is None else options.after
    inside: np.ndarray = (time >= low) & (time <= high)
    return inside


def _table(
    table: pa.Table, found: list[Track], courses: list[np.ndarray],
    times: list[np.ndarray | None], kept: list[np.ndarray], names: list[str],
) -> pa.Table:
    """The predictions by track and time, with the repaired stage and the aligned time."""
    import numpy as np
    import pyarrow as pa

    empty = np.zeros(0, np.int64)
    rows = np.concatenate([empty, *(s.rows[k] for s, k in zip(found, kept))])
    stage = np.concatenate([empty, *(c[k] for c, k in zip(courses, kept))])
    time = np.concatenate([np.zeros(0), *(np.full(k.sum(), np.nan) if t is None else t[k]
                                          for t, k in zip(times, kept))])
    made = table.take(pa.array(rows))
    for name, values in (("Metadata_AlignedStage", pa.array(np.array(names)[stage], pa.string())),
                         ("Metadata_AlignedT", pa.array(time, from_pandas=True))):
        if name in made.column_names:
            made = made.drop_columns([name])
        made = made.append_column(name, values)
    return made


def _picture(
    courses: list[np.ndarray], times: list[np.ndarray | None], kept: list[np.ndarray],
    names: list[str], anchor: int,
) -> bytes:
    """Aligned tracks, those with the earliest first frame on top."""
    import math

    from libcell.align.kernels import stage_matrix

    shown = [(t[k], c[k]) for c, t, k in zip(courses, times, kept)
             if t is not None and k.any()]
    shown.sort(key=lambda s: (s[0][0], s[0][-1]))
    low = math.floor(min((s[0][0] for s in shown), default=0))
    high = math.ceil(max((s[0][-1] for s in shown), default=0))
    rows = stage_matrix.matrix(shown, low, high)
    return stage_matrix.picture(rows, low, names, names[anchor])


def _write_bundle(job: Job, made: pa.Table, picture: bytes) -> None:
    from libcell.data import tables

    job.root.mkdir(exist_ok=True)
    tables.write_parts(job.root / "predictions.parquet", [made], made.schema, "predictions",
                       job.provenance())
    (job.root / "stages.png").write_bytes(picture)


METHOD = Method(
    name="stages",
    summary="Tracked cells in the time of their own mitosis, from the stage of every frame.",
    run=run,
    options=Options,
    reads=("predictions",),
    writes="predictions",
    suffix=".parquet",
    also=(("bundle", ".bundle"),),
    example="cell-align stages p.parquet --before 20 --after 30 -o s.parquet",
    paper="alignment at mitosis after LiveCellMiner (Moreno-Andrés et al. 2022, "
          "doi:10.1371/journal.pone.0270923)",
    streams=True,
)
