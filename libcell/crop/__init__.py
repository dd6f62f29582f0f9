"""cell-crop: labels to per-cell patches. One file per subcommand; array code lives in the sub-packages."""
