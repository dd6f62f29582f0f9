"""Carry out one subcommand: open inputs, output and workers, run the method, say how it went."""

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from libcell import __version__
from libcell.cli.config import dump
from libcell.cli.options import ABOUT_OUTPUTS, Common
from libcell.cli.terminal import Terminal
from libcell.data import remote
from libcell.data.output import partial_path
from libcell.errors import MissingInput, Unavailable, UsageFault
from libcell.run import devices, workers
from libcell.run.inputs import Inputs
from libcell.run.job import Job
from libcell.run.method import Method, option_fields
from libcell.schema.versions import FILES, shown

if TYPE_CHECKING:
    from libcell.run.unchanged import Unchanged

AT_ONCE = (KeyboardInterrupt, BrokenPipeError)  # ends that wait for no block under way


def execute(room: str, method: Method, common: Common, options: Any, given: list[str]) -> int:
    """Do the work of `cell-ROOM METHOD`; returns 0 or raises what ended it."""
    if common.dump_config:
        sys.stdout.write(dump({k: v for k, v in (asdict(options) | asdict(common)).items()
                               if k not in ("output", "config", "dump_config")}))
        return 0
    _require(room, method, common, given)
    to_stdout = common.output == "-"
    follows = _follows(method)
    terminal = Terminal(f"cell-{room}", quiet=common.quiet or follows, verbose=common.verbose,
                        log_json=common.log_json, records=not (to_stdout or follows))
    if common.skip_existing and not to_stdout and _exists(str(common.output)):
        return _skip(method, str(common.output), terminal)
    stream = cast(io.BufferedReader, sys.stdin.buffer) if given == ["-"] else None
    inputs = Inputs(given, stream)
    if common.dry_run:
        _require_files(method, options, inputs)
        return _dry_run(room, method, common, options, inputs)
    try:
        with _job(room, method, common, options, inputs, terminal) as job:
            method.run(job, job.options)
            job.settle()
        terminal.summarise()
    except ModuleNotFoundError as error:
        _require_extra(room, method, error)
        raise
    finally:
        terminal.close()
    return 0


def _require_extra(room: str, method: Method, error: ModuleNotFoundError) -> None:
    """Unavailable where what cannot be imported is what the method's extra brings."""
    if method.needs and error.name and error.name.partition(".")[0] != "libcell":
        raise Unavailable(f"cell-{room} {method.name} needs {error.name} "
                          f"(pip install 'libcell[{method.needs}]')") from error


def _exists(name: str) -> bool:
    if not remote.is_url(name):
        return Path(name).exists()
    from libcell.data import upload

    return upload.exists(name)


def _require(room: str, method: Method, common: Common, given: list[str]) -> None:
    if not given:
        raise UsageFault(f"no INPUT given (see cell-{room} {method.name} --help)")
    if common.output is None:
        _require_none_is_fine(method, common)
        return
    if common.output == "-" and not method.streams:
        raise UsageFault(f"-o -: {method.name} writes {method.writes}, which is no table; "
                         f"give a path (-o x{method.suffix})")
    _require_suffix(method, common)


def _require_files(method: Method, options: Any, inputs: Inputs) -> None:
    """MissingInput where an input, or a file that an option names, is neither there nor in the
    making. In a pipe the command before may not have begun to make it."""
    if inputs.piped:
        return
    inputs.paths()
    for flag, name in _named(method, options):
        if not remote.is_url(name) and not (
                Path(name).exists() or partial_path(Path(name)).exists()):
            raise MissingInput(f"{flag} {name}: not found")


def _require_none_is_fine(method: Method, common: Common) -> None:
    asked = [f"--{name.replace('_', '-')}" for name in ABOUT_OUTPUTS if getattr(common, name)]
    if asked or not method.optional:
        what = f"; {asked[0]} needs one" if asked else ""
        raise UsageFault(f"no output given{what} (use -o x{method.suffix})")


def _require_suffix(method: Method, common: Common) -> None:
    """A wrong suffix now would be a wrong kind of input to the next command."""
    name = str(common.output)
    if name != "-" and method.kind(name) is None:
        names = " or ".join(f"{shown(n)}, named x{s}" for n, s in method.outputs)
        raise UsageFault(f"-o {name}: this method writes {names}")


