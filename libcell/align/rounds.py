"""One imaging round onto another: translation, all channels moved together, cropped to both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.data.image import About, Image
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What is moved, and which channels show the same thing in both rounds."""

    moving: Annotated[str, Opt("image store that is moved onto INPUT; same groups", path=True)]
    channel: Annotated[str, Opt("channel of the reference to register by",
                                ("-c", "--channel"))] = "1"
    moving_channel: Annotated[str | None, Opt("its partner in the moving round [the same]")] = None
    prefix: Annotated[str, Opt("put before the names of the moving round's channels")] = "R2_"
    max_shift: Annotated[float | None, Opt("largest shift in px along y or x", least=0)] = None
    order: Annotated[int, Opt("interpolation: 0 nearest, 1 linear, 3 cubic", least=0, most=3)] = 3


def run(job: Job, options: Options) -> None:
    """Register and write every pair; pairs that do not match are flagged and left out."""
    from libcell.data import image_store, tables
    from libcell.errors import UsageFault

    if options.order == 2:
        raise UsageFault("--order 2: expected 0 (nearest), 1 (linear) or 3 (cubic)")
    blocks = (
        Block(s.where, {"reference": s, "root": job.root, "options": asdict(options)})
        for s in job.inputs.fields("image")
    )
    groups, content, rows = [], [], []
    for block, done in job.map("pairs", align_pair, blocks):
        rows.append(done["row"])
        if not done["row"]["matched"]:
            job.reporter.warn(f"{block.key}: not matched: {done['row']['reason']}")
            continue
        groups.append(block.args["reference"].group or "")
        content.append(done["digest"])
        job.part("image", groups[-1], done["n"])
    job.settle()
    _require_some(groups, rows)
    provenance = job.provenance()
    table = tables.from_columns("transforms", {k: [r[k] for r in rows] for k in rows[0]})
    tables.write_parts(job.root / "transforms.parquet", [table], table.schema, "transforms",
                       provenance)
    name = job.output.path.name.split(".")[0] if job.output else "aligned"
    image_store.seal(job.root, name, groups, content, provenance)
    job.publish("image", len(groups), unmatched=len(rows) - len(groups))


def _require_some(groups: list[str], rows: list[dict[str, Any]]) -> None:
    from libcell.errors import DataError

    if not groups:
        reason = f", e.g. {rows[0]['Metadata_Image']}: {rows[0]['reason']}" if rows else ""
        raise DataError(f"none of {len(rows)} pairs match{reason}")


def align_pair(reference: Any, root: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Find the shift of one field of view, and write both rounds where both have data."""
    from pathlib import Path

    from libcell.align.kernels import translation
    from libcell.data import open as opening
    from libcell.data.images import Source

    given = Options(**options)
    still = opening.image(reference)
    moving = opening.image(Source(Path(given.moving), reference.group))
    _require_pair(still.about, moving.about, given.prefix)
    seen = _projected(still, given.channel)
    other = _projected(moving, given.moving_channel or given.channel)
    found = translation.find_shift(seen, other, given.max_shift)
    row = _row(still.about, found)
    if not found.matched:
        return {"row": row}
    digest, n = _write_pair(root, still, moving, (found.dy, found.dx), given, row)
    return {"row": row, "digest": digest, "n": n}


def _require_pair(still: About, moving: About, prefix: str) -> None:
    from libcell.errors import DataError

    if (still.shape[0], still.shape[2]) != (moving.shape[0], moving.shape[2]) or still.shape[0] > 1:
        raise DataError(
            f"{moving.where}: {moving.shape[0]} frames of {moving.shape[2]} planes, "
            f"{still.where} has {still.shape[0]} of {still.shape[2]}; rounds are single frames "
            "with the same planes"
        )
    twice = sorted(set(still.channels) & {f"{prefix}{name}" for name in moving.channels})
    if twice:
        raise DataError(f"{still.where}: has a channel {twice[0]} already, which one of "
                        f"{moving.where} would be called, too; use another --prefix")
    if still.dtype != moving.dtype:
        raise DataError(f"{moving.where}: is {moving.dtype}, {still.where} is {still.dtype}")


def _projected(image: Image, channel: str) -> Any:
    """One channel (Y,X); planes by their maximum."""
    return image.read(c=image.about.channel(channel)).max(axis=0)


def _row(about: About, found: Any) -> dict[str, Any]:
    """A row of the table `transforms`; figures that do not exist are null."""
    import math

    def figure(value: float) -> float | None:
        return float(value) if math.isfinite(value) else None

    return {
        "Metadata_Image": about.group or about.name, "Metadata_T": 0,
        "dy": figure(found.dy) if found.matched else None,
        "dx": figure(found.dx) if found.matched else None,
        "quality": figure(found.quality),
        "correlation_before": figure(found.correlation_before),
        "correlation_after": figure(found.correlation_after),
        "matched": bool(found.matched), "reason": found.reason or None,
    }


def _write_pair(
    root: Path, still: Image, moving: Image, shift: tuple[float, float], given: Options,
    row: dict[str, Any],
) -> tuple[str, int]:
    """Both rounds' channels over the region that both have seen; digest and planes."""
    import hashlib
    from dataclasses import replace

    from libcell.align.kernels.resample import apply_shift
    from libcell.data import image_store, images

    size = still.about.shape[3:]
    probe = moving.read(c=0)[:1]
    region = apply_shift(probe, shift, given.order, size)[1]
    height, width = (s.stop - s.start for s in region)
    own, theirs = still.about.channels, moving.about.channels
    names = (*own, *(f"{given.prefix}{name}" for name in theirs))
    about = replace(still.about, channels=names,
                    shape=(1, len(names), still.about.shape[2], height, width))
    levels = image_store.create(root, about)
    seal, windows = hashlib.sha256(), []
    for c in range(len(names)):
        if c < len(own):
            pixels = still.read(c=c, y=region[0], x=region[1])
        else:
            moved = apply_shift(moving.read(c=c - len(own)), shift, given.order, size)[0]
            pixels = moved[:, region[0], region[1]]
        seal.update(pixels.tobytes())
        windows.append(image_store.window(pixels[:, ::4, ::4]))
        for y in range(0, height, images.SHARD):
            for x in range(0, width, images.SHARD):
                part = pixels[:, y : y + images.SHARD, x : x + images.SHARD]
                images.write_region(levels, 0, c, y, x, part, mean=True)
    origin = [region[0].start, region[1].start]
    image_store.describe(root, about, windows, {"transform": row | {"origin_px": origin}})
    return f"sha256:{seal.hexdigest()}", len(names)


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    return inputs.plan("image", options.moving)


METHOD = Method(
    name="rounds",
    summary="One imaging round onto another by a common channel; both cropped to what they share.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="image",
    suffix=".ome.zarr",
    example="cell-align rounds round1.ome.zarr --moving round2.ome.zarr -c DNA -o both.ome.zarr",
    paper="normalised cross-correlation (Lewis 1995), then Newton's method on the cross-spectrum "
          "(Guizar-Sicairos 2008, doi:10.1364/OL.33.000156)",
    plan=plan,
)
