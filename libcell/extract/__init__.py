"""cell-extract: bring foreign data in. One file per subcommand; array code in the sub-packages."""
