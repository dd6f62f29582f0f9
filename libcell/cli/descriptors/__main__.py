"""`python -m libcell.cli.descriptors SYSTEM FOLDER`: descriptors of all subcommands."""

import argparse
from pathlib import Path

from libcell.cli import descriptors


def main() -> None:
    """Write the files of one workflow system."""
    parser = argparse.ArgumentParser(prog="python -m libcell.cli.descriptors", description=__doc__)
    parser.add_argument("system", choices=descriptors.systems())
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    descriptors.write(given.system, given.folder)


if __name__ == "__main__":
    main()
