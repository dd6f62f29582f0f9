"""Checkpoints: tensors in safetensors, the rest in JSON, never a pickle.

Each is two files: `step-000000120.safetensors`, then, once that is whole, `.json` with its
digest. A kill in between leaves no checkpoint, and one whose bytes have changed is known as such.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and plain values."""

    tensors: dict[str, torch.Tensor]
    values: dict[str, Any]


def save(folder: Path, step: int, checkpoint: Checkpoint) -> None:
    """Write the checkpoint of `step` and drop all but the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step-{step:09d}"
    weights = folder / f"{name}.safetensors"
    _replace(weights, lambda path: save_file(_plain(checkpoint.tensors), path))
    text = json.dumps({"sha256": _digest(weights), "values": checkpoint.values})
    _replace(folder / f"{name}.json", lambda path: path.write_text(text))
    for old in _names(folder)[:-KEPT]:
        (folder / f"{old}.json").unlink()
        (folder / f"{old}.safetensors").unlink(missing_ok=True)


def latest(folder: Path, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint; None if there is none. A damaged one is said and passed over."""
    for name in reversed(_names(folder)):
        try:
            return _load(folder, name)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            warn(f"{folder / name}.safetensors: the checkpoint is damaged ({error}); "
                 "going back to the one before")
    return None


def _load(folder: Path, name: str) -> Checkpoint:
    content = json.loads((folder / f"{name}.json").read_text())
    weights = folder / f"{name}.safetensors"
    if _digest(weights) != content["sha256"]:
        raise ValueError("its bytes are not those that were written")
    return Checkpoint(load_file(weights), content["values"])


def _names(folder: Path) -> list[str]:
    return sorted(f.stem for f in folder.glob("step-*.json"))


def _plain(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As safetensors wants them: on the CPU, contiguous, each with memory of its own."""
    return {k: v.detach().cpu().contiguous().clone() for k, v in sorted(tensors.items())}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _replace(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    write(temporary)
    temporary.replace(path)
