"""Models on disk: tensors in safetensors, a card in JSON. Nothing that could run code."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from libcell.data.output import write_file
from libcell.data.weights import unpickled
from libcell.errors import DataError, MissingInput, reading
from libcell.schema import versions
from libcell.schema.stores import Model
from libcell.schema.violations import of_model

WEIGHTS = "model.safetensors"
CARD = "model.json"


def save(root: Path, tensors: dict[str, np.ndarray] | None, card: Mapping[str, Any]) -> None:
    """Write a model's tensors, if it has any, and, last, its card; `card` must be a valid one."""
    full = {"schema": versions.tag("model")} | dict(card)
    Model.model_validate(full)
    if tensors is not None:
        save_tensors(root, WEIGHTS, tensors)
    text = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False)
    write_file(root / CARD, f"{text}\n".encode())  # a card that is there means a whole model


class Card(dict[str, Any]):
    """Part of a card; asked for what it does not say, it says which card that is."""

    def __init__(self, where: str, content: Mapping[str, Any]):
        super().__init__(content)
        self._where = where

    def __missing__(self, key: str) -> Any:
        raise DataError(f"{self._where}: its card says nothing of {key!r}")

    def __reduce__(self) -> Any:
        return Card, (self._where, dict(self))


def load_card(path: Path) -> dict[str, Any]:
    """A model's card. MissingInput or DataError in one line, also for parts it turns out to lack.
    """
    file = path / CARD
    if not path.exists():
        raise MissingInput(f"{path}: not found")
    if not file.is_file():
        raise DataError(f"{path}: not a model (it has no {CARD})")
    with reading(file, "not a readable model card"):
        card = json.loads(file.read_text(), object_hook=lambda v: Card(str(path), v))
        versions.require(card.get("schema"), "model", where=str(path))
        wrong = of_model(Model, card, "")
    if wrong:
        raise DataError(f"{file}: not a valid model card: {wrong[0].place.lstrip(':')}: "
                        f"{wrong[0].fault}")
    found: dict[str, Any] = card
    return found


def require_columns(card: Mapping[str, Any], names: Iterable[str], path: Path) -> None:
    """DataError if the columns `names` of a table are not all that the model at `path` needs."""
    there = set(names)
    absent = [c for c in card["input"]["columns"] or () if c not in there]
    if absent:
        raise DataError(f"{path}: needs {len(absent)} columns that the table lacks, "
                        f"e.g. {', '.join(absent[:3])}")


def load_foreign(path: Path) -> dict[str, Any]:
    """Weights of a network trained elsewhere, as torch tensors by name.

    A `.model` of ours, a safetensors file, or a checkpoint of torch's, of which nothing is run:
    one that holds more than tensors and plain values is refused. MissingInput or DataError.
    """
    import torch

    if not path.exists():
        raise MissingInput(f"{path}: not found")
    if path.is_dir() or path.suffix == ".safetensors":
        found = load_tensors(path) if path.is_dir() else _load_file(path)
        return {k: torch.from_numpy(v) for k, v in found.items()}
    content = unpickled(path, False, "here; save its weights alone, as safetensors")
    for key in ("state_dict", "model", "teacher", "student"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no weights by name")
    return {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}


def save_tensors(root: Path, name: str, tensors: dict[str, np.ndarray]) -> None:
    """Write further tensors of a model to a file of their own, before its card."""
    root.mkdir(parents=True, exist_ok=True)
    # save_file would keep the file from all users but this one, whatever the umask says
    (root / name).write_bytes(safetensors.numpy.save(dict(sorted(tensors.items()))))


def load_tensors(path: Path, name: str = WEIGHTS) -> dict[str, np.ndarray]:
    """A model's tensors; DataError if the file is damaged."""
    file = path / name
    if not file.is_file():
        raise DataError(f"{path}: holds no {name}")
    return _load_file(file)


def require_whole(path: Path) -> None:
    """DataError if a file of tensors of the model, or of a member of it, was cut or garbled;
    reads the files' heads alone."""
    for file in sorted(path.rglob("*.safetensors")):
        with (reading(file, "damaged; train again, or copy the model again"),
              safetensors.safe_open(file, framework="np")):
            pass


def _load_file(file: Path) -> dict[str, np.ndarray]:
    with reading(file, "not readable"):
        return dict(safetensors.numpy.load_file(file))
