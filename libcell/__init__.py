"""libcell: microscope pixels to explained answers about cells."""

try:
    from libcell._version import __version__
except ImportError:  # a bare checkout that nobody installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
