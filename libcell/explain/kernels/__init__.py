"""Array code of cell-explain."""
