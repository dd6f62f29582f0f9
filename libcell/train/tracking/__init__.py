"""What `cell-train tracker` learns from: movies, annotated tracks, pairs of frames cut out."""
