"""Code in every place where a library might unpickle it."""

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from .places import chunks_old, edit, first


class Code:
    """Unpickling it makes a folder that the sandbox looks for."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("MARK",)




def pickle_bare(tree: Path) -> None:
    first(tree).write_bytes(pickle.dumps({"a": Code()}))


def pickle_of_torch(tree: Path) -> None:
    import torch

    torch.save({"a": Code()}, first(tree))


def pickle_of_torch_old(tree: Path) -> None:
    import torch

    torch.save({"a": Code()}, first(tree), _use_new_zipfile_serialization=False)


def pickle_of_joblib(tree: Path) -> None:
    import joblib

    joblib.dump({"a": Code()}, first(tree))


def pickle_of_numpy(tree: Path) -> None:
    sink = io.BytesIO()
    np.save(sink, np.array([Code()], object), allow_pickle=True)
    first(tree).write_bytes(sink.getvalue())


def pickle_in_model_folder(tree: Path) -> None:
    """Under every name that a program might look for."""
    folder = next(p for p in tree.iterdir() if p.is_dir() and p.name != "keep")
    for name in ("model.safetensors", "model.pkl", "model.joblib", "model.txt", "model.pt",
                 "calibration.safetensors"):
        if name.endswith((".pkl", ".joblib", ".pt")) or (folder / name).exists():
            (folder / name).write_bytes(pickle.dumps(Code()))


def pickle_in_old_zarr(tree: Path) -> None:
    """A filter of numcodecs that unpickles what a chunk holds."""
    path = sorted(tree.rglob(".zarray"))[0]
    edit(path, lambda v: v | {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}],
                               "fill_value": 0})
    about = json.loads(path.read_text())
    import numcodecs

    packed = pickle.dumps([Code()])
    if about["compressor"]:
        packed = numcodecs.get_codec(about["compressor"]).encode(packed)
    for chunk in chunks_old(path):
        chunk.write_bytes(packed)


def pickle_as_old_compressor(tree: Path) -> None:
    path = sorted(tree.rglob(".zarray"))[0]
    edit(path, lambda v: v | {"compressor": {"id": "pickle", "protocol": 5}})
    for chunk in chunks_old(path):
        chunk.write_bytes(pickle.dumps(Code()))


def pickle_as_arrow_type(tree: Path) -> None:
    """An extension type of pyarrow's that old versions unpickled."""
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet as pq

    path = next(p for p in tree.rglob("*") if p.is_file())
    table = pq.read_table(io.BytesIO(path.read_bytes()))
    name = table.column_names[-1]
    told = {"ARROW:extension:name": "arrow.py_extension_type",
            "ARROW:extension:metadata": pickle.dumps(Code())}
    at = len(table.schema) - 1
    schema = table.schema.set(at, pa.field(name, table.schema.field(at).type, metadata=told))
    table = table.cast(schema)
    if path.name == "stdin":
        with pyarrow.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, path)


def yaml_of_objects(tree: Path) -> None:
    for path in tree.rglob("*.yaml"):
        path.write_text("a: !!python/object/apply:os.mkdir [MARK]\n")


def yaml_that_unfolds(tree: Path) -> None:
    """References to references: ten to the ninth items."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    for path in tree.rglob("*.yaml"):
        path.write_text("\n".join(rows) + "\n")
