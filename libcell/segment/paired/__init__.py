"""Nuclei, cells and cytoplasm of one field of view under the same numbers."""