@contextlib.contextmanager
def _job(
    room: str, method: Method, common: Common, options: Any, inputs: Inputs, terminal: Terminal
) -> Iterator[Job]:
    """A job with its output begun and its workers up; both are let go of at the end."""
    from libcell.data.output import Output
    from libcell.data.upload import Upload
    from libcell.run.unchanged import Unchanged

    with contextlib.ExitStack() as stack:
        output, scratch, sink, read = None, None, None, None
        device = devices.resolve(common.device) if common.device != "auto" else "auto"
        if common.output in (None, "-"):
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="libcell-")))
            sink = _arrow_sink(stack) if common.output else None
        else:
            again = {"force": common.force, "resume": common.resume}
            path = Path(str(common.output).rstrip("/"))
            if _follows(method):
                output = Output(_aside(stack, path), **again)
            elif remote.is_url(common.output):
                output = Upload(str(common.output), **again)
            else:
                output = Output(path, **again)
            read = Unchanged(_read_paths(method, options, inputs))
            output.begin(_signature(room, method, options, read))
            stack.callback(output.release)
        _require_files(method, options, inputs)
        pool = workers.open_pool(_scheduler(method, common),
                                 common.workers or workers.default_workers(),
                                 output.partial if output else scratch)
        options = _with_paths(method, options, pool.remote)
        job = Job(room, method, options, inputs, output, pool, terminal, seed=common.seed,
                  device=device, partial_ok=common.partial_ok, scratch=scratch, sink=sink,
                  read=read)
        stack.push(lambda kind, *_: job.close(wait=kind not in AT_ONCE))
        if job.finished_before:
            terminal.note(f"continuing: {job.finished_before} blocks were done before")
        yield job


def _scheduler(method: Method, common: Common) -> str:
    """What `--scheduler auto` is: dask's scheduler where its own variable names one."""
    if common.scheduler != "auto":
        return common.scheduler
    usual = "processes" if method.processes else "threads"
    return os.environ.get("DASK_SCHEDULER_ADDRESS") or usual


def _follows(method: Method) -> bool:
    """Whether this is one of torchrun's processes, and not the first, which writes and reports."""
    return method.distributed and int(os.environ.get("RANK", "0")) > 0


def _aside(stack: contextlib.ExitStack, path: Path) -> Path:
    """Where the output of a process grows whose output nobody wants."""
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="libcell-"))) / path.name


def _with_paths(method: Method, options: Any, absolute: bool) -> Any:
    """Options with paths where they name files: for URLs, and for workers elsewhere."""
    def path(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(path, value))
        if value and (absolute or remote.is_url(value)):
            return str(remote.local(value).absolute())
        return value

    named = {f.name: getattr(options, f.name) for f in option_fields(method.options) if f.opt.path}
    return replace(options, **{k: path(v) for k, v in named.items()})


def _signature(room: str, method: Method, options: Any, read: "Unchanged") -> dict[str, Any]:
    """What makes two runs the same job, so that one may continue the other."""
    return {
        "command": f"cell-{room} {method.name}",
        "version": __version__,
        "options": asdict(options),
        "inputs": [(path, "" if method.mends else mark) for path, mark in read.marks()],
    }


def _read_paths(method: Method, options: Any, inputs: Inputs) -> list[Path]:
    """Every path that a run reads, as far as it is known before it starts: a pipe is not."""
    given = [] if inputs.piped else inputs.paths()
    return given + [remote.local(name) for _, name in _named(method, options)]


def _named(method: Method, options: Any) -> list[tuple[str, str]]:
    """The files that options name, each with the flag of its option."""
    told = [(f, getattr(options, f.name)) for f in option_fields(method.options) if f.opt.path]
    return [(f.flags[-1], name) for f, value in told for name in (value if f.many else [value])
            if name]


def _arrow_sink(stack: contextlib.ExitStack) -> Any:
    """Takes table parts and writes them to stdout as one Arrow stream."""
    import pyarrow as pa
    import pyarrow.ipc

    target = stack.enter_context(contextlib.closing(pa.PythonFile(_Flushing(), mode="w")))
    writers: list[Any] = []

    def sink(table: Any) -> None:
        if not writers:
            writers.append(stack.enter_context(pyarrow.ipc.new_stream(target, table.schema)))
        writers[0].write_table(table)

    return sink


class _Flushing:
    """Standard output for Arrow: every batch leaves at once, and the file stays open."""

    closed = False

    def write(self, data: Any) -> int:
        count = sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return count

    def flush(self) -> None:
        sys.stdout.buffer.flush()

    def close(self) -> None:
        """Arrow closes its file; stdout is not ours to close."""

    def writable(self) -> bool:
        return True


def _skip(method: Method, path: str, terminal: Terminal) -> int:
    from libcell.data.summary import record_of

    foreign = {"schema": FILES, "path": path, "n": 1, "complete": True}
    found = foreign if method.writes == FILES else record_of(remote.local(path))
    terminal.record(found | {"path": path})
    terminal.note(f"{path}: exists, left as it is")
    return 0


def _dry_run(room: str, method: Method, common: Common, options: Any, inputs: Inputs) -> int:
    plan = method.plan(inputs, options) if method.plan else {}
    if not plan:
        plan = {"reads": [str(p) for p in inputs.paths()]}
    lines = {"command": f"cell-{room} {method.name}", "blocks": None, "bytes": None} | plan | {
        "writes": common.output,
        "schema": shown(method.kind(str(common.output)) or method.writes),
        "parameters": {f.name: getattr(options, f.name) for f in option_fields(method.options)},
    }
    sys.stdout.write(remote.told(json.dumps(lines, ensure_ascii=False, default=str)) + "\n")
    return 0
