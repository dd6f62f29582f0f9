"""cell-feat: per-cell measurements. One file per subcommand; array code lives in the sub-packages."""
