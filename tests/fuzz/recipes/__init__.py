"""Inputs that someone made on purpose: code that makes them, no files."""
