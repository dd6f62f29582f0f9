"""From a method's typed options to a subcommand, and from its arguments to a job."""

import inspect
import sys
from dataclasses import replace
from typing import Annotated, Any, Literal

import typer
import typer.main

from libcell import __version__
from libcell.cli.options import ABOUT_OUTPUTS, Common
from libcell.errors import UsageFault
from libcell.run.method import Method, OptionField, option_fields
from libcell.schema.versions import shown

Inputs = Annotated[
    list[str] | None,
    typer.Argument(metavar="INPUT...", help="paths, a glob in quotes, or - for standard input",
                   show_default=False),
]


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"{__version__}\n")
        raise typer.Exit


VERSION = typer.Option(False, "--version", is_eager=True, callback=_version,
                       help="print the version")


def build(room: str, method: Method) -> Any:
    """The subcommand of one method: its options first, then the common ones."""
    own = option_fields(method.options)
    common = option_fields(Common)

    def call(**values: Any) -> int:
        from libcell.cli.execute import execute

        given = _without_paths(own, values, values.pop("inputs") or [])
        shared = _asked_here(values["context"], method,
                             Common(**{f.name: values[f.name] for f in common}))
        options = method.options(**{f.name: _value(f, values[f.name]) for f in own})
        _require(own, values, shared)
        return execute(room, method, shared, options, given)

    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY,
                                    annotation=typer.Context),
                  inspect.Parameter("inputs", inspect.Parameter.KEYWORD_ONLY,
                                    annotation=Inputs, default=None)]
    parameters += [_parameter(f, f"CELL_{room}_{f.name}".upper()) for f in own]
    parameters += [_parameter(f, f"CELL_{f.name}".upper()) for f in common]
    parameters.append(_describe_flag(room, method))
    parameters.append(inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY,
                                        annotation=bool, default=VERSION))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    settings = {"help_option_names": ["-h", "--help"]}
    app.command(method.name, help=method.summary, epilog=_epilog(room, method),
                context_settings=settings)(call)
    return typer.main.get_command(app)


def _asked_here(context: typer.Context, method: Method, shared: Common) -> Common:
    """Without an output, what is set for all commands (CELL_FORCE=1) about outputs says nothing; on
    the command line it is a mistake, and stays."""
    if not method.optional or shared.output is not None:
        return shared
    elsewhere: dict[str, Any] = {
        n: False for n in ABOUT_OUTPUTS
        if getattr(context.get_parameter_source(n), "name", "") != "COMMANDLINE"}
    return replace(shared, **elsewhere)


def _parameter(field: OptionField, variable: str) -> inspect.Parameter:
    kind: Any = Literal[field.opt.choices] if field.opt.choices else field.kind
    required = field.required and field.name != "output"
    if field.many:
        kind = list[str]  # one piece may hold several, with commas: see _value
    if field.optional or required or field.many or field.required:
        kind = kind | None
    # one flag alone keeps typer from adding a --no- form to a plain switch
    option = typer.Option(*field.flags, help=_help(field, required), envvar=variable,
                          show_envvar=False, show_default=_shown(field),
                          metavar=_metavar(field),
                          min=None if field.many else field.opt.least,
                          max=None if field.many else field.opt.most)
    default = None if field.required else field.default
    if field.many:
        default = None if field.required else [str(v) for v in field.default]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY,
                             annotation=Annotated[kind, option], default=default)


def _metavar(field: OptionField) -> str | None:
    if field.opt.choices:
        return "|".join(field.opt.choices)
    if field.kind is bool:
        return None
    name = "PATH" if field.opt.path else {str: "TEXT", int: "N", float: "NUMBER"}[field.kind]
    return f"{name},..." if field.many else name


def _help(field: OptionField, required: bool) -> str:
    return field.opt.help + (" [required]" if required else "")


def _shown(field: OptionField) -> bool:
    unset = field.default is None or field.default is False or field.default == ()
    return not (field.required or unset)


def _value(field: OptionField, value: Any) -> Any:
    """What the options class is given; a repeatable option also takes commas."""
    if not field.many:
        return value
    pieces = [p.strip() for v in value or () for p in v.split(",") if p.strip()]
    try:
        return tuple(field.kind(p) for p in pieces)
    except ValueError as error:
        kind = {int: "whole numbers", float: "numbers"}[field.kind]
        raise UsageFault(f"{field.flags[-1]} {','.join(pieces)}: expected {kind}") from error


def _without_paths(own: list[OptionField], values: dict[str, Any], given: list[str]) -> list[str]:
    """The INPUTs, after options that were not given have taken the first or last of several."""
    for field in own:
        if values[field.name] is None and len(given) > 1:
            if field.opt.first:
                values[field.name], *given = given
            elif field.opt.last:
                *given, values[field.name] = given
    return given


def _require(own: list[OptionField], values: dict[str, Any], shared: Common) -> None:
    """Options without a default must be given, unless only the settings are asked for."""
    missing = [f.flags[-1] for f in own if f.required and values[f.name] in (None, [])]
    if missing and not shared.dump_config:
        by_place = any(f.opt.last for f in own if f.flags[-1] in missing)
        raise UsageFault(f"missing option {', '.join(missing)}"
                         + (", which the last of several INPUTs may stand for" if by_place else ""))


def _describe_flag(room: str, method: Method) -> inspect.Parameter:
    def show(wanted: bool) -> None:
        if wanted:
            from libcell.cli.describe import describe_method, write

            write(describe_method(room, method))
            raise typer.Exit

    option = typer.Option("--describe", is_eager=True, callback=show,
                          help="print parameters, inputs and outputs as JSON")
    return inspect.Parameter("describe", inspect.Parameter.KEYWORD_ONLY,
                             annotation=Annotated[bool, option], default=False)


def _epilog(room: str, method: Method) -> str:
    """Schema in and out, a worked example, the source. `\\b` keeps the lines as they are."""
    reads = ", ".join(shown(r) for r in method.reads)
    writes = " or ".join(f"{shown(name)} (x{suffix})" for name, suffix in method.outputs)
    only = " if -o is given" if method.optional else ""
    lines = [f"Reads {reads}; writes {writes}{only}."]
    if method.paper:
        lines += ["", f"Source: {method.paper}"]
    example = ["\b", "Example:", *(f"  {line}" for line in method.example.splitlines())]
    settings = f"Every option can be set as CELL_{room.upper()}_OPTION (common ones: CELL_OPTION)"
    return "\n\n".join(["\n".join(lines), "\n".join(example), settings + " or by --config."])
