"""What a model of bags, of several folds or of one, says of bags and of their instances."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import folds, matrix, models, tables
from libcell.data.folds import Answers
from libcell.nn import pooling
from libcell.nn.pooling import Bag
from libcell.run.blocks import Block
from libcell.run.job import Job
from libcell.train.bags import baseline, instances
from libcell.train.bags.instances import Bags
from libcell.train.bags.task import said
from libcell.train.kernels import temperature

CHANCES, ATTENTION = "chances", "attention"
AT_ONCE = 256  # bags of one block


@functools.lru_cache(maxsize=32)
def loaded(model: Path, stamp: int, device: str) -> Bag:
    """A trained network on its device; `stamp` is its file's time."""
    made = pooling.restore(models.load_card(model), models.load_tensors(model), str(model))
    return made.to(device)


def of_bags(
    model: Path, card: Mapping[str, Any], bags: Bags, places: np.ndarray, device: str, *,
    others: bool,
) -> Answers:
    """`chances` float64 (n,k) of the bags at `places` (n,); `attention` (n,N) to each one's
    instances, 0 beyond its last; with `others`, as `mean`, 1 for the class that the baseline sees.
    """
    longest = int(np.diff(bags.starts)[places].max(initial=0))

    def ask(member: str, some: np.ndarray) -> Answers:
        root = model / member
        own = models.load_card(root)
        k = len(own["classes"])
        stamp = (root / models.WEIGHTS).stat().st_mtime_ns
        scores, each = said(loaded(root, stamp, device), bags, places[some], device)
        chances = temperature.probabilities(scores.reshape(-1, k),
                                            own["calibration"]["temperature"])
        attention = np.zeros((len(some), longest))
        for row, one in zip(attention, each):
            row[: len(one)] = one
        asked = {}
        if others and (root / baseline.FILE).is_file():
            asked[baseline.NAME] = np.eye(k)[baseline.predict(root, bags, places[some])]
        return {CHANCES: chances, ATTENTION: attention} | asked

    return folds.gather(card, bags.table.take(pa.array(places)), ask)


# -- what `predict` asks for ------------------------------------------------------------------


def blocks(
    job: Job, card: Mapping[str, Any], options: Any
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and the bags' part of a block's arguments; the bags are joined and saved first."""
    names = card["input"]["columns"]
    bags, left_out = instances.read(
        job.inputs.paths("bags"), [Path(p) for p in options.embeddings], names,
        allow_missing=options.allow_missing)
    if left_out:
        job.reporter.warn(left_out)
    if options.target:
        matrix.column_text(bags.table, options.target, "--target")  # an error if there is none
    saved = job.parts / "bags"
    bags.save(saved)
    for start in range(0, len(bags), AT_ONCE):
        yield f"bags {start}", {"bags": saved, "names": names, "parts": job.parts, "start": start,
                                "stop": min(start + AT_ONCE, len(bags))}


def of_part(
    model: Path, card: Mapping[str, Any], saved: Path, names: list[str], start: int, stop: int,
    parts: Path, device: str, others: bool,
) -> tuple[pa.Table, Answers]:
    """Rows of bags start : stop, and what `of_bags` says of them but for the attention, which is
    left in the folder `parts`."""
    bags = instances.load(saved, names, start, stop)
    said = of_bags(model, card, bags, np.arange(len(bags)), device, others=others)
    tables.write_part(parts / f"attention-{start:09d}.arrow",
                      attention_table(bags, said.pop(ATTENTION)))
    return bags.table, said


def write_bundle(
    job: Job, function: Callable[..., pa.Table], made: Iterable[Block]
) -> None:
    """Publish predictions, and the attention to each instance."""
    predicted = [tables.read_part(f) for f in job.collect("predict", function, made)]
    attended = [tables.read_part(f) for f in sorted(job.parts.glob("attention-*.arrow"))]
    job.root.mkdir(exist_ok=True)
    for name, kind, parts in (("predictions", "predictions", predicted),
                              ("attention", "bags", attended)):
        tables.write_parts(job.root / f"{name}.parquet", parts, tables.unify(parts), kind,
                           job.provenance())
    job.publish("bundle", sum(p.num_rows for p in predicted))


def attention_table(bags: Bags, attention: np.ndarray) -> pa.Table:
    """Table `bags` of all instances with the `attention` (b,N) to each."""
    size = np.diff(bags.starts)
    each = attention[np.arange(attention.shape[1]) < size[:, None]]
    told = bags.instances
    return tables.from_columns("bags", {n: told.column(n) for n in told.column_names[:3]}
                               | {"attention": each}
                               | {n: told.column(n) for n in told.column_names[3:]})
