"""Where in each crop a network's answer comes from: a map per crop and class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.explain.asking.block import Question
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Who is asked, about what, and how."""

    model: Annotated[str, Opt("model that `cell-train cnn` made; may be the first INPUT",
                              ("-m", "--model"), path=True, first=True)]
    method: Annotated[str, Opt("gradcam, gradcam++, layercam, scorecam, ig, occlusion or "
                               "rollout")] = "gradcam"
    method_options: Annotated[tuple[str, ...], Opt("its own options, as steps=64,absent=blur")] = ()
    target: Annotated[tuple[str, ...], Opt("classes to explain by name, or each crop's predicted "
                                           "or true one")] = ("predicted",)
    by_channel: Annotated[bool, Opt("a map for each channel, with ig and occlusion",
                                    ("--by-channel",))] = False
    layer: Annotated[str, Opt("layer whose maps are taken, as the backbone names it; auto: the "
                              "deepest that is fine enough")] = "auto"
    object: Annotated[tuple[str, ...], Opt("only these, by object_id")] = ()
    split: Annotated[str, Opt("crops of this part of the model's split", choices=(
        "all", "train", "validation", "test", "new"))] = "all"
    most: Annotated[int | None, Opt("at most so many crops of each class, drawn by --seed",
                                    least=1)] = None
    pictures: Annotated[int, Opt("crops per class drawn with their maps, as PNG in pictures/ of "
                                 "the output", least=0)] = 12


def run(job: Job, options: Options) -> None:
    """Choose crops and layer, ask shard by shard, put the index together, draw some."""
    from libcell.data import explanations, models, tables
    from libcell.explain.asking.block import explain_shard
    from libcell.explain.drawing.sheets import write_sheets
    from libcell.schema.arrow import arrow_schema

    question, asked = _question(job.inputs, options, job.device, job.seed, job.reporter.warn)
    n = asked.num_rows * question.each
    shard = explanations.create(job.root, n, question.size)
    scratch = job.parts / "asked.arrow"
    tables.write_part(scratch, asked)
    blocks = [Block(f"maps {i} of {n}", {
        "root": job.root, "asked": scratch, "start": i, "stop": min(i + shard, n),
        "question": question, "target": job.parts / f"maps-{i:09d}.arrow"})
        for i in range(0, n, shard)]
    done = job.map_whole("maps", explain_shard, blocks)
    parts = [tables.read_part(job.parts / d["part"]) for d in done]
    provenance = job.provenance()
    schema = tables.unify(parts) if parts else arrow_schema("explanations")
    tables.write_parts(job.root / "index.parquet", parts, schema, "explanations", provenance)
    card = models.load_card(question.model)
    if options.pictures and n:
        write_sheets(job.root, question.store, card["input"], options.pictures)
    _neurons(job, question, asked, card)
    layer = question.layer
    explanations.seal(job.root, {
        "n": n, "method": question.method, "options": dict(question.options),
        "layer": layer.name if layer else None, "grid": list(layer.grid) if layer else None,
        "size_px": list(question.size), "classes": card["classes"]}, provenance)
    job.publish("explain", n, method=question.method, layer=layer.name if layer else None)


def _neurons(job: Job, question: Question, asked: pa.Table, card: dict[str, Any]) -> None:
    """Of a connectome head: how active its neurons are, as a table and drawn."""
    from libcell.data import tables
    from libcell.explain.asking import neurons

    found = neurons.table(question, asked, card)
    if found is None:
        return
    made, graph = found
    tables.write_parts(job.root / "neurons.parquet", [made], made.schema, "neurons",
                       job.provenance())
    from libcell.explain.drawing.wiring import draw

    (job.root / "neurons.svg").write_text(draw(made, graph), "utf-8")


def _question(
    inputs: Inputs, options: Options, device: str, seed: int, warn: Any
) -> tuple[Question, pa.Table]:
    """What each block is told, and the crops that are asked about; errors before any work."""
    from dataclasses import asdict
    from pathlib import Path

    from libcell.data import crops as stores
    from libcell.errors import UsageFault
    from libcell.explain.asking.extra import require

    require("cell-explain cam")
    from libcell.explain import maps
    from libcell.explain.asking import crops, model
    from libcell.explain.asking.block import Question
    from libcell.nn import choice
    from libcell.run import devices

    path = Path(options.model)
    card = model.card_of(path)
    module = maps.load(options.method)
    own = maps.options(options.method,
                       choice.pairs("--method-options", options.method_options))
    if options.by_channel and not module.CHANNELS:
        able = ", ".join(n for n in maps.names() if maps.load(n).CHANNELS)
        raise UsageFault(f"--by-channel: {options.method} has one map for all channels; use "
                         f"--method {able.replace(', ', ' or ')}")
    store, *others = inputs.paths("crops")
    if others:
        raise UsageFault(f"{len(others) + 1} crop stores; explain one at a time")
    wanted = _wanted(options.target, card)
    asked = crops.chosen(store, card, options.object, options.split, options.most, seed)
    if wanted == "true":
        whole, asked = asked, crops.with_truth(asked, card, store)
        if asked.num_rows < whole.num_rows:
            warn(f"{whole.num_rows - asked.num_rows} crops without a known class are "
                 "left out")
    crops.reader_of(card["input"], store, asked.column("crop").to_numpy())
    place = devices.resolve(device)
    network = model.network(path, place)
    layer = model.layer_of(card, network, options.layer) if module.LAYER else None
    if hasattr(module, "require"):
        module.require(network.backbone)
    classes = 1 if isinstance(wanted, str) else len(wanted)
    channels = len(card["input"]["channels"]) + bool(card["input"]["mask_channel"])
    height, width = stores.open_crops(store).size_px
    return Question(
        path, store, options.method, asdict(own), layer, wanted, options.by_channel,
        (height, width), classes * (channels if options.by_channel else 1), place), asked


def _wanted(target: tuple[str, ...], card: dict[str, Any]) -> str | list[int]:
    from libcell.errors import UsageFault
    from libcell.explain.asking.crops import CHOSEN
    from libcell.explain.asking.model import class_numbers

    special = [t for t in target if t in CHOSEN and t not in card["classes"]]
    if special and len(target) > 1:
        raise UsageFault(f"--target {special[0]} stands alone; give class names beside each other")
    return special[0] if special else class_numbers(card, target)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from libcell.data import crops, explanations

    question, asked = _question(inputs, options, "cpu", 0, lambda text: None)
    n = asked.num_rows * question.each
    shard = crops.shard_rows(1, *question.size, explanations.DTYPE.itemsize)
    return {"reads": [str(question.store), str(question.model)], "blocks": -(-n // shard),
            "maps": n, "layer": question.layer.name if question.layer else None,
            "bytes": n * question.size[0] * question.size[1] * explanations.DTYPE.itemsize}


METHOD = Method(
    name="cam",
    summary="Where in each crop a network's answer comes from: a map per crop and class.",
    run=run,
    options=Options,
    reads=("crops", "model"),
    writes="explain",
    suffix=".explain.zarr",
    example="cell-explain cam c.model c.crops.zarr --method gradcam -o x.explain.zarr",
    paper="Selvaraju et al. 2017, arXiv:1610.02391, and what each --method names",
    needs="train",
    plan=plan,
)
