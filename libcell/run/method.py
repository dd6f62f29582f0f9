"""What a method (one subcommand) says about itself; the command line is made from it.

A method file imports nothing heavy at its top, so that `--help` costs nothing: numpy and the
rest are imported by the functions that do the work.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Opt:
    """How one field of an options class appears on the command line.

    `flags` default to `--field-name`. `path` marks an input file: it enters provenance by
    digest under this role instead of as a parameter. `shapes` is False for an option that the
    result does not depend on, which provenance therefore leaves out.
    """

    help: str
    flags: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    path: bool = False
    shapes: bool = True


@dataclass(frozen=True)
class Method:
    """One subcommand: what it reads and writes, its options, what it needs, its source.

    `reads` and `writes` are schema names (`files` for foreign ones); `suffix` is how an output
    is usually named. `run(job, options)` does the work. `needs` names an optional extra.
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
    plan: Callable[[Inputs, Any], dict[str, Any]] | None = None  # what --dry-run says

    def __post_init__(self) -> None:
        assert dataclasses.is_dataclass(self.options)


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
