"""All recipes of `examples/`, run with their defaults, and what each must reach: `make examples`.

    python -m tests.recipes --data shared/data --output .examples [NAME...]

prints a table with a line per figure and leaves with 1 if a line falls short. A recipe is one entry
in `known.py`.
"""
