"""Comparisons with other software, and the figures that `make bench` prints."""
