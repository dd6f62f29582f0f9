"""What a user reads where something failed that is not an error of ours by name."""

import sys
import traceback

from libcell.errors import CellError, PartlyDone, full


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
    if isinstance(error, MemoryError):
        return "not enough memory; use fewer workers (-j)", 69
    name = type(error).__name__
    return f"internal error: {name}: {error} (-v shows where; please report it)", 1
