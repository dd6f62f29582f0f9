"""One subcommand as a task of Fractal's: arguments from a JSON file, what was made into another.

Fractal runs `python TASK.py --args-json IN --out-json OUT`; those scripts and their manifest are
made by `python -m libcell.cli.descriptors fractal FOLDER`.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from libcell.cli.app import run
from libcell.cli.describe import describe_method
from libcell.cli.descriptors import flag, parameters
from libcell.errors import CellError, DataError, MissingInput, OutputExists, UsageFault
from libcell.run import registry
from libcell.schema.versions import FILES

OWN = ("zarr_dir", "zarr_urls", "inputs", "output_name", "overwrite")
ROOTS = ("zarr.json", ".zgroup")  # a folder with one of these is a group of a zarr store


def main(command: str) -> NoReturn:
    """Carry out `cell-ROOM METHOD` as the process's arguments say, and exit with its code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--args-json", type=Path, required=True)
    parser.add_argument("--out-json", type=Path, required=True)
    given = parser.parse_args()
    try:
        code = task(command, _arguments(given.args_json), given.out_json)
    except CellError as error:
        sys.stderr.write(f"{command} (Fractal): {' '.join(str(error).split())}\n")
        code = error.exit_code
    sys.exit(code)


def task(command: str, arguments: dict[str, Any], out: Path) -> int:
    """Run a subcommand on a dataset and write to `out` what Fractal should add to it.

    `arguments` are those of the manifest: Fractal's own (`zarr_dir`, `zarr_urls`), `inputs`,
    `output_name`, `overwrite`, and the subcommand's options by name. Returns the exit code.
    UsageFault for arguments that the manifest does not have; OutputExists if `out` is there.
    """
    if out.exists():
        raise OutputExists(f"{out}: exists already")
    room, name = command.removeprefix("cell-").split()
    loaded = registry.load(room, name)
    method = describe_method(room, loaded)
    _require_known(method, arguments)
    folder = Path(arguments["zarr_dir"])
    output = folder / arguments.get("output_name", f"{name}{loaded.suffix}")
    code = run(room, "", [name, *_inputs(method, arguments), "--output", str(output),
                          *_settings(method, arguments)])
    if code == 0:
        updates = list(_updates(output, loaded.kind(str(output))))
        out.write_text(json.dumps({"image_list_updates": updates}, indent=2))
    return code


def _arguments(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise MissingInput(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path}: is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds no JSON object of arguments")
    return found


def _require_known(method: dict[str, Any], arguments: dict[str, Any]) -> None:
    known = {*OWN, *(p["name"] for p in parameters(method))}
    if unknown := sorted(arguments.keys() - known):
        raise UsageFault(f"no argument {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    if "zarr_dir" not in arguments:
        raise UsageFault("zarr_dir is missing")


def _inputs(method: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    """Paths that are named, else the dataset's stores of a kind that the method reads.

    Where there is none of its kind all stores are taken: an image may hold labels, and if not,
    the command says what it misses.
    """
    folder = Path(arguments["zarr_dir"])
    if named := arguments.get("inputs"):
        return [str(folder / path) for path in named]
    stores = list(dict.fromkeys(_root(Path(url)) for url in arguments.get("zarr_urls", ())))
    kinds = {k.partition("/")[0] for k in method["inputs"]}
    fitting = [store for store in stores if _kind(store) in kinds]
    return [str(store) for store in fitting or stores]


def _root(url: Path) -> Path:
    """The store that an image lies in: its plate."""
    while any((url.parent / name).is_file() for name in ROOTS):
        url = url.parent
    return url


def _kind(store: Path) -> str:
    """Schema name of one of our outputs; anything else is taken for an image."""
    from libcell.data.summary import record_of

    try:
        return str(record_of(store)["schema"]).partition("/")[0]
    except DataError:
        return "image"


def _settings(method: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    """Options of the command line. A task that runs again goes on where it was."""
    words = ["--resume"]
    if arguments.get("overwrite"):
        words.append("--force")
    if cores := os.environ.get("SLURM_CPUS_PER_TASK"):
        words += ["--workers", cores]
    for p in parameters(method):
        value = arguments.get(p["name"])
        if value is None or value == []:
            continue
        if p["type"] == "boolean":
            words += [flag(p, value)] if value != p["default"] else []
            continue
        values = value if p["many"] else [value]
        if p["type"] == "path":
            values = [Path(arguments["zarr_dir"]) / v for v in values]
        words.append(f"{flag(p)}={','.join(map(str, values))}")
    return words


def _updates(output: Path, kind: str | None) -> Iterator[dict[str, Any]]:
    """The entries of the dataset that a finished output makes: one per field of view of an image
    store, else the output as a whole under its kind. Foreign files are none."""
    if kind not in ("image", FILES):
        yield {"zarr_url": str(output), "types": {kind: True}}
    if kind != "image":
        return
    from libcell.data import open as opening

    for group in opening.groups(output):
        row, column, *_ = [*group.split("/"), "", ""]
        well = {"plate": output.name, "well": f"{row}{column}"} if column else {}
        yield {"zarr_url": f"{output}/{group}".rstrip("/"), "attributes": well}
