"""A model's stages for every crop of a store, sequence by sequence: what `predict` asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from libcell.data import crops, models, tables
from libcell.errors import DataError, UsageFault
from libcell.train.kernels.temperature import probabilities
from libcell.train.pictures.contract import reader_of
from libcell.train.sequences import courses, judge, truth
from libcell.train.sequences.courses import Course

CROPS = 2048  # of one block, whole fields of view
PARENT = "Metadata_Parent"


@dataclass(frozen=True)
class Rule:
    """What a course must keep: changes between stages that training has `seen`, or those of
    `changes` alone, each FROM>TO; stages that last so long `at_least`, each STAGE=N. False where
    it asks for nothing."""

    seen: bool
    changes: tuple[str, ...]
    at_least: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.seen or self.changes or self.at_least)

    def worth(self, card: dict[str, Any]) -> np.ndarray:
        """float64 (K,K): 0 where the second stage may follow the first, else -inf."""
        classes = card["classes"]
        made = np.zeros((len(classes), len(classes)))
        if self.changes:
            made[:] = -np.inf
            for one in self.changes:
                made[_pair(one, classes)] = 0.0
        elif self.seen:
            made[np.array(card["stages"]["changes"]) == 0] = -np.inf
        np.fill_diagonal(made, 0.0)
        return made

    def least(self, classes: list[str]) -> np.ndarray:
        """Frames that each stage lasts at the least (K,)."""
        found = np.ones(len(classes), np.int64)
        for one in self.at_least:
            name, _, number = one.partition("=")
            if not number.isdigit() or int(number) < 1:
                raise UsageFault(f"--least-frames {one}: expected STAGE=N, N a whole number from "
                                 "1")
            found[_known(name, classes, f"--least-frames {one}")] = int(number)
        return found


def _pair(one: str, classes: list[str]) -> tuple[int, int]:
    before, sign, after = one.partition(">")
    if not sign:
        raise UsageFault(f"--changes {one}: expected FROM>TO, two stages")
    first, second = (_known(name.strip(), classes, f"--changes {one}") for name in (before, after))
    return first, second


def _known(name: str, classes: list[str], option: str) -> int:
    if name not in classes:
        raise UsageFault(f"{option}: the model knows no stage {name!r}; it has "
                         f"{', '.join(classes)}")
    return classes.index(name)


def blocks(
    store: Path, scratch: Path, card: dict[str, Any], told: str | None, target: str,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and the store's part of a block's arguments: crops of whole fields of view, so that
    none is in two blocks, and the sequences that they are in, which may go on in another field's
    (pictures of one frame each) and are then in both blocks. `scratch` gets the index, with the
    known stages of the table `told`, if any."""
    opened = crops.open_crops(store)
    reader_of(card["input"], store)  # an error if it lacks a channel
    index = truth.joined(opened.index(), told, target)
    made = courses.read(opened, index)
    tables.write_part(scratch, _with_parents(index, opened.sequences()))
    images, image = np.unique(np.asarray(index.column("Metadata_Image").to_pylist(), str),
                              return_inverse=True)
    part = np.cumsum(np.bincount(image, minlength=len(images))) // CROPS
    own = [set(part[image[c.rows[c.rows >= 0]]].tolist()) for c in made]
    for number in range(int(part[-1]) + 1 if len(part) else 1):
        rows = np.flatnonzero(part[image] == number) if len(part) else np.zeros(0, np.int64)
        if len(rows) or not len(part):
            some = [(c.name, c.rows) for c, parts in zip(made, own) if number in parts]
            yield f"{store} {number}", {"store": store, "index": scratch, "rows": rows,
                                        "sequences": some}


def _with_parents(index: pa.Table, listed: pa.Table) -> pa.Table:
    """The index with each track's mother, where the store knows of mothers."""
    wanted = {"parent_sequence_id", "track_id"}
    if not wanted <= set(listed.column_names) or "Metadata_Track" not in index.column_names:
        return index
    mother = dict(zip(listed.column("sequence_id").to_pylist(),
                      listed.column("parent_sequence_id").to_pylist()))
    names = [f"{i}:{t}" for i, t in zip(index.column("Metadata_Image").to_pylist(),
                                        index.column("Metadata_Track").to_pylist())]
    parents = [(mother.get(name) or "").rpartition(":")[2] for name in names]
    return index.append_column(PARENT, pa.array([int(p) if p.isdigit() else None for p in parents],
                                                pa.int64()))


def of_sequences(
    model: Path, card: dict[str, Any], store: Path, rows: np.ndarray,
    sequences: list[tuple[str, np.ndarray]], device: str, rule: Rule, *, alone: bool,
) -> np.ndarray:
    """float64 (n,K): how likely each of `rows` (n,) shows each stage. A crop that is in no
    sequence is asked about for itself.

    With a `rule` the likeliest course of each sequence that keeps it decides: in a frame where
    another stage is likelier, the two exchange their probabilities. DataError where pixels are no
    numbers.
    """
    if not alone:
        torch.set_num_threads(1)  # holds for the calling thread: others have the other cores
    stamp = (model / models.WEIGHTS).stat().st_mtime_ns
    network = judge.loaded(model, stamp, device)
    asked = [Course(name, at, np.full(len(at), -1)) for name, at in sequences]
    inside = np.concatenate([np.zeros(0, np.int64), *(c.rows for c in asked)])
    asked += [Course("", np.array([r]), np.array([-1])) for r in np.setdiff1d(rows, inside)]
    scores = judge.scores(network, store, card["input"], asked, device)
    chances = [probabilities(s, card["calibration"]["temperature"]) for s in scores]
    if rule:
        paths = judge.courses_of(chances, asked, rule.worth(card), rule.least(card["classes"]))
        chances = [_exchanged(p, path) for p, path in zip(chances, paths)]
    last = max([int(rows.max(initial=-1)), *(int(c.rows.max()) for c in asked)])
    made, _ = judge.by_crop(chances, asked, last + 1)
    found = made[rows] if len(rows) else np.zeros((0, len(card["classes"])))
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        raise DataError(f"{store}: crop {rows[bad[0]]} holds NaN or infinite pixels")
    return found


def _exchanged(chances: np.ndarray, path: np.ndarray) -> np.ndarray:
    made, at = chances.copy(), np.arange(len(path))
    top = chances.argmax(axis=1)
    made[at, top], made[at, path] = chances[at, path], chances[at, top]
    return made
