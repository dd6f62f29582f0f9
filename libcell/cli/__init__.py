"""What all commands share: options, streams, records, errors and exit codes."""
