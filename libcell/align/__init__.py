"""cell-align: register imaging rounds and drifting time series. One file per subcommand; array code in the sub-packages."""
