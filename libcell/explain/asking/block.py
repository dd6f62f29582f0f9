"""Maps of a shard: asked for, brought onto the crops, written with their part of the index."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from libcell.data import explanations, models, tables
from libcell.errors import DataError
from libcell.explain import maps
from libcell.explain.asking import crops, model
from libcell.explain.maps import Answer, Subject
from libcell.nn.saliency import framing
from libcell.nn.saliency.layers import Layer


@dataclass(frozen=True)
class Question:
    """All that a block is told besides which rows: `wanted` is `predicted`, `true` or classes by
    number; `size` that of the store's crops; `each` how many maps a crop has."""

    model: Path
    store: Path
    method: str
    options: Mapping[str, Any]
    layer: Layer | None
    wanted: str | list[int]
    by_channel: bool
    size: tuple[int, int]
    each: int
    device: str


def explain_shard(root: Path, asked: Path, start: int, stop: int, question: Question,
                  target: Path) -> dict[str, Any]:
    """Write maps start:stop, a whole shard, and their index to `target`.

    `asked` are the crops (see `crops.Asked`) with their class in `truth`.
    """
    each = question.each
    first, last = start // each, -(-stop // each)
    rows = tables.read_part(asked).slice(first, last - first)
    card = models.load_card(question.model)
    subject = model.subject_of(question.model, question.device, question.layer,
                               question.by_channel)
    made = np.empty((rows.num_rows * each, *question.size), explanations.DTYPE)
    parts = []
    for some, answer in _answers(rows, card, subject, question):
        found, peak = _on_crops(answer, subject, question.size)
        made[some.start * each : some.stop * each] = found
        parts.append(_index(rows.slice(some.start, some.stop - some.start), answer, peak, card,
                            question, subject.channels))
    cut = slice(start - first * each, stop - first * each)
    explanations.write_shard(root, start, made[cut])
    table = pa.concat_tables(parts).slice(cut.start, stop - start)
    tables.write_part(target, table)
    return {"part": target.name, "rows": stop - start}


def _answers(rows: pa.Table, card: dict[str, Any], subject: Subject, question: Question) -> Any:
    module = maps.load(question.method)
    options = maps.options(question.method, question.options)
    numbers, truth = (rows.column(c).to_numpy() for c in ("crop", "truth"))
    for some, fed in crops.fed(question.store, subject.contract, numbers, question.device):
        bad = (~torch.isfinite(fed).flatten(1).all(1)).nonzero()
        if len(bad):
            raise DataError(f"{question.store}: crop {numbers[some][int(bad[0])]} holds NaN or "
                            "infinite pixels")
        choose = crops.choice(question.wanted, truth[some])
        yield some, module.explain(subject, fed, choose, options)


def _on_crops(answer: Answer, subject: Subject, size: tuple[int, int]
              ) -> tuple[np.ndarray, np.ndarray]:
    """Maps (n,H,W) float16 within -1 and 1, and what 1 stands for (n,)."""
    flat = answer.maps.flatten(0, answer.maps.ndim - 3)
    seen, window = subject.contract["size_px"], subject.contract["window_px"]
    placed = framing.onto_crop(flat, tuple(seen), tuple(window), size)
    scaled, peak = framing.to_unit(placed)
    return scaled.half().cpu().numpy(), peak.double().cpu().numpy()


def _index(keys: pa.Table, answer: Answer, peak: np.ndarray, card: dict[str, Any],
           question: Question, channels: list[str]) -> pa.Table:
    """Rows of table `explanations`: per crop its classes, per class its channels."""
    each, names = question.each, np.array(card["classes"], dtype=object)
    classes = answer.classes.cpu().numpy()
    per_class = each // classes.shape[1]
    crop = np.repeat(np.arange(keys.num_rows), each)
    explained = np.repeat(classes.ravel(), per_class)
    chances = crops.probabilities(answer.scores, card)
    truth = keys.column("truth").to_numpy()[crop]
    own = keys.drop_columns(["truth", "crop"]).take(pa.array(crop))
    n = len(crop)
    return tables.from_columns("explanations", {
        **{name: own.column(name) for name in own.column_names
           if name == "object_id" or name.startswith("Metadata_")},
        "crop": keys.column("crop").to_numpy()[crop],
        "explained": names[explained],
        "channel": channels * (n // len(channels)) if question.by_channel else [None] * n,
        "probability": chances[crop, explained],
        "predicted": names[chances.argmax(1)][crop],
        "target": [names[t] if t >= 0 else None for t in truth],
        "method": [question.method] * n,
        "layer": [question.layer.name if question.layer else None] * n,
        "peak": peak,
    })
