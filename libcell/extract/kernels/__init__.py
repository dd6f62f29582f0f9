"""Array and name code of cell-extract; no paths are opened here."""
