"""Array kernels of cell-segment: pixels in, labels out; no paths, no printing."""
