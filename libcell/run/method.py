"""What a method (one subcommand) says about itself; the command line is made from it.

A method file imports nothing heavy at its top, so that `--help` costs nothing: numpy and the
rest are imported by the functions that do the work.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Opt:
    """How one field of an options class appears on the command line.

    `flags` default to `--field-name`. `path` marks an input file: it enters provenance by
    digest under this role instead of as a parameter; `first` and `last` let the first or last
    of several INPUTs stand for it (`predict MODEL CROPS`, `score PRED TRUTH`). `shapes` is False
    for an option that the result does not depend on, which provenance therefore leaves out.
    """

    help: str
    flags: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    path: bool = False
    first: bool = False
    last: bool = False
    shapes: bool = True


@dataclass(frozen=True)
class Method:
    """One subcommand: what it reads and writes, its options, what it needs, its source.

    `reads` and `writes` are schema names (`files` for foreign ones); an output's name ends in
    `suffix`. A method that makes something else as well lists it in `also`, schema name to
    suffix, and the output's name decides (`Job.kind`). `run(job, options)` does the work.
    `needs` names an optional extra. `optional` says that the record on standard output is a
    result of its own, so that `-o` may be left out: nothing is written then, and `Job.output`
    and `Job.sink` are None. `presets` are named sets of defaults, for a method with an option
    `preset`: option to value. `distributed` says that torchrun may run it in several processes,
    of which the first alone writes and reports. `processes` says that a block holds Python's
    lock for most of its time, so that threads would not run side by side. `mends` says that the
    keys of its blocks tell the state of the files they read: of inputs that changed after a kill
    `--resume` reads those anew.
    """

    name: str
    summary: str
    run: Callable[[Job, Any], None]
    options: type
    reads: tuple[str, ...]
    writes: str
    suffix: str
    example: str
    paper: str = ""
    needs: str = ""
    streams: bool = False  # `-o -` writes the table to standard output
    also: tuple[tuple[str, str], ...] = ()
    optional: bool = False
    presets: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    processes: bool = False
    distributed: bool = False
    mends: bool = False
    plan: Callable[[Inputs, Any], dict[str, Any]] | None = None  # what --dry-run says

    def __post_init__(self) -> None:
        assert dataclasses.is_dataclass(self.options)

    @property
    def outputs(self) -> tuple[tuple[str, str], ...]:
        """Schema name and suffix of everything that the method can make, the usual one first."""
        return ((self.writes, self.suffix), *self.also)

    def kind(self, path: str) -> str | None:
        """What an output of that name would be; None where no suffix fits."""
        bare = path.rstrip("/").removesuffix(".zip")
        whole = path.rstrip("/")
        fitting = (n for n, s in self.outputs
                   if whole.endswith(s) or ("zarr" in s and bare.endswith(s)))
        return next(fitting, None)


@dataclass(frozen=True)
class OptionField:
    """One option, resolved: name, Python type, default and how it is shown."""

    name: str
    kind: Any
    default: Any
    opt: Opt
    many: bool
    optional: bool

    @property
    def flags(self) -> tuple[str, ...]:
        return self.opt.flags or (f"--{self.name.replace('_', '-')}",)

    @property
    def required(self) -> bool:
        return self.default is dataclasses.MISSING


def option_fields(options: type) -> list[OptionField]:
    """The options of a class in order. Field types: str, int, float, bool, also `| None`
    and `tuple[T, ...]` (an option that may be given several times or with commas)."""
    hints = typing.get_type_hints(options, include_extras=True)
    found = []
    for field in dataclasses.fields(options):
        kind, opt = typing.get_args(hints[field.name])[:2]
        assert isinstance(opt, Opt), f"{options.__name__}.{field.name} has no Opt"
        arms = typing.get_args(kind)
        optional = type(None) in arms
        if optional:
            kind = next(a for a in arms if a is not type(None))
        many = typing.get_origin(kind) is tuple
        if many:
            kind = typing.get_args(kind)[0]
        found.append(OptionField(field.name, kind, field.default, opt, many, optional))
    return found
