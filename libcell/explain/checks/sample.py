"""The crops that several explanations are compared on, and what each of them says of those."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from libcell.data import crops as stores
from libcell.data import digests, explanations
from libcell.data.crop_reader import CropReader
from libcell.data.explanations import Explanations
from libcell.errors import DataError
from libcell.explain.asking import crops
from libcell.nn import pixels

Key = tuple[int, str]  # crop and explained class


@dataclass(frozen=True)
class Sample:
    """n crops, each with the class that is explained: `crop` (n,) rows of the store, `classes` (n,)
    int64 of the model's; `maps` (n,H,W) float32 by explanation, and `masks` (n,H,W) bool by
    compartment, in the store's pixels; `seen` (H,W) those that the network was shown."""

    crop: np.ndarray
    classes: np.ndarray
    maps: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    seen: np.ndarray


def opened(paths: list[Path], model: Path, store: Path) -> dict[str, Explanations]:
    """Explanations by a short name; DataError if one is of another model or of other crops."""
    stores.open_crops(store)  # an error if they are gone
    made: dict[str, Explanations] = {}
    wanted = {"model": (digests.of_path(model), model), "input": (digests.of_path(store), store)}
    for path in paths:
        found = explanations.open_explanations(path)
        for mark in found.about["provenance"]["inputs"]:
            digest, named = wanted.get(mark["role"], (mark["digest"], None))
            if digest != mark["digest"]:
                what = "another model" if mark["role"] == "model" else "other crops"
                raise DataError(f"{path}: explains {what} than {named}; explain it anew with "
                                "cell-explain cam")
        name = found.about["method"]
        made[name if name not in made else f"{name} ({path.name})"] = found
    return made


def draw(found: dict[str, Explanations], card: dict[str, Any], store: Path, most: int,
         seed: int) -> Sample:
    """Up to `most` crops that every explanation speaks of, for the same class; evenly of classes.

    DataError if there is none.
    """
    rows = {name: _rows(one.index()) for name, one in found.items()}
    shared = set.intersection(*(set(r) for r in rows.values()))
    if not shared:
        raise DataError("the explanations have no crop and class in common; make them with the "
                        "same --target and --split")
    keys = _even(sorted(shared), most, seed)
    maps = {name: _maps(one, [rows[name][k] for k in keys]) for name, one in found.items()}
    crop = np.array([k[0] for k in keys])
    classes = np.array([card["classes"].index(k[1]) for k in keys], np.int64)
    return Sample(crop, classes, maps, _masks(store, crop), _seen(store, card["input"]))


def _rows(index: pa.Table) -> dict[Key, list[tuple[int, float]]]:
    """Per crop and class the maps that make it up, one or one per channel, with their peaks."""
    made: dict[Key, list[tuple[int, float]]] = {}
    columns = (index.column(c).to_pylist() for c in ("crop", "explained", "peak"))
    for row, (crop, explained, peak) in enumerate(zip(*columns)):
        made.setdefault((crop, explained), []).append((row, peak))
    return made


def _even(keys: list[Key], most: int, seed: int) -> list[Key]:
    """At most `most` keys, as many of each class as there are, drawn by seed; in their order."""
    random = np.random.default_rng(seed)
    by_class: dict[str, list[Key]] = {}
    for key in keys:
        by_class.setdefault(key[1], []).append(key)
    mixed = [[some[i] for i in random.permutation(len(some))] for some in by_class.values()]
    turns = [some[i] for i in range(max(map(len, mixed))) for some in mixed if i < len(some)]
    return sorted(turns[:most])


def _maps(found: Explanations, rows: list[list[tuple[int, float]]]) -> np.ndarray:
    """One map per crop; those of several channels are added up."""
    each = found.read(np.array([r for some in rows for r, _ in some]))
    peak = np.array([p for some in rows for _, p in some], np.float32)
    starts = np.cumsum([0, *(len(some) for some in rows)])[:-1]
    return np.add.reduceat(each * peak[:, None, None], starts, axis=0)


def _masks(store: Path, crop: np.ndarray) -> dict[str, np.ndarray]:
    opened = stores.open_crops(store)
    return {name: np.concatenate([b.masks for b in
                                  CropReader(store, _region(name, opened), rows=crop).in_order(64)])
            for name in opened.compartments}


def _region(compartment: str, opened: stores.CropStore) -> str:
    return "object" if compartment == opened.compartments[0] else compartment


def _seen(store: Path, contract: dict[str, Any]) -> np.ndarray:
    """(H,W): the middle of the crop that the network is shown."""
    made = np.zeros(stores.open_crops(store).size_px, bool)
    top, left = (have // 2 - cut // 2 for have, cut in zip(made.shape, contract["window_px"]))
    made[top : top + contract["window_px"][0], left : left + contract["window_px"][1]] = True
    return made


def as_fed(values: np.ndarray, contract: dict[str, Any], device: str) -> Tensor:
    """(n,H,W) in the store's pixels as (n,h,w) in those that the network is fed."""
    window = contract["window_px"]
    top, left = (have // 2 - cut // 2 for have, cut in zip(values.shape[1:], window))
    cut = values[:, top : top + window[0], left : left + window[1]]
    tensor = torch.from_numpy(np.ascontiguousarray(cut)).float().to(device)
    return pixels.fit_size(tensor[:, None], tuple(contract["size_px"]))[:, 0]


def pictures(store: Path, contract: dict[str, Any], crop: np.ndarray, device: str) -> Tensor:
    """What the network is fed (n,C,h,w) of rows `crop` (n,) of the store."""
    return torch.cat([made for _, made in crops.fed(store, contract, crop, device)])
