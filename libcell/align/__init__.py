"""cell-align: register imaging rounds and drifting time series. One file per subcommand."""
