"""`python -m libcell.schema validate PATH...` and `export FOLDER`."""

import argparse
import sys
from pathlib import Path


def main(args: list[str] | None = None) -> int:
    """Returns 0 if every path conforms, 65 if one does not, 66 if one is not there."""
    parser = argparse.ArgumentParser(prog="python -m libcell.schema", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("validate", help="name every violation, with its place")
    one.add_argument("paths", nargs="+", type=Path)
    two = verbs.add_parser("export", help="write the JSON Schemas into a folder")
    two.add_argument("folder", type=Path)
    given = parser.parse_args(args)
    if given.verb == "export":
        from libcell.schema.export import write

        print(f"{len(write(given.folder))} schemas in {given.folder}")
        return 0
    return _validate(given.paths)


def _validate(paths: list[Path]) -> int:
    from libcell.schema.validate import validate

    code = 0
    for path in paths:
        found = validate(path)
        for violation in found:
            print(violation)
        if not found:
            print(f"{path}: valid")
        else:
            code = max(code, 65 if path.exists() else 66)
    return code


if __name__ == "__main__":
    sys.exit(main())
