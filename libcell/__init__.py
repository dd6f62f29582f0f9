"""libcell: microscope pixels to explained answers about cells."""

__version__ = "0.1.0"
