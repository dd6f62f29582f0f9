"""torch is an extra: its absence is said in one line before any work."""

from importlib.util import find_spec

from libcell.errors import Unavailable


def require(command: str) -> None:
    """Unavailable unless what networks need can be imported."""
    missing = [m for m in ("torch", "timm", "torchvision") if find_spec(m) is None]
    if missing:
        raise Unavailable(f"{command} needs {' and '.join(missing)} "
                          "(pip install 'libcell[train]')")
