"""cell-track: link cells through time. One file per subcommand."""
