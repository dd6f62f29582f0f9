"""Pictures: arrays and tables in, bytes or text out."""
