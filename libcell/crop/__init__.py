"""cell-crop: labels to per-cell patches. One file per subcommand; array code in the sub-packages."""
