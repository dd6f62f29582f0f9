"""Array code of cell-crop."""
