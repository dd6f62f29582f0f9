"""One run of one method: its inputs, its output, its blocks, its journal, its provenance."""

import contextlib
import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libcell import __version__
from libcell.data import remote
from libcell.errors import CellError, DataError, PartlyDone, full
from libcell.run import workers
from libcell.run.blocks import Block
from libcell.run.inputs import Inputs, mark
from libcell.run.journal import Journal
from libcell.run.method import Method, option_fields
from libcell.run.reporter import Reporter
from libcell.run.workers import Pool

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.data.output import Output
    from libcell.run.unchanged import Unchanged

SHOWN = 5  # identical failures are named this often, then counted
CHANGED = "changed or went away while it was read; run again when it is whole"


@dataclasses.dataclass
class Job:
    """What a method's `run` is handed.

    `output` is None where a table goes to standard output (then `sink` takes its parts) or where
    only the record is wanted; `scratch` is a temporary folder instead of the output's partial
    one.
    """

    room: str
    method: Method
    options: Any
    inputs: Inputs
    output: "Output | None"
    pool: Pool
    reporter: Reporter
    seed: int = 0
    device: str = "auto"
    partial_ok: bool = False
    scratch: Path | None = None
    sink: "Callable[[pa.Table], None] | None" = None
    read: "Unchanged | None" = None
    failures: list[tuple[str, BaseException]] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self._journal = Journal(self.output.journal if self.output else None)
        self.finished_before = len(self._journal)
        self._done = 0
        self._once: set[tuple[str, str]] = set()
        self._failed_files: list[Path] = []
        self._alike: Counter[type[BaseException]] = Counter()

    # -- where things go -----------------------------------------------------------------

    @property
    def command(self) -> str:
        return f"cell-{self.room} {self.method.name}"

    @property
    def root(self) -> Path:
        """What to write: a folder for stores, a file for tables. It appears by `publish`."""
        assert self.output, "this method writes no path"
        return self.output.root

    @property
    def kind(self) -> str:
        """Schema name of what is being made; the output's suffix says which of several."""
        found = self.method.kind(self.output.path.name) if self.output else None
        return found or self.method.writes

    @property
    def parts(self) -> Path:
        """A folder for the blocks' own files, gone when the output is published."""
        base = self.output.partial if self.output else self.scratch
        assert base
        folder = base / "parts"
        folder.mkdir(exist_ok=True)
        return folder

    def link(self, image: Path) -> str | None:
        """Where an image store lies as seen from the label store that is being made."""
        from libcell.data.labels import source_of

        assert self.output
        place, store = remote.told(str(image)), self.output.name
        if remote.is_url(place) or remote.is_url(store):
            return remote.relative(place, store)
        return source_of(image, self.output.path)

    # -- blocks --------------------------------------------------------------------------

    def warm(self, *modules: str) -> None:
        """Let the workers start, and import what their blocks need, while the job is planned."""
        for _ in range(self.pool.width):
            self.pool.submit(workers.load, {"modules": modules})

    def map(
        self, phase: str, function: Callable[..., Any], blocks: Iterable[Block]
    ) -> Iterator[tuple[Block, Any]]:
        """Do blocks over the pool; yield each finished one with its result, in order.

        `function(**block.args)` returns something small that JSON holds; what it makes it
        writes itself. Blocks that an earlier run finished are not done again. A block that
        fails is reported and left out; see `settle`.
        """
        total = len(blocks) if isinstance(blocks, (list, tuple)) else None
        done = 0

        def finished(block: Block) -> bool:
            return self._journal.get(phase, block.key)[0]

        for block, future in workers.in_order(self.pool, function, blocks, finished):
            if future is None:
                result = self._journal.get(phase, block.key)[1]
            else:
                try:
                    with workers.lost_workers():
                        result = future.result()
                    self._require_same(block)
                except PartlyDone:
                    raise
                except Exception as error:  # noqa: BLE001  one bad block must not stop the rest
                    self._fail(block, error)
                    continue
                self._journal.add(phase, block.key, result)
            done += 1
            self._done += 1
            self.reporter.progress(phase, done, total)
            yield block, result

    def map_whole(
        self, phase: str, function: Callable[..., Any], blocks: list[Block]
    ) -> list[Any]:
        """Results of blocks that the output cannot go without, in order.

        PartlyDone if any failed, whether or not the user takes what there is.
        """
        results = [result for _, result in self.map(phase, function, blocks)]
        if len(results) < len(blocks):
            raise PartlyDone(
                f"{len(blocks) - len(results)} of {len(blocks)} blocks of the phase {phase} "
                "failed, and the output cannot go without them; mend them and use --resume"
            )
        return results

    def once(self, phase: str, function: Callable[..., Any], block: Block) -> bool:
        """Do a block that several steps of a run begin with; whether it is done. The journal keeps
        what an earlier run finished, not what this one did."""
        if (phase, block.key) not in self._once:
            if not list(self.map(phase, function, [block])):
                return False
            self._once.add((phase, block.key))
        return True

    def keep(self, phase: str, key: str) -> None:
        """Note work that was done here, not over the pool, and that `--resume` will go on from."""
        self._journal.add(phase, key, None)

    def _require_same(self, block: Block) -> None:
        """What a block made of another input than the run began with is not to be gone on from."""
        changed = self.read.another(block.paths()) if self.read else None
        if changed:
            raise DataError(f"{changed}: {CHANGED}")

    def _fail(self, block: Block, error: BaseException) -> None:
        if said := full(error):
            text = f"{said} ({self._done} blocks done); make room, then --resume"
            raise PartlyDone(text) from error
        self.failures.append((block.key, error))
        self._failed_files += block.files()
        if self.output:
            self.output.may_change(block.files())
        self._alike[type(error)] += 1
        alike = self._alike[type(error)]
        if alike <= SHOWN:
            self.reporter.fail(block.key, error)
        elif alike == SHOWN + 1:
            self.reporter.warn("further failures of this kind are counted, not shown")

    def settle(self) -> None:
        """Raise unless every block is done (or the user takes what there is).

        If none was, the first failure's own error; else PartlyDone, and `--resume` tries the
        failed ones again.
        """
        if not self.failures:
            return
        count = len(self.failures)
        if not self._done:
            error = self.failures[0][1]
            if isinstance(error, CellError):
                raise type(error)(f"nothing done: {count} of {count} blocks failed") from error
            raise error
        if self.partial_ok:
            self.reporter.warn(f"{count} blocks failed and are left out of the output")
            return
        raise PartlyDone(
            f"{self._done} blocks done, {count} failed; mend them and use --resume, "
            "or --resume --partial-ok to go without them"
        )

    # -- outputs -------------------------------------------------------------------------

    def table(
        self, name: str, phase: str, function: Callable[..., Any], blocks: Iterable[Block]
    ) -> int:
        """Make one table from the tables that `function` returns per block; returns its rows."""
        return self._assemble(name, self._parts(name, phase, function, blocks))

    def collect(
        self, phase: str, function: Callable[..., Any], blocks: Iterable[Block]
    ) -> list[Path]:
        """The tables that `function` returns per block, as part files in the blocks' order.

        Raises unless every block is done (see `settle`).
        """
        files = self._parts("", phase, function, blocks)
        self.settle()
        return files

    def _parts(
        self, name: str, phase: str, function: Callable[..., Any], blocks: Iterable[Block]
    ) -> list[Path]:
        from libcell.data import tables

        folder = self.parts
        files: list[Path] = []

        def numbered() -> Iterator[Block]:
            for index, block in enumerate(blocks):
                target = folder / f"{phase}-{index:08d}.arrow"
                args = {"function": function, "args": block.args, "target": target}
                yield Block(block.key, args)

        schema = None
        for _block, result in self.map(phase, _write_part, numbered()):
            part = folder / result["part"]
            if self.sink:
                table = tables.read_part(part)
                schema = schema or tables.stamp(table.slice(0, 0), name, {}).schema
                self.sink(tables.conform(table, schema))
                part.unlink()
            files.append(part)
        return files

    def _assemble(self, name: str, files: list[Path]) -> int:
        from libcell.data import tables
        from libcell.schema.arrow import arrow_schema

        self.settle()
        if self.sink:
            return 0
        # one part is mapped at a time: there may be more of them than mappings
        schema = tables.unify(map(tables.read_part, files)) if files else arrow_schema(name)
        rows = tables.write_parts(self.root, map(tables.read_part, files), schema, name,
                                  self.provenance())
        self.publish(name, rows)
        return rows

    def write_table(self, name: str, table: "pa.Table", **more: Any) -> int:
        """Publish one table that is ready as a whole, `more` in its record (or hand it to
        standard output, or publish the record alone)."""
        from libcell.data import tables

        rows = int(table.num_rows)
        if self.sink:
            self.sink(tables.stamp(table, name, self.provenance()))
            return rows
        if self.output:
            tables.write_parts(self.root, [table], table.schema, name, self.provenance())
        self.publish(name, rows, **more)
        return rows

    def leave_out(self, folder: Path, left: "list[pa.Table]", total: int, what: str) -> int:
        """Note what the output goes without (parts of table `omissions`): each item in
        `omissions.parquet` of the `folder` that is being written, their number and reasons, up to
        a colon, to the user. `total` things called `what` there were. Returns how many are left
        out."""
        from libcell.data import tables
        from libcell.schema.arrow import arrow_schema

        tables.write_parts(folder / "omissions.parquet", left, arrow_schema("omissions"),
                           "omissions", self.provenance())
        reasons = Counter(r.partition(": ")[0] for t in left for r in t["reason"].to_pylist())
        count = sum(reasons.values())
        if count:
            text = "; ".join(f"{n} {reason}" for reason, n in reasons.most_common())
            self.reporter.warn(f"{count} of {total} {what} are left out: {text} (each is in "
                               "omissions.parquet of the output)")
        return count

    def part(self, name: str, group: str, n: int) -> None:
        """Announce a finished field of view of the store that is being written."""
        from libcell.schema.versions import tag

        assert self.output
        if remote.is_url(self.output.name):
            return  # nobody else can read it yet
        self.reporter.record(
            {"schema": tag(name), "path": str(self.output.path), "group": group, "n": n,
             "partial": str(self.output.root)}
        )

    def publish(self, name: str, n: int, **more: Any) -> None:
        """Give the finished output its name, and announce it; its path is null where none was
        asked for."""
        from libcell.schema.versions import shown

        path = None
        if self.output:
            self._require_unchanged()
            self._journal.close()
            self.output.publish()
            path = self.output.name
        self.reporter.record({"schema": shown(name), "path": path, "n": n, "complete": True} | more)

    def _require_unchanged(self) -> None:
        """No output is of two states of an input. What was made of them is thrown away, for
        nobody knows which block saw which."""
        assert self.output
        changed = self.read.changed(self._failed_files) if self.read else []
        if changed:
            self.output.abandon()
            raise DataError(f"{changed[0]}: {CHANGED}")

    # -- provenance ----------------------------------------------------------------------

    def provenance(self, inputs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Which command, version and parameters make this output, and from what."""
        marks = [self.inputs.digest()] if inputs is None else inputs
        return {
            "command": self.command,
            "version": __version__,
            "parameters": self.parameters(),
            "inputs": marks + self._option_marks(),
            "seed": self.seed,
            "created": _created(),
        }

    def parameters(self) -> dict[str, Any]:
        """The options that shape the result."""
        return {
            f.name: getattr(self.options, f.name)
            for f in option_fields(self.method.options) if f.opt.shapes and not f.opt.path
        }

    def _option_marks(self) -> list[dict[str, Any]]:
        """Marks of the inputs that came as options (`--images`), in their order."""
        found = []
        for field in option_fields(self.method.options):
            value = getattr(self.options, field.name)
            if field.opt.path and value:
                paths = [Path(p) for p in (value if field.many else [value])]
                found.append(mark(field.name, paths))
        return found

    def close(self, wait: bool = True) -> None:
        """Stop the workers and let go of the output; what is finished stays for `--resume`.

        `wait` is False where the user wants the end at once: blocks under way are given up.
        """
        with contextlib.suppress(OSError):
            self._journal.close()
        self.pool.close(wait)
        if self.output:
            self.output.release()


def _write_part(function: Callable[..., Any], args: dict[str, Any], target: Path) -> dict[str, Any]:
    """In the worker: make a block's table and leave it in the parts folder."""
    from libcell.data import tables

    table = function(**args)
    tables.write_part(target, table)
    return {"part": target.name, "rows": table.num_rows}


def _created() -> str | None:
    """UTC time from SOURCE_DATE_EPOCH: wall-clock time would make equal runs differ."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch or not epoch.isdigit():
        return None
    return datetime.fromtimestamp(int(epoch), UTC).isoformat()
