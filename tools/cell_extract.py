"""cell-extract: bring foreign data in: microscope files, annotations, masks, tracks."""

from typing import NoReturn

from libcell.cli.app import run_command


def main() -> NoReturn:
    """Entry point of the command."""
    run_command("extract", (__doc__ or "").partition(": ")[2])


if __name__ == "__main__":
    main()
