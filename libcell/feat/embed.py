"""A network's view of each crop as numbers: embeddings, one row per crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from libcell.data.weights import Weights
    from libcell.feat.embedding.rows import Recipe
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which network, and what it sees of a crop; a model of ours knows the latter itself."""

    model: Annotated[str | None, Opt("model with a backbone (cell-train cnn, ssl)",
                                     ("-m", "--model"), path=True)] = None
    backbone: Annotated[str | None, Opt("a network of timm's by name: resnet50, vit_s, ... "
                                        "[the one that --weights are of]")] = None
    weights: Annotated[str | None, Opt(
        "its weights: a file, or timm's name for published ones in the folder of weights, e.g. "
        "resnet18.a1_in1k")] = None
    untrained: Annotated[bool, Opt("random weights, of --seed: what any embedding must beat; with "
                                   "--model, its own network so", ("--untrained",))] = False
    channels: Annotated[tuple[str, ...], Opt(
        "channels to see, in order [all]; with --model those that stand for its own")] = ()
    channels_as: Annotated[str | None, Opt(
        "separate: each alone, as a grey picture, their embeddings side by side; stacked: "
        "together [separate]", choices=("separate", "stacked"))] = None
    region: Annotated[str | None, Opt(
        "pixels to see: patch (all), object, nucleus, cell, cytoplasm (0 elsewhere), "
        "nucleocentric [patch]")] = None
    window: Annotated[int | None, Opt("cut the middle of so many px out of each crop",
                                      least=8)] = None
    size: Annotated[int | None, Opt(
        "scale crops to so many px [as they are, or what the network is made for]",
        least=8)] = None
    normalise: Annotated[str | None, Opt("by each crop's percentiles, or the type's range [crop]",
                                         choices=("crop", "range"))] = None
    tta: Annotated[str, Opt("mean over each crop turned and mirrored: flips takes 4 times as long, "
                            "all 8 times", choices=("none", "flips", "all"))] = "none"
    batch: Annotated[int | None, Opt(
        "pictures at once; halved where the device lacks memory [32 on a CPU, 512 on a GPU]",
        least=1, shapes=False)] = None
    precision: Annotated[str, Opt("bf16 is faster where the device has it, and less exact",
                                  choices=("fp32", "bf16"))] = "fp32"


def run(job: Job, options: Options) -> None:
    """Choose the network, send every crop through it, put the parts together."""
    _require_extra()
    from libcell.feat.embedding.network import require_fit
    from libcell.feat.embedding.parts import require_same_weights, write

    first, *others = stores = job.inputs.paths("crops")
    recipe, weights = _recipe(first, options, job.seed, job.device)
    for store in others:
        _require_alike(store, first, recipe, options)
    if weights:
        require_same_weights(job, weights)
    require_fit(recipe.network, recipe.device)  # here, where what is wrong is said once
    if recipe.network.seed is not None:
        job.reporter.warn(f"{recipe.network.backbone} is untrained (seed {job.seed}): a baseline "
                          "for other embeddings")
    write(job, list(_blocks(job, stores, recipe)), recipe, weights)


def _recipe(
    first: Path, options: Options, seed: int, device: str
) -> tuple[Recipe, Weights | None]:
    """What every block is told, and the file of weights if one was named."""
    from libcell.errors import UsageFault
    from libcell.feat.embedding import choice, rows
    from libcell.run import devices

    network, sees, weights = choice.choose(options, first, seed)
    sees.reader(first)  # an error if the store lacks a channel
    place = devices.resolve(device)
    pictures = options.batch or rows.PICTURES[place.partition(":")[0]]
    if options.tta == "all" and len(set(sees.size_px)) > 1:
        raise UsageFault("--tta all turns by quarters, and pictures of "
                         f"{' x '.join(map(str, sees.size_px))} px are not square; use flips")
    recipe = rows.Recipe(network, sees, place, pictures, options.precision == "bf16", options.tta)
    return recipe, weights


def _require_alike(store: Path, first: Path, recipe: Recipe, options: Options) -> None:
    from libcell.feat.embedding import choice

    choice.require_alike(store, recipe.sight, first, bool(options.model or options.window))


def _require_extra() -> None:
    from importlib.util import find_spec

    from libcell.errors import Unavailable

    missing = [m for m in ("torch", "timm", "torchvision") if find_spec(m) is None]
    if missing:
        raise Unavailable(f"cell-feat embed needs {' and '.join(missing)} "
                          "(pip install 'libcell[train]')")


def _blocks(job: Job, stores: list[Path], recipe: Recipe) -> Iterator[Block]:
    from libcell.data import crops
    from libcell.feat.embedding.rows import ROWS

    folder, number = job.parts, 0
    for store in stores:
        for start in range(0, max(crops.open_crops(store).n, 1), ROWS):
            yield Block(f"{store} {start}", {"store": store, "start": start, "recipe": recipe,
                                             "target": folder / f"embed-{number:08d}.arrow"})
            number += 1


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    from libcell.data import crops
    from libcell.feat.embedding.rows import ROWS

    first, *others = stores = inputs.paths("crops")
    recipe, _ = _recipe(first, options, 0, "cpu")
    for store in others:
        _require_alike(store, first, recipe, options)
    counts = [crops.open_crops(s).n for s in stores]
    return {"reads": [str(s) for s in stores] + ([options.model] if options.model else []),
            "blocks": sum(-(-max(n, 1) // ROWS) for n in counts), "crops": sum(counts)}


METHOD = Method(
    name="embed",
    summary="A network's embedding of each crop: a model of yours, or any backbone of timm's.",
    run=run,
    options=Options,
    reads=("crops",),
    writes="embeddings",
    suffix=".parquet",
    example="cell-feat embed c.crops.zarr -m c.model -o e.parquet",
    needs="train",
    streams=True,
    plan=plan,
)
