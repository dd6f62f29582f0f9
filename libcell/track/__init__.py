"""cell-track: link cells through time. One file per subcommand; array code lives in the sub-packages."""
