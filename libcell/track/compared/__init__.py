"""Two trackings side by side: which objects are the same, and the figures as a table."""
