"""cell-track: link cells through time. One file per subcommand; array code in the sub-packages."""
