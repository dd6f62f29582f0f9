"""A model's class and probabilities for every row of a table, or every crop of a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

    from libcell.run.job import Job
    from libcell.train.sequences.answers import Rule

ROWS = 65_536  # of one block
CROPS = 2048  # of one block
KEYS = ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Image", "Metadata_T",
        "Metadata_Label", "Metadata_Compartment")


@dataclass(frozen=True)
class Options:
    """Which model, and what is already known of the rows."""

    model: Annotated[str, Opt("model that `cell-train` made; may be the first INPUT",
                              ("-m", "--model"), path=True, first=True)]
    target: Annotated[str | None, Opt("column with the known class [the model's target]")] = None
    no_baselines: Annotated[bool, Opt("do not ask the baselines of a network about its crops",
                                      ("--no-baselines",))] = False
    truth: Annotated[str | None, Opt("of sequences: table with the known stage, by object_id or "
                                     "by field, frame and label [the store's index]",
                                     path=True)] = None
    decode: Annotated[bool, Opt("of sequences: only changes between stages that training has "
                                "seen", ("--decode",))] = False
    changes: Annotated[tuple[str, ...], Opt("of sequences: only these changes between stages, as "
                                            "FROM>TO [any, or with --decode those seen]")] = ()
    least_frames: Annotated[tuple[str, ...], Opt("of sequences: frames that a stage lasts at the "
                                                 "least, as STAGE=N")] = ()
    embeddings: Annotated[tuple[str, ...], Opt("of bags: tables with a row per instance",
                                               path=True)] = ()
    allow_missing: Annotated[bool, Opt("of bags: leave out instances that --embeddings lacks",
                                       ("--allow-missing",))] = False


def run(job: Job, options: Options) -> None:
    """Predict block by block."""
    from pathlib import Path

    from libcell.data import models
    from libcell.errors import DataError, UsageFault

    path = Path(options.model)
    card = models.load_card(path)
    models.require_whole(path)
    if not card["classes"]:
        raise DataError(f"{path}: learnt without classes and tells none; cell-feat embed and "
                        "cell-train cnn --weights take it")
    if card["input"]["kind"] != "sequences" and (
            options.truth or options.decode or options.changes or options.least_frames):
        raise UsageFault(f"{path}: --truth, --decode, --changes and --least-frames are for models "
                         f"of sequences; this one is of {card['input']['kind']}")
    _require_bags(path, card, job.kind, options)
    kinds: dict[str, Any] = {"crops": (predict_crops, _crop_blocks),
                             "sequences": (predict_sequences, _sequence_blocks),
                             "bags": (predict_bags, _bag_blocks)}
    function, blocks = kinds.get(card["input"]["kind"], (predict_rows, _row_blocks))
    made = blocks(job, path, card, options)
    if job.kind == "bundle":
        from libcell.train.bags import answers

        answers.write_bundle(job, predict_bags, made)
    else:
        job.table("predictions", "predict", function, made)


# -- rows of a table -------------------------------------------------------------------------


def _row_blocks(job: Job, path: Path, card: dict[str, Any], options: Options) -> list[Block]:
    from libcell.data import matrix, models, tables

    table = job.inputs.table(card["input"]["kind"])
    models.require_columns(card, table.column_names, path)
    if options.target:
        matrix.column_text(table, options.target, "--target")  # an error if there is none
    scratch = job.parts / "input.arrow"
    tables.write_part(scratch, table)
    return [Block(f"rows {i}", {"table": scratch, "start": i, "model": path,
                                "target": options.target or card["target"]})
            for i in range(0, max(table.num_rows, 1), ROWS)]


def predict_rows(table: Path, start: int, model: Path, target: str) -> pa.Table:
    """Table `predictions` of rows start : start + 65536."""
    from libcell.data import models, tables
    from libcell.train.trees.model import chances

    card = models.load_card(model)
    rows = tables.read_part(table).slice(start, ROWS)
    return prediction_table(rows, chances(model, card, rows), card, target)


# -- crops of a store ------------------------------------------------------------------------


def _crop_blocks(job: Job, path: Path, card: dict[str, Any], options: Options) -> Iterator[Block]:
    """Blocks of every store, each looked at when its turn comes: a pipe may bring them late."""
    from libcell.data import crops, matrix, tables
    from libcell.run import devices
    from libcell.train.engine.extra import require
    from libcell.train.pictures.contract import reader_of

    require(job.command, "timm", "torchvision")
    device = devices.resolve(job.device)
    for number, store in enumerate(job.inputs.paths("crops")):
        reader = reader_of(card["input"], store)  # an error if it lacks a channel
        unseen = [c for c in reader.store.channels if c not in reader.channels]
        if unseen:
            job.reporter.warn(f"{store}: the model does not look at {', '.join(unseen)}")
        index = crops.open_crops(store).index()
        if options.target:
            matrix.column_text(index, options.target, "--target")
        scratch = job.parts / f"index-{number}.arrow"
        tables.write_part(scratch, index)  # mapped by each block, which takes its own rows
        for i in range(0, max(index.num_rows, 1), CROPS):
            yield Block(f"{store} {i}", {
                "store": store, "index": scratch, "start": i, "model": path, "device": device,
                "target": options.target or card["target"], "alone": job.pool.width == 1,
                "others": not options.no_baselines})
        del index


def predict_crops(
    store: Path, index: Path, start: int, model: Path, target: str, device: str, alone: bool,
    others: bool,
) -> pa.Table:
    """Table `predictions` of crops start : start + 2048 of a store, `index` being its table.

    Unless it is `alone`, a block takes one thread; with `others` it asks the baselines, too.
    DataError where pixels are no numbers.
    """
    import numpy as np

    from libcell.data import models, tables
    from libcell.train.pictures.answers import CHANCES, of_crops

    card = models.load_card(model)
    keys = tables.read_part(index).slice(start, CROPS)
    said = of_crops(model, card, keys, store, np.arange(start, start + keys.num_rows), device,
                    alone=alone, others=others)
    chances = said.pop(CHANCES)
    return prediction_table(keys, chances, card, target,
                            {name: one.argmax(axis=1) for name, one in said.items()})


# -- sequences of a store --------------------------------------------------------------------


def _sequence_blocks(
    job: Job, path: Path, card: dict[str, Any], options: Options
) -> Iterator[Block]:
    from libcell.run import devices
    from libcell.train.engine.extra import require
    from libcell.train.sequences import answers

    require(job.command, "timm", "torchvision")
    ruled = answers.Rule(options.decode, options.changes, options.least_frames)
    ruled.least(card["classes"])  # an error if one is unknown, and so below
    ruled.worth(card)
    target = options.target or card["target"]
    more = {"model": path, "device": devices.resolve(job.device), "target": target,
            "alone": job.pool.width == 1, "rule": ruled}
    for number, store in enumerate(job.inputs.paths("crops")):
        scratch = job.parts / f"index-{number}.arrow"
        for key, args in answers.blocks(store, scratch, card, options.truth, target):
            yield Block(key, args | more)


def predict_sequences(
    store: Path, index: Path, rows: np.ndarray, sequences: list[tuple[str, np.ndarray]],
    model: Path, device: str, target: str, alone: bool, rule: Rule,
) -> pa.Table:
    """Table `predictions` of a store's `rows` (see `sequences.answers`); `index` is its table."""
    from libcell.data import models, tables
    from libcell.train.sequences import answers

    card = models.load_card(model)
    said = answers.of_sequences(model, card, store, rows, sequences, device, rule, alone=alone)
    return prediction_table(tables.read_part(index).take(rows), said, card, target)


