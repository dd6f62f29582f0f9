"""cell-crop: labels to per-cell patches. One file per subcommand."""
