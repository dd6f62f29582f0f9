"""cell-extract: bring foreign data in. One file per subcommand."""
