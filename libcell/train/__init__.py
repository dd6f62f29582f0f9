"""cell-train: train, predict, evaluate. One file per subcommand; array code lives in the sub-packages."""
