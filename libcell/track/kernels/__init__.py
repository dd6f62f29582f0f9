"""Array kernels of cell-track: label frames in, links and tracks out; no paths, no printing."""
