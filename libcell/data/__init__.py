"""The stores and tables on disk, and readers of foreign formats: where paths live."""
