"""cell-extract: bring foreign data in. One file per subcommand; array code lives in the sub-packages."""
