"""cell-feat: per-cell measurements. One file per subcommand; array code in the sub-packages."""
