"""Graphs of other programs: what their nodes and edges say, and the table that they make."""
