"""One HTML page from whatever the other commands made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.explain.gather.material import Material
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What the page is called, and how much it shows."""

    title: Annotated[str, Opt("heading of the page")] = "From pixels to cells"
    examples: Annotated[int, Opt("crops shown per class, and per cell of the confusion matrix",
                                 least=0)] = 12
    points: Annotated[int, Opt("objects drawn on a plane; the lasso takes all", least=1)] = 4000
    colour: Annotated[tuple[str, ...], Opt("columns to colour planes by, before all others")] = ()
    simulated: Annotated[bool, Opt("say on the page that the images are simulated",
                                   ("--simulated",))] = False


def run(job: Job, options: Options) -> None:
    """Read what there is, arrange it in sections, write the page."""
    from libcell import __version__
    from libcell.explain.gather.material import read_material
    from libcell.explain.gather.story import Telling, tell, without_crops
    from libcell.explain.page.render import LIMIT_BYTES, render

    material = read_material(job.inputs.paths())
    _require_columns(material, options.colour)
    for text in without_crops(material):
        job.reporter.warn(text)
    told = Telling(options.title, options.examples, options.points, options.colour,
                   options.simulated, f"{job.command} {__version__}")
    content = render(tell(material, told)).encode()
    if len(content) > LIMIT_BYTES:
        job.reporter.warn(f"the page has {len(content) / 1e6:.0f} MB; use fewer --examples or "
                          "--points")
    job.root.write_bytes(content)
    job.publish("report", len(material.steps))


def _require_columns(material: Material, names: tuple[str, ...]) -> None:
    from libcell.errors import DataError

    planes = [n.content for n in material.all("planes")]
    there = {c for t in planes for c in t.column_names} | {"target", "predicted", "split", "right"}
    unknown = [n for n in names if n not in there]
    if unknown:
        listed = ", ".join(sorted(c for c in there if not c.startswith("plane_")))
        raise DataError(f"--colour {unknown[0]}: no such column in a table of planes; there are "
                        f"{listed}" if planes else f"--colour {unknown[0]}: no table of planes "
                        "was given (cell-explain embed makes one)")


METHOD = Method(
    name="report",
    summary="One self-contained HTML page from whatever the other commands made.",
    run=run,
    options=Options,
    reads=("image", "labels", "crops", "features", "embeddings", "model", "predictions", "scores",
           "planes", "importances", "contributions", "explain", "tracks"),
    writes="report",
    suffix=".html",
    example="cell-explain report plate.ome.zarr c.crops.zarr f.parquet c.model p.parquet \\\n"
            "  score plane.bundle importance.bundle -o report.html",
)