# -- bags --------------------------------------------------------------------------------------


def _require_bags(path: Path, card: dict[str, Any], kind: str, options: Options) -> None:
    from libcell.errors import UsageFault

    if card["input"]["kind"] == "bags":
        if not options.embeddings:
            raise UsageFault(f"{path}: is a model of bags; say --embeddings TABLE")
    elif options.embeddings or options.allow_missing or kind == "bundle":
        raise UsageFault(f"{path}: --embeddings, --allow-missing and -o x.bundle are for models "
                         f"of bags; this one is of {card['input']['kind']}")


def _bag_blocks(job: Job, path: Path, card: dict[str, Any], options: Options) -> Iterator[Block]:
    from libcell.run import devices
    from libcell.train.bags import answers
    from libcell.train.engine.extra import require

    require(job.command)
    more = {"model": path, "device": devices.resolve(job.device),
            "target": options.target or card["target"], "others": not options.no_baselines}
    for key, args in answers.blocks(job, card, options):
        yield Block(key, args | more)


def predict_bags(
    bags: Path, names: list[str], start: int, stop: int, model: Path, parts: Path, device: str,
    target: str, others: bool,
) -> pa.Table:
    """Table `predictions` of bags start : stop of those saved in the folder `bags`; what is
    attended to in them is left in `parts` (see `bags.answers`)."""
    from libcell.data import models
    from libcell.train.bags import answers

    card = models.load_card(model)
    rows, said = answers.of_part(model, card, bags, names, start, stop, parts, device, others)
    return prediction_table(rows, said.pop(answers.CHANCES), card, target,
                            {name: one.argmax(axis=1) for name, one in said.items()})


# -- all -------------------------------------------------------------------------------------


def prediction_table(
    rows: pa.Table, proba: np.ndarray, card: dict[str, Any], target: str,
    baselines: Mapping[str, np.ndarray] | None = None,
) -> pa.Table:
    """Table `predictions` of keyed `rows` with probabilities (n,k) of the card's classes, and
    what `baselines` see, int (n,) each."""
    import numpy as np

    from libcell.data import matrix, tables

    classes = np.array(card["classes"], dtype=object)
    own = {n: rows.column(n) for n in rows.column_names if n.startswith("Metadata_")}
    told = target in rows.column_names
    columns = {
        "object_id": rows.column("object_id"),
        **{k: own.pop(k) for k in list(own) if k in KEYS},
        "target": matrix.column_text(rows, target, "--target") if told else [None] * len(proba),
        "predicted": classes[proba.argmax(axis=1)] if len(proba) else [],
        "split": matrix.parts_of(rows, card["split"]),
        **own,
        **{f"p_{c}": proba[:, i] for i, c in enumerate(classes)},
        **{f"baseline_{k}": classes[v] for k, v in (baselines or {}).items()},
    }
    return tables.from_columns("predictions", columns)


METHOD = Method(
    name="predict",
    summary="A model's class and probabilities for every row of a table or crop of a store.",
    run=run,
    options=Options,
    reads=("features", "embeddings", "crops", "bags"),
    writes="predictions",
    suffix=".parquet",
    also=(("bundle", ".bundle"),),
    example="cell-train predict c.model f.parquet -o p.parquet",
    streams=True,
)
