"""One HTML page from whatever the other commands made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What the page is called, and how many examples it shows."""

    title: Annotated[str, Opt("heading of the page")] = "From pixels to cells"
    examples: Annotated[int, Opt("crops shown per class, and per cell of the confusion matrix",
                                 least=0)] = 12
    simulated: Annotated[bool, Opt("say on the page that the images are simulated",
                                   ("--simulated",))] = False


def run(job: Job, options: Options) -> None:
    """Read what there is, arrange it in sections, write the page."""
    from libcell import __version__
    from libcell.explain.gather.material import read_material
    from libcell.explain.gather.story import tell
    from libcell.explain.page.render import LIMIT_BYTES, render

    material = read_material(job.inputs.paths())
    page = render(tell(material, options.title, options.examples, options.simulated,
                       f"{job.command} {__version__}"))
    content = page.encode()
    if len(content) > LIMIT_BYTES:
        job.reporter.warn(f"the page has {len(content) / 1e6:.0f} MB; use fewer --examples")
    job.root.write_bytes(content)
    job.publish("report", len(material.steps))


METHOD = Method(
    name="report",
    summary="One self-contained HTML page from whatever the other commands made.",
    run=run,
    options=Options,
    reads=("image", "labels", "crops", "features", "model", "predictions", "scores",
           "importances", "tracks"),
    writes="report",
    suffix=".html",
    example="cell-explain report plate.ome.zarr c.crops.zarr f.parquet c.model p.parquet \\\n"
            "  score/scores.parquet i.parquet -o report.html",
)
