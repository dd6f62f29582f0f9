"""What a user reads where something failed that is not an error of ours by name."""

import errno
import sys
import traceback

from libcell.errors import CellError, PartlyDone, full

# what the system says of paths that lead to nothing that could be read
NO_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)


def unexpected(error: Exception, verbose: bool) -> tuple[str, int]:
    """One line and an exit code for an error that is not ours by name."""
    if verbose:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, CellError):
        return str(error), error.exit_code
    if said := full(error):
        return f"{said}; make room, then use --resume", PartlyDone.exit_code
    if isinstance(error, PermissionError):
        return f"{error.filename}: permission denied", 66
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: not found", 66
    if isinstance(error, OSError) and error.filename and error.errno in NO_PATH:
        return f"{str(error.filename)[:200]}: {error.strerror}", 66
    if isinstance(error, MemoryError):
        return "not enough memory; use fewer workers (-j)", 69
    name = type(error).__name__
    return f"internal error: {name}: {error} (-v shows where; please report it)", 1
