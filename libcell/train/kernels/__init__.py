"""Array kernels of cell-train: features and labels in, models and scores out; no paths."""
