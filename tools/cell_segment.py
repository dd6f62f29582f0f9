"""cell-segment: pixels to instance labels, whole cells and nuclei."""

from typing import NoReturn

from libcell.cli.app import run_command


def main() -> NoReturn:
    """Entry point of the command."""
    run_command("segment", (__doc__ or "").partition(": ")[2])


if __name__ == "__main__":
    main()
