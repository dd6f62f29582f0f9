"""Loops over pixels as machine code: numba, with what all of them share.

Compiled code is cached beside the module, or in numba's own folder (`NUMBA_CACHE_DIR`) where that
cannot be written, and compiled anew in each process where neither can be. Loops let go of
Python's lock, so threads run side by side, and keep the order of floating-point operations, so
that results do not depend on the machine's vector width.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of arrays and numbers on its first call with each set of types."""
    how: dict[str, Any] = {"nogil": True, "fastmath": False, "error_model": "numpy"}
    made: Any
    try:
        made = numba.njit(cache=True, **how)(function)
    except RuntimeError:  # numba found no folder that it may write its cache to
        made = numba.njit(**how)(function)
    return made
