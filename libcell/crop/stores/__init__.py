"""Paths and stores of cell-crop: what is cut from where, and how the crop store is filled."""
