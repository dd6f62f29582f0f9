"""What a network must beat: a forest on simple features, and itself untrained with a probe.

Both learn from the training part that the network learnt from, and stay beside it in the model,
so that `predict` can ask them about the same crops.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from libcell.data import models
from libcell.nn import classifier, forest_walk, untrained
from libcell.nn.forest_arrays import ForestArrays
from libcell.train.engine import seeds
from libcell.train.kernels.forest import fit_forest
from libcell.train.kernels.probe import Probe, fit_probe
from libcell.train.kernels.simple_features import simple_features
from libcell.train.pictures import judge
from libcell.train.pictures.contract import reader_of
from libcell.train.pictures.plan import Plan

NAMES = ("forest", "untrained")
FILE = "baselines.safetensors"
TREES = 200
ROWS = 10_000  # of the training part, at most: more cost time and change little
SETTLING = 8  # batches from which an untrained network learns the spread of its layers
AT_ONCE = 512


def fit(
    made: Plan, contract: dict[str, Any], shape: dict[str, Any], seed: int, device: torch.device,
    workers: int,
) -> dict[str, np.ndarray]:
    """Both baselines as tensors: `forest.*`, `probe.*` and `backbone.*`."""
    train = made.of("train")
    if len(train) > ROWS:
        train = np.sort(np.random.default_rng(seed).choice(train, ROWS, replace=False))
    rows, y = made.rows[train], made.y[train]
    forest = fit_forest(_simple(made.path, contract, rows), y, n_trees=TREES, seed=seed,
                        workers=workers)
    backbone = _untrained(made.path, contract, shape, rows, seed, device)
    features = judge.scores(backbone, made.path, contract, rows, device, backbone.num_features)
    probe = fit_probe(features, y, len(made.classes))
    return ({f"forest.{k}": v for k, v in forest.to_tensors().items()}
            | {f"probe.{k}": np.ascontiguousarray(v) for k, v in vars(probe).items()}
            | {f"backbone.{k}": v.detach().cpu().numpy()
               for k, v in backbone.state_dict().items()})


def predict(
    model: Path, contract: dict[str, Any], path: Path, rows: np.ndarray, device: str
) -> dict[str, np.ndarray]:
    """int64 (n,): the class that each baseline sees in the store's `rows`; none in a model
    without baselines."""
    if not (model / FILE).is_file():
        return {}
    forest, probe, backbone = _loaded(model, (model / FILE).stat().st_mtime_ns, device)
    chances = forest_walk.predict_proba(forest, _simple(path, contract, rows))
    features = judge.scores(backbone, path, contract, rows, device, len(probe.mean))
    return {"forest": forest.classes[chances.argmax(axis=1)], "untrained": probe.predict(features)}


@functools.lru_cache(maxsize=2)
def _loaded(model: Path, stamp: int, device: str) -> tuple[ForestArrays, Probe, nn.Module]:
    parts: dict[str, dict[str, np.ndarray]] = {"forest": {}, "probe": {}, "backbone": {}}
    for key, value in models.load_tensors(model, FILE).items():
        group, _, name = key.partition(".")
        parts[group][name] = value
    card = models.load_card(model)
    made = classifier.build(card["network"], len(card["classes"])).backbone
    made.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in parts["backbone"].items()})
    return (ForestArrays.from_tensors(parts["forest"]), Probe(**parts["probe"]),
            made.to(device).eval())


def _simple(path: Path, contract: dict[str, Any], rows: np.ndarray) -> np.ndarray:
    """float64 (n,p): simple features of the pixels that the network sees, unscaled."""
    reader = reader_of(contract, path, rows)
    found = [simple_features(b.crops, b.masks) for b in reader.in_order(AT_ONCE)]
    return np.concatenate(found) if found else np.empty((0, 3 + 16 * len(reader.channels)))


def _untrained(
    path: Path, contract: dict[str, Any], shape: dict[str, Any], rows: np.ndarray, seed: int,
    device: torch.device,
) -> Any:
    """The backbone as it was before training, but that every branch has a say, and that its
    normalisation layers know the data: what they hold at first is of none."""
    seeds.plant(seed)
    backbone = classifier.build(shape, 2).backbone.to(device).train()
    untrained.wake(backbone)
    some = np.sort(np.random.default_rng(seed).permutation(rows)[: SETTLING * judge.AT_ONCE])
    with torch.no_grad():
        for batch in judge.fed(path, contract, some, device):
            if len(batch) > 1:
                backbone(batch)
    return backbone.eval()
