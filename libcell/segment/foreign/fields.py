"""A run of any network over its inputs: small fields in parallel, a large one by its tiles."""

import hashlib
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from libcell.data import digests, grey, labels
from libcell.data import open as opening
from libcell.data.images import SHARD, Source
from libcell.data.output import write_file
from libcell.data.weights import Weights
from libcell.errors import OutputExists, UsageFault
from libcell.run import devices
from libcell.run.blocks import Block
from libcell.run.inputs import Inputs
from libcell.run.job import Job
from libcell.run.workers import default_workers
from libcell.segment.foreign import frames, joining, networks, percentiles, tiles
from libcell.segment.foreign.frames import Rules
from libcell.segment.foreign.networks import Spec
from libcell.segment.foreign.percentiles import Scale
from libcell.segment.tiles.cut import corners

Found = tuple[str, int, str]  # group, objects, digest


class TileFailed(Exception):
    """A tile could not be done, so neither can its field; the job has noted why."""


def segment(job: Job, rules: Rules, spec: Spec, weights: Weights) -> None:
    """Segment every field of view as it comes; the root of the store is written last."""
    _require(rules)
    _require_same_weights(job, weights)
    networks.network(spec)  # what is wrong with the weights is wrong for every field: said once
    threads = 1 if job.pool.remote else max(1, default_workers() // job.pool.width)
    spec = replace(spec, device=devices.resolve(job.device), threads=threads)
    groups, content = [], []
    for group, n, digest in _Fields(job, rules, spec).each():
        groups.append(group)
        content.append(digest)
        job.part("labels", group, n)
    job.settle()
    made = job.provenance([job.inputs.digest(), weights.mark])
    labels.seal(job.root, groups, list(rules.compartments), content, made)
    job.publish("labels", len(groups))


def _require(rules: Rules) -> None:
    if rules.pmin >= rules.pmax:
        raise UsageFault(f"--pmin {rules.pmin:g} is not below --pmax {rules.pmax:g}")
    if not rules.channels:
        raise UsageFault("--channels: names no channel")
    if rules.max_area is not None and rules.max_area < rules.min_area:
        raise UsageFault(f"--max-area {rules.max_area} is below --min-area {rules.min_area}")


def _require_same_weights(job: Job, weights: Weights) -> None:
    """A run that is continued must go on with the weights that it began with."""
    note = job.parts / "weights.sha256"
    if note.exists() and note.read_text() != weights.digest:
        assert job.output
        raise OutputExists(f"{job.output.path}: the unfinished run there had other weights; "
                           "use --force to start over")
    write_file(note, weights.digest.encode())


@dataclass
class _Fields:
    """The fields of one run."""

    job: Job
    rules: Rules
    spec: Spec

    def __post_init__(self) -> None:
        self._said = False

    def each(self) -> Iterator[Found]:
        """Each finished field."""
        for large, some in itertools.groupby(self.job.inputs.fields("image"), key=self._is_large):
            if large:
                for source in some:
                    yield from self._large(source)
                continue
            blocks = (
                Block(s.where, {"source": s, "root": self.job.root, "rules": self.rules,
                                "link": self.job.link(s.path), "spec": self.spec})
                for s in some
            )
            for block, done in self.job.map("fields", frames.segment_field, blocks):
                self.note(done["batch"])
                yield block.args["source"].group or "", done["n"], done["digest"]

    def _is_large(self, source: Source) -> bool:
        try:
            return max(opening.image(source).about.shape[3:]) > self.rules.tile
        except Exception:  # noqa: BLE001  the block that reads it reports it
            return False

    def _large(self, source: Source) -> Iterator[Found]:
        try:
            n, digest = _large_field(self, source)
        except TileFailed:
            return
        yield source.group or "", n, digest

    def note(self, batch: int) -> None:
        """Say once that the device had room for less than was asked."""
        if batch < self.spec.batch and not self._said:
            self._said = True
            self.job.reporter.warn(f"not enough memory on {self.spec.device} for a batch of "
                                   f"{self.spec.batch}; went on with {batch}")


def _large_field(run: _Fields, source: Source) -> tuple[int, str]:
    """Objects and digest of a field of view, frame by frame; holds a few tiles at a time."""
    shape = opening.image(source).about.shape
    block = Block(source.where, {"source": source, "root": run.job.root,
                                 "link": run.job.link(source.path),
                                 "compartments": run.rules.compartments})
    if not list(run.job.map("create", tiles.create, [block])):
        raise TileFailed
    count, content = 0, []
    for t in range(shape[0]):
        n, parts = _large_frame(run, source, t, shape[2:])
        count += n
        content += parts
    return count, digests.of_json(content)


def _large_frame(
    run: _Fields, source: Source, t: int, shape: tuple[int, int, int]
) -> tuple[int, list[str]]:
    """One frame; of a frame that an earlier run finished only a note is left, what its tiles held
    is removed (up to 12 bytes a pixel, for every frame of a movie)."""
    name = hashlib.sha256(f"{source.where}:t{t}".encode()).hexdigest()[:16]
    folder = run.job.parts / name
    note = folder.with_suffix(".json")
    if not note.exists():
        folder.mkdir(exist_ok=True)
        found = _Frame(run, tiles.Frame(source, t, shape, run.rules, folder)).segment()
        write_file(note, json.dumps(found).encode())
        shutil.rmtree(folder)
    n, parts = json.loads(note.read_text())
    return n, parts


class _Frame:
    """One frame, tile by tile."""

    def __init__(self, run: _Fields, frame: tiles.Frame):
        self._run = run
        self._frame = frame
        self._corners = corners(frame.shape[1:], frame.rules.tile)

    def segment(self) -> tuple[int, list[str]]:
        """Objects in the frame and the digests of its parts."""
        scale = self._scale()
        for done in self._map("tiles", tiles.segment_tile, scale=scale, spec=self._run.spec):
            self._run.note(done["batch"])
        count = self._join()
        parts = self._map("labels", tiles.write_shard, step=SHARD, root=self._run.job.root,
                          of_each={"near": self._near})
        return count, parts

    def _scale(self) -> Scale:
        """What becomes 0 and 1 in the whole frame."""
        rules, dtype = self._frame.rules, opening.image(self._frame.source).about.dtype
        ranges = None
        if not percentiles.is_counted(dtype):
            found = self._map("range", tiles.measure_range)
            ranges = [frames.together([r[c] for r in found])[0]
                      for c in range(len(rules.channels))]
            ranges = frames.together(ranges) if rules.joint else ranges
        total: Any = 0
        for name in self._map("values", tiles.count_values, ranges=ranges):
            with np.load(self._frame.folder / name) as saved:
                total = total + saved["counts"]
        return percentiles.scale(total, dtype, ranges, rules.pmin, rules.pmax, rules.joint)

    def _join(self) -> int:
        """Settle which object is whose, and leave each tile its final numbers."""
        names = self._map("shared", tiles.compare, of_each={"others": self._later})
        objects = [tiles.load_objects(self._frame.file(*c)) for c in self._corners]
        place = {c: i for i, c in enumerate(self._corners)}
        overlaps = []
        for corner, name in zip(self._corners, names):
            rows = np.load(self._frame.folder / name)
            overlaps += [(place[corner], place[c], rows[(rows[:, :2] == c).all(axis=1), 2:])
                         for c in self._later(*corner)]
        rank = joining.ranks(objects, overlaps)
        number = joining.numbers(objects, rank)
        for (y, x), r, n in zip(self._corners, rank, number):
            np.savez(self._frame.folder / f"final-{y}-{x}.npz", rank=r, number=n)
        return int(sum(np.count_nonzero(n) for n in number))

    def _later(self, y0: int, x0: int) -> list[tuple[int, int]]:
        """Tiles after that at (y0, x0) whose windows share pixels with its own."""
        ours = self._frame.tile(y0, x0).window
        return [c for c in self._corners
                if c > (y0, x0) and _meet(ours, self._frame.tile(*c).window)]

    def _near(self, y0: int, x0: int) -> list[tuple[int, int]]:
        """Tiles whose windows reach into the shard at (y0, x0)."""
        box = (y0, x0, y0 + SHARD, x0 + SHARD)
        return [c for c in self._corners if _meet(box, self._frame.tile(*c).window)]

    def _map(
        self, phase: str, function: Callable[..., Any], step: int | None = None,
        of_each: dict[str, Callable[[int, int], Any]] | None = None, **more: Any,
    ) -> list[Any]:
        """Results of all tiles; `of_each` are arguments that depend on the corner.

        TileFailed if any is missing: what follows needs all of them.
        """
        where = f"{self._frame.source.where}:t{self._frame.t}"
        blocks = [
            Block(f"{where} y{y} x{x}", {"frame": self._frame, "y0": y, "x0": x} | more
                  | {name: make(y, x) for name, make in (of_each or {}).items()})
            for y, x in corners(self._frame.shape[1:], step or self._frame.rules.tile)
        ]
        results = [result for _, result in self._run.job.map(phase, function, blocks)]
        if len(results) < len(blocks):
            raise TileFailed
        return results


def _meet(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def plan(inputs: Inputs, channels: tuple[str, ...], compartments: int = 1) -> dict[str, Any]:
    """What would be read and written."""
    abouts = [opening.image(s).about for s in inputs.fields("image")]
    for about in abouts:
        for name in channels:
            grey.require(about, name)
    size = sum(prod(a.shape) // a.shape[1] * 4 * compartments for a in abouts)
    return {"reads": [str(p) for p in inputs.seen], "blocks": len(abouts),
            "fields": [a.group for a in abouts], "bytes": size * 4 // 3}
