"""torch is an extra: its absence is said in one line before any work."""

import importlib.util

from libcell.errors import Unavailable

EXTRA = "train"


def require(command: str, *modules: str) -> None:
    """Unavailable unless torch and further `modules` of the extra can be imported."""
    missing = [m for m in ("torch", *modules) if importlib.util.find_spec(m) is None]
    if missing:
        raise Unavailable(
            f"{command} needs {' and '.join(missing)} (pip install 'libcell[{EXTRA}]')")
