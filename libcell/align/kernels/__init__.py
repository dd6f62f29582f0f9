"""Array kernels of cell-align: pixels in, shifts and pixels out; no paths, no printing."""
