"""Whether explanations are more than pretty pictures, and whether the model looks at the cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import numpy as np

    from libcell.explain.checks.verdict import Needs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Whose explanations they are, and how thoroughly they are looked at."""

    model: Annotated[str, Opt("model that was explained", ("-m", "--model"), path=True)]
    crops: Annotated[str, Opt("crop store that was explained", ("-c", "--crops"), path=True)]
    most: Annotated[int, Opt("crops to look at, evenly of the classes, drawn by --seed",
                             least=2)] = 64
    steps: Annotated[int, Opt("steps of deletion and insertion", least=2)] = 10
    absent: Annotated[str, Opt("what stands where pixels are taken away",
                               choices=("mean", "black", "blur"))] = "mean"


def run(job: Job, options: Options) -> None:
    """Draw crops, check every explanation on them, warn, write table and page."""
    from pathlib import Path

    from libcell.explain.asking.extra import require

    require(job.command)
    from libcell.explain.asking import model
    from libcell.explain.checks import sample, verdict
    from libcell.explain.checks.judge import Judge
    from libcell.run import devices

    path, store = Path(options.model), Path(options.crops)
    card = model.card_of(path)
    found = sample.opened(job.inputs.paths("explain"), path, store)
    drawn = sample.draw(found, card, store, options.most, job.seed)
    device = devices.resolve(job.device)
    judge = Judge(path, store, card, device, options.steps, options.absent, job.seed)
    needs = judge.needs(drawn)
    said = verdict.warnings_of(needs)
    judged = {}
    for i, (name, one) in enumerate(found.items()):
        judged[name] = judge.of(name, one, drawn)
        job.reporter.progress("checks", i + 1, len(found))
        said += verdict.warnings(name, judged[name][0])
    agreement = judge.agreement(drawn)
    for line in said:
        job.reporter.warn(line)
    _write(job, judged, agreement, needs, said, len(drawn.crop))
    job.publish("bundle", len(drawn.crop), warnings=len(said), **{
        name: {"gain": _rounded(f.gain[0]), "forgets": _rounded(f.forgets[0]),
               **{region: _rounded(d[0]) for region, d in f.density.items()}}
        for name, (f, _, _) in judged.items()})


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 4)


def _write(job: Job, judged: dict[str, Any], agreement: np.ndarray, needs: Needs,
           said: list[str], n: int) -> None:
    """`scores.parquet` and `faithfulness.html`; nothing where no output is asked for."""
    from libcell.data import tables
    from libcell.explain.checks import figures, page

    if not job.output:
        return
    job.root.mkdir(exist_ok=True)
    table = figures.table(judged, agreement, needs, n)
    found, curves, forgets = ({name: one[i] for name, one in judged.items()} for i in range(3))
    (job.root / "faithfulness.html").write_text(
        page.page(found, curves, forgets, agreement, needs, said), "utf-8")
    tables.write_parts(job.root / "scores.parquet", [table], table.schema, "scores",
                       job.provenance())


METHOD = Method(
    name="faithfulness",
    summary="Whether explanations hold: deletion, forgetting, agreement, and where they lie.",
    run=run,
    options=Options,
    reads=("explain", "model", "crops"),
    writes="bundle",
    suffix="",
    example="cell-explain faithfulness x.explain.zarr -m c.model -c c.crops.zarr -o checks",
    paper="Petsiuk et al. 2018, arXiv:1806.07421; Adebayo et al. 2018, arXiv:1810.03292; Zhang "
          "et al. 2018, doi:10.1007/s11263-017-1059-x (pointing game)",
    needs="train",
    optional=True,
)
