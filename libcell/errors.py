"""Errors that a user can act on: one line each, with a stable exit code.

Every error has two parents, ours and the builtin that fits, so that callers of the library
may catch either.
"""

import contextlib
import errno
import re
from collections.abc import Iterator

# what the system says when nothing more can be written
FULL = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "no space left in the disk quota",
    errno.EFBIG: "a file would be too large (see ulimit -f)",
}
NUMBERED = re.compile(r"\(os error (\d+)\)")  # libraries in Rust put the system's number into text
CUT_SHORT = re.compile(r"\d+ requested and \d+ written$")  # numpy leaves it out


def full(error: BaseException) -> str | None:
    """What is full, if that is what an error says, in whatever words; else None."""
    number = error.errno if isinstance(error, OSError) else None
    numbered = NUMBERED.search(str(error)) if number is None else None
    if numbered:
        number = int(numbered[1])
    elif number is None and isinstance(error, OSError) and CUT_SHORT.match(str(error)):
        number = errno.ENOSPC
    return FULL.get(number) if number is not None else None


class CellError(Exception):
    """Base of all expected failures; `exit_code` is what the commands return."""

    exit_code = 1


class UsageFault(CellError, ValueError):
    """The options do not make sense together (exit 2)."""

    exit_code = 2


class DataError(CellError, ValueError):
    """The input is not what it claims: schema, corruption, axes, missing channel (exit 65)."""

    exit_code = 65


class MissingInput(CellError, FileNotFoundError):
    """The input is not there (exit 66)."""

    exit_code = 66


class Unavailable(CellError, RuntimeError):
    """Something needed is missing: a device, an optional extra, weights (exit 69)."""

    exit_code = 69


class OutputExists(CellError, FileExistsError):
    """The output exists already, is being written, or cannot be created there (exit 73)."""

    exit_code = 73


class PartlyDone(CellError, RuntimeError):
    """Some blocks are finished and kept; `--resume` continues (exit 75)."""

    exit_code = 75


LONGEST = 200  # characters of another library's message


@contextlib.contextmanager
def reading(where: object, what: str = "cannot be read") -> Iterator[None]:
    """While input is taken apart: what a library raises over it becomes DataError in one line.

    Errors of ours pass, and those that say nothing about the input: no permission, no room.
    """
    try:
        yield
    except (CellError, PermissionError, MemoryError):
        raise
    except Exception as error:
        if full(error):
            raise
        raise DataError(f"{where}: {what} ({short(error)})") from error


def short(error: BaseException) -> str:
    """The first line of a message, with the kind of error where the message alone says little."""
    lines = str(error).splitlines()
    kind = type(error).__name__
    if not lines or not lines[0].strip():
        return kind
    bare = isinstance(error, (LookupError, TypeError, AttributeError, AssertionError))
    return f"{kind}: {lines[0]}"[:LONGEST] if bare else lines[0][:LONGEST]
