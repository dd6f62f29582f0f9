"""Validate stores: root attributes against their model, then what the root says is there."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import zarr
import zarr.storage

from libcell.errors import DataError, reading, short
from libcell.schema import archives
from libcell.schema.check_table import check_parquet
from libcell.schema.stores import STORES
from libcell.schema.versions import require
from libcell.schema.violations import Violation, of_model

# tables that may lie in a crop store, beside its index, and whether they speak of its crops
BESIDE = {"bags": True, "sequences": True, "omissions": False}
AXES = ["t", "c", "z", "y", "x"]
ZARR = ("image", "labels", "crops", "explain")


def open_store(path: Path) -> zarr.Group:
    """A zarr root, zipped or not. Raises whatever zarr raises."""
    if path.suffix == ".zip":
        archives.require_moderate(path)
        return zarr.open_group(zarr.storage.ZipStore(path, mode="r"), mode="r")
    return zarr.open_group(str(path), mode="r")


def check_zarr(path: Path, *kinds: str) -> list[Violation]:
    """Every violation in one of our zarr stores."""
    try:
        root = open_store(path)
        attributes: dict[str, Any] = dict(root.attrs)
        name = require(attributes.get("schema"), *(kinds or ZARR), where="schema")
    except DataError as error:
        return [Violation(str(path), str(error))]
    except Exception as error:  # noqa: BLE001  zarr raises a dozen kinds for a broken store
        return [Violation(str(path), f"not a readable zarr store ({short(error)})")]
    found = of_model(STORES[name], attributes, f"{path}/zarr.json:attributes")
    if found:
        return found
    try:
        return _check_inside(path, root, name, attributes)
    except Exception as error:  # noqa: BLE001  zarr raises as many for broken arrays
        return [Violation(str(path), f"not a whole zarr store ({short(error)})")]


def _check_inside(
    path: Path, root: zarr.Group, name: str, attributes: dict[str, Any]
) -> list[Violation]:
    """Violations of what the root, which is valid, says is there."""
    if name == "crops":
        return _check_crops(path, root, attributes)
    if name == "explain":
        return _check_explain(path, root, attributes)
    check = _check_image if name == "image" else _check_labels
    return [v for group in attributes["groups"] for v in check(path, root, group, attributes)]


def _check_image(
    path: Path, root: zarr.Group, group: str, attributes: dict[str, Any]
) -> list[Violation]:
    return _check_pyramid(path, root, group)


def _check_labels(
    path: Path, root: zarr.Group, group: str, attributes: dict[str, Any]
) -> list[Violation]:
    found = []
    for compartment in attributes["compartments"]:
        place = f"{group}/labels/{compartment}".lstrip("/")
        found += _check_pyramid(path, root, place, np.dtype(np.uint32))
        node = _node(root, place)
        if node is not None and "image-label" not in _ome(node):
            found.append(Violation(f"{path}/{place}", "has no image-label metadata"))
    return found


def _node(root: zarr.Group, place: str) -> Any:
    try:
        return root[place] if place else root
    except KeyError:
        return None


def _ome(node: Any) -> dict[str, Any]:
    found = dict(node.attrs).get("ome")
    return found if isinstance(found, dict) else {}


def _check_pyramid(
    path: Path, root: zarr.Group, place: str, dtype: np.dtype | None = None
) -> list[Violation]:
    """Levels are there, have five axes of the right names, and halve in y and x."""
    here = f"{path}/{place}".rstrip("/")
    node = _node(root, place)
    if node is None:
        return [Violation(here, "is listed in `groups` but is not there")]
    try:
        scale = _ome(node)["multiscales"][0]
        names = [a["name"] for a in scale["axes"]]
        levels = [d["path"] for d in scale["datasets"]]
    except (KeyError, IndexError, TypeError):
        return [Violation(here, "has no valid multiscales metadata")]
    found = [] if names == AXES else [Violation(here, f"axes are {names}, expected {AXES}")]
    shape: tuple[int, ...] | None = None
    for level in levels:
        array = _node(node, level)
        if not isinstance(array, zarr.Array):
            found.append(Violation(f"{here}/{level}", "level is missing"))
            continue
        found += _check_level(f"{here}/{level}", array, shape, dtype)
        shape = array.shape
    return found


def _check_level(
    here: str, array: zarr.Array, above: tuple[int, ...] | None, dtype: np.dtype | None
) -> list[Violation]:
    found = []
    if array.ndim != len(AXES):
        return [Violation(here, f"has {array.ndim} axes, expected {len(AXES)}")]
    if dtype is not None and array.dtype != dtype:
        found.append(Violation(here, f"is {array.dtype}, expected {dtype}"))
    if above and array.shape != (*above[:3], (above[3] + 1) // 2, (above[4] + 1) // 2):
        found.append(Violation(here, f"is {array.shape}, expected half of {above} in y and x"))
    return found


def _check_crops(path: Path, root: zarr.Group, attributes: dict[str, Any]) -> list[Violation]:
    n, channels = attributes["n"], len(attributes["channels"])
    size = tuple(attributes["size_px"])
    wanted = {"crops": (n, channels, *size), "masks": (n, *size)}
    wanted |= {f"masks_{name}": (n, *size) for name in attributes.get("further_masks", ())}
    found = []
    for name, shape in wanted.items():
        array = _node(root, name)
        if not isinstance(array, zarr.Array):
            found.append(Violation(f"{path}/{name}", "array is missing"))
        elif array.shape != shape:
            found.append(Violation(f"{path}/{name}", f"is {array.shape}, expected {shape}"))
    if path.suffix == ".zip":
        return found
    index = path / "index.parquet"
    if not index.is_file():
        return [*found, Violation(str(index), "is missing")]
    found += check_parquet(index, "objects") + _check_rows(index, n)
    beside = {name: path / f"{name}.parquet" for name in BESIDE}
    return found + [
        v for name, table in beside.items() if table.is_file()
        for v in check_parquet(table, name) or (BESIDE[name] and _check_members(table, index)) or []
    ]


def _check_explain(path: Path, root: zarr.Group, attributes: dict[str, Any]) -> list[Violation]:
    shape = (attributes["n"], *attributes["size_px"])
    maps, found = _node(root, "maps"), []
    if not isinstance(maps, zarr.Array):
        found.append(Violation(f"{path}/maps", "array is missing"))
    elif maps.shape != shape or maps.dtype.kind != "f":
        found.append(Violation(f"{path}/maps", f"is {maps.dtype} {maps.shape}, expected floating "
                               f"point {shape}"))
    if path.suffix == ".zip":
        return found
    index = path / "index.parquet"
    if not index.is_file():
        return [*found, Violation(str(index), "is missing")]
    return found + check_parquet(index, "explanations") + _check_rows(index, attributes["n"])


def _check_rows(index: Path, n: int) -> list[Violation]:
    import pyarrow.parquet as pq

    rows = pq.ParquetFile(index).metadata.num_rows
    return [] if rows == n else [Violation(str(index), f"{rows} rows for {n} of the array")]


def _check_members(table: Path, index: Path) -> list[Violation]:
    """Every object of a bag or sequence is a crop of the store."""
    import pyarrow.parquet as pq

    if "object_id" not in pq.read_schema(index).names:
        return []  # said of the index itself
    crops = set(pq.read_table(index, columns=["object_id"]).column(0).to_pylist())
    listed = pq.read_table(table, columns=["object_id"]).column(0).to_pylist()
    lost = [i for i in dict.fromkeys(listed) if i is not None and i not in crops]
    if not lost:
        return []
    return [Violation(f"{table}:object_id", f"{len(lost)} objects are not in index.parquet, e.g. "
                      f"{lost[0]}")]


def check_folder(path: Path, card: str, name: str) -> list[Violation]:
    """A model or track store: its card, and the files it must hold."""
    try:
        with reading(path / card):
            attributes = json.loads((path / card).read_text())
            attributes = attributes.get("attributes", attributes)
    except DataError as error:
        return [Violation(str(path / card), str(error))]
    found = of_model(STORES[name], attributes, str(path / card))
    if name == "model" and not any((path / f).exists() for f in
                                   ("model.safetensors", "model.txt", "fold-0")):
        found.append(Violation(str(path), "holds no model.safetensors (or model.txt)"))
    if name == "tracks":
        table = path / "tracks.parquet"
        if not table.is_file():
            return [*found, Violation(str(table), "is missing")]
        found += check_parquet(table, "links")
    return found
