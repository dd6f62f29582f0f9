"""cell-feat: per-cell measurements. One file per subcommand."""
