"""The stores and tables on disk, and readers of foreign formats. Paths live here and nowhere above."""
