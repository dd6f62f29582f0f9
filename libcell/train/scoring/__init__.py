"""What `cell-train score` writes: the table of figures, and a page of pictures."""
