"""Stages of tracked cells: what is learnt from a crop store's sequences, and how it is judged."""
