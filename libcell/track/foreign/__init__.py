"""Tracks as other programs write them."""
