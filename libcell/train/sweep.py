"""A grid of backbones, heads and seeds on one split, in one table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt
from libcell.train.pictures.options import PRESETS, PictureOptions

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.run.job import Job
    from libcell.train.pictures.course import Course

SAID = ("balanced_accuracy", "accuracy", "macro_f1", "weighted_f1", "roc_auc_ovr", "ece", "brier",
        "log_loss")


@dataclass(frozen=True, kw_only=True)
class Options(PictureOptions):
    """As `cell-train cnn`, and what is varied."""

    backbones: Annotated[tuple[str, ...], Opt("backbones to try [--backbone]")] = ()
    heads: Annotated[tuple[str, ...], Opt("heads to try, each with those of --head-options that "
                                          "it has [--head]")] = ()
    seeds: Annotated[tuple[int, ...], Opt("seeds to try; the split keeps --seed [--seed]")] = ()


def run(job: Job, options: Options) -> None:
    """Train one network after the other; those that are finished are not done again."""
    from libcell.data import crops, tables
    from libcell.errors import UsageFault
    from libcell.train.engine.extra import require

    require(job.command, "timm", "torchvision")
    path, *others = job.inputs.paths("crops")
    if others:
        raise UsageFault(f"{len(others) + 1} inputs; cell-train sweep learns from one crop store")

    from libcell.train.pictures.course import Course

    cells = grid(options, job.seed)
    course = Course(job, path, crops.open_crops(path).index(), options)
    rows: list[dict[str, Any]] = []
    for name, one, seed in cells:
        card = _trained(course, job.root / f"{name}.model", name, one, seed)
        rows += figures(name, one, seed, card)
    table = tables.from_columns("scores", {k: [r[k] for r in rows] for k in rows[0]})
    tables.write_parts(job.root / "scores.parquet", [table], table.schema, "scores",
                       job.provenance())
    for warning in card["split"]["warnings"]:
        job.reporter.warn(warning)
    test = {r["model"]: r["value"] for r in rows
            if r["metric"] == "balanced_accuracy" and r["split"] == _judged(card)}
    job.publish("bundle", len(test), best=max(test, key=lambda n: test[n]), balanced_accuracy=test)


def grid(options: Options, seed: int) -> list[tuple[str, Options, int]]:
    """Name, options and seed of every combination; UsageFault before any of them is trained."""
    from libcell.nn import backbones
    from libcell.train.pictures.training import head_of

    heads = options.heads or (options.head,)
    given = _dealt(heads, options.head_options)
    for backbone in options.backbones or (options.backbone,):
        backbones.spelled(backbone)
    made = [(f"{backbone}-{_label(head, heads)}-{one}",
             replace(options, backbone=backbone, head=head, head_options=given[head]), one)
            for backbone in options.backbones or (options.backbone,)
            for head in heads
            for one in options.seeds or (seed,)]
    for cell in {each.head: each for _, each, _ in made}.values():
        head_of(cell)
    return list({cell[0]: cell for cell in made}.values())  # asked for twice: trained once


def _label(head: str, heads: tuple[str, ...]) -> str:
    """What a head is called in a model's name: its file belongs to it where there are several."""
    name, _, file = head.partition(":")
    several = len({h for h in heads if h.partition(":")[0] == name}) > 1
    return f"{name}-{file.replace('/', '-')}" if several and file else name


def _dealt(heads: tuple[str, ...], given: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Each head's own among the options `given`. UsageFault for one that no head has."""
    from dataclasses import fields

    from libcell.errors import UsageFault
    from libcell.nn import heads as known

    has = {h: {f.name for f in fields(known.load(h.partition(":")[0]).Options)} for h in heads}
    unknown = [o for o in given if not any(o.partition("=")[0] in h for h in has.values())]
    if unknown:
        raise UsageFault(f"--head-options {unknown[0]}: none of {', '.join(heads)} has it")
    return {h: tuple(o for o in given if o.partition("=")[0] in has[h]) for h in heads}


def _trained(
    course: Course, root: Path, name: str, options: Options, seed: int
) -> dict[str, Any]:
    """The card of a model of the grid, trained now unless it is there already."""
    course.job.reporter.note(f"{name}:")
    card = course.model(root, options, seed, name)
    assert card  # torchrun does not run sweeps
    return card


def _judged(card: dict[str, Any]) -> str:
    return "test" if "test" in card["metrics"] else "validation"


def figures(name: str, options: Options, seed: int, card: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of table `scores`, with the columns model, backbone, head and seed."""
    rows = []
    for part, found in card["metrics"].items():
        for metric in SAID:
            low, high = found["intervals"].get(metric) or (None, None)
            rows.append({
                "metric": metric, "value": found[metric], "low": low, "high": high,
                "n": found["n"], "split": part, "label": None, "group": None, "model": name,
                "backbone": options.backbone, "head": options.head.partition(":")[0],
                "seed": seed, "parameters": card["training"]["parameters"]})
    return rows


METHOD = Method(
    name="sweep",
    summary="A grid of backbones, heads and seeds on one split: every model, and one table.",
    run=run,
    options=Options,
    reads=("crops",),
    writes="bundle",
    suffix="",
    example="cell-train sweep m.crops.zarr --target Metadata_Class \\\n"
            "  --backbones resnet18,vit_s --heads linear,elegans -o sweep",
    needs="train",
    presets=PRESETS,
)
