"""A command: its subcommands from the registry, its errors in one line, its exit code."""

import contextlib
import json
import os
import signal
import sys
from typing import Any, NoReturn

import typer
import typer.core
import typer.main
from typer.exceptions import TyperException

from libcell.cli import faults, subcommand
from libcell.cli.config import default_map
from libcell.data import remote
from libcell.errors import CellError, UsageFault
from libcell.run import registry

CLOSED_PIPE = 141
INTERRUPTED = 130
PATIENCE_S = 5.0


class _Methods(typer.core.TyperGroup):
    """The methods of a room as subcommands, each imported when it is asked for."""

    room = ""

    def list_commands(self, ctx: Any) -> list[str]:
        return registry.names(self.room)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Name and summary of each method; none is imported for that."""
        rows = [(n, registry.summary(self.room, n)) for n in registry.names(self.room)]
        with formatter.section("Methods"):
            formatter.write_dl(rows)

    def get_params(self, ctx: Any) -> Any:
        """Flags with a default: typer reads one without through pydantic, and importing that
        would double the time of `METHOD --help`."""
        params = super().get_params(ctx)
        for flag in params:
            flag.default = flag.default or False
        return params

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in registry.names(self.room) and cmd_name.startswith("-"):
            return None  # an option that there is not; typer says so
        return subcommand.build(self.room, registry.load(self.room, cmd_name))


def build(room: str, about: str) -> Any:
    """The command line of one room. `about` is its help text."""
    group = type("Methods", (_Methods,), {"room": room})
    app = typer.Typer(
        cls=group,
        help=about,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        subcommand_metavar="METHOD INPUT... -o OUTPUT [OPTIONS]",
    )

    @app.callback()
    def root(
        version: bool = subcommand.VERSION,
        describe: bool = typer.Option(
            False, "--describe", is_eager=True, callback=lambda value: _describe(value, room),
            help="print all parameters, inputs and outputs as JSON",
        ),
    ) -> None:
        pass

    return typer.main.get_command(app)


def _describe(wanted: bool, room: str) -> None:
    if wanted:
        from libcell.cli.describe import describe_room, write

        write(describe_room(room))
        raise typer.Exit


def run_command(room: str, about: str) -> NoReturn:
    """Run `cell-ROOM` with the process's arguments, and exit with its code."""
    name = f"cell-{room}"
    signal.signal(signal.SIGINT, _interrupt)
    hush_libraries()
    code = run(room, about, sys.argv[1:])
    if code in (CLOSED_PIPE, INTERRUPTED):
        _leave_at_once(code)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_at_once(CLOSED_PIPE)
    except OSError as error:
        sys.stderr.write(f"{name}: standard output: {error.strerror}\n")
        _leave_at_once(75)
    sys.exit(code)


def hush_libraries() -> None:
    """What libraries log and warn of is for those who call them: what stops us they raise."""
    import logging
    import warnings

    if logging.lastResort:  # prints what nobody else handles
        logging.lastResort.setLevel(logging.CRITICAL + 1)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _interrupt(number: int, frame: Any) -> NoReturn:
    """Ctrl-C: KeyboardInterrupt as ever; and the end for sure, should a destructor or a callback
    of a library swallow it (Python ignores exceptions there)."""
    import threading

    last = threading.Timer(PATIENCE_S, os._exit, (INTERRUPTED,))
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


def run(room: str, about: str, args: list[str]) -> int:
    """The command as a function: does what `args` say and returns the exit code."""
    name = f"cell-{room}"
    try:
        command = build(room, about)
        if not args and f"_CELL_{room.upper()}_COMPLETE" not in os.environ:
            with contextlib.redirect_stdout(sys.stderr):
                command(["--help"], prog_name=name, standalone_mode=False)
            return UsageFault.exit_code
        defaults = default_map(room, args)
        result = command(args, prog_name=name, standalone_mode=False, default_map=defaults)
        return result if isinstance(result, int) else 0
    except TyperException as error:
        whole = _whole_name(room, args)
        text = f"{error.format_message()} (see {whole} --help)"
        return _say(whole, text, error.exit_code, args)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return CLOSED_PIPE
    except SystemExit as end:  # of typer: 0 after shell completion, 1 on a broken pipe
        return CLOSED_PIPE if end.code else 0
    except CellError as error:
        return _say(name, str(error), error.exit_code, args)
    except Exception as error:  # noqa: BLE001  the user sees one line, never a traceback
        text, code = faults.unexpected(error, "-v" in args or "--verbose" in args)
        return _say(name, text, code, args)
    finally:
        remote.forget()


def _whole_name(room: str, args: list[str]) -> str:
    """`cell-segment threshold` where a method was named."""
    named = [a for a in args[:1] if a in registry.names(room)]
    return " ".join([f"cell-{room}", *named])


def _say(name: str, text: str, code: int, args: list[str]) -> int:
    """The line that ends a command; also before any option was read, hence the look at `args`."""
    line = remote.told(" ".join(text.split()))
    if "--log-json" in args:
        entry = {"level": "error", "command": name, "message": line, "code": code}
        line = json.dumps(entry, ensure_ascii=False)
    else:
        line = f"{name}: {line}"
    sys.stderr.write(f"{line}\n")
    return code


def _leave_at_once(code: int) -> NoReturn:
    """Exit without waiting for worker threads or flushing into a closed pipe."""
    sys.stderr.flush()
    os._exit(code)


__all__ = ["UsageFault", "build", "run", "run_command"]
