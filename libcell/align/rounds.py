"""One imaging round onto another: all channels moved together, cropped to what both have seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.align.stores.fit import Fit, Move
    from libcell.data.image import About, Image
    from libcell.data.images import Source
    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


PICTURES = "pictures"  # folder in the output


@dataclass(frozen=True)
class Options:
    """What is moved, and which channels show the same thing in both rounds."""

    moving: Annotated[str, Opt("image store that is moved onto INPUT; same groups", path=True)]
    channel: Annotated[str, Opt("channel of the reference to register by",
                                ("-c", "--channel"))] = "1"
    moving_channel: Annotated[str | None, Opt("its partner in the moving round [the same]")] = None
    prefix: Annotated[str, Opt("put before the names of the moving round's channels")] = "R2_"
    model: Annotated[str, Opt(
        "map of one round onto the other; rigid: turned as well; affine: also stretched and "
        "sheared by some percent", choices=("translation", "rigid", "affine"))] = "translation"
    max_shift: Annotated[float | None, Opt("largest shift in px along y or x", least=0)] = None
    max_rotation: Annotated[float, Opt(
        "largest rotation in degrees either way, where --model is not translation", least=0,
        most=180)] = 15.0
    order: Annotated[int, Opt("interpolation: 0 nearest, 1 linear, 3 cubic", least=0, most=3)] = 3
    labels: Annotated[str | None, Opt(
        "label store of INPUT, to go with the pair without the cells that only one round shows "
        "wholly; needs -o x.bundle", path=True)] = None
    min_kept: Annotated[float, Opt(
        "a cell is lost if less than this part of its stained area (by Otsu's threshold) is "
        "stained in the moving round; 0: none is", least=0, most=1)] = 0.2
    pictures: Annotated[bool, Opt(
        "overlays as PNG in pictures/ of the output, before beside after: reference red, moving "
        "round green", ("--pictures",))] = False


def run(job: Job, options: Options) -> None:
    """Register and write every pair; pairs that do not match are flagged and left out."""
    from libcell.align.stores import films
    from libcell.data import image_store, tables
    from libcell.errors import UsageFault

    if options.order == 2:
        raise UsageFault("--order 2: expected 0 (nearest), 1 (linear) or 3 (cubic)")
    films.require_bundle(job.kind, options.labels)
    image = films.image_place(job.root, job.kind)
    blocks = (
        Block(s.where, {"reference": s, "root": image, "options": asdict(options),
                        "pictures": job.root / PICTURES if options.pictures else None})
        for s in job.inputs.fields("image")
    )
    groups, content, rows, masks = [], [], [], []
    for block, done in job.map("pairs", align_pair, blocks):
        rows.append(done["row"])
        if not done["row"]["matched"]:
            job.reporter.warn(f"{block.key}: not matched: {done['row']['reason']}")
            continue
        groups.append(block.args["reference"].group or "")
        content.append(done["digest"])
        masks.append(done["labels"])
        if job.kind == "image":
            job.part("image", groups[-1], done["n"])
    job.settle()
    _require_some(groups, rows)
    provenance = job.provenance()
    names = list(dict.fromkeys(name for r in rows for name in r))
    table = tables.from_columns("transforms", {k: [r.get(k) for r in rows] for k in names})
    tables.write_parts(job.root / "transforms.parquet", [table], table.schema, "transforms",
                       provenance)
    name = job.output.path.name.split(".")[0] if job.output else "aligned"
    image_store.seal(image, name, groups, content, provenance)
    more = _seal_labels(job, groups, masks, provenance) if options.labels else {}
    job.publish(job.kind, len(groups), unmatched=len(rows) - len(groups), **more)


def _seal_labels(
    job: Job, groups: list[str], masks: list[dict[str, Any]], provenance: dict[str, Any]
) -> dict[str, int]:
    """The label store's root, and the table of the cells that are left out."""
    from libcell.align.stores.films import LABELS
    from libcell.data import labels, omissions

    labels.seal(job.root / LABELS, groups, masks[0]["compartments"],
                [m["digest"] for m in masks], provenance)
    left = [omissions.table(m["left"], g or None) for g, m in zip(groups, masks)]
    total = sum(m["n"] for m in masks)
    return {"left_out": job.leave_out(job.root, left, total, "labels")}


def _require_some(groups: list[str], rows: list[dict[str, Any]]) -> None:
    from libcell.errors import DataError

    if not groups:
        reason = f", e.g. {rows[0]['Metadata_Image']}: {rows[0]['reason']}" if rows else ""
        raise DataError(f"none of {len(rows)} pairs match{reason}")


def align_pair(
    reference: Source, root: Path, options: dict[str, Any], pictures: Path | None
) -> dict[str, Any]:
    """Find how one field of view moved, and write both rounds where both have data."""
    from pathlib import Path

    from libcell.align.stores import films
    from libcell.align.stores.fit import Search, fit
    from libcell.data import open as opening
    from libcell.data.images import Source

    given = Options(**options)
    still = opening.image(reference)
    compartments = films.compartments_of(given.labels, reference, still.about)
    moving = opening.image(Source(Path(given.moving), reference.group))
    _require_pair(still.about, moving.about, given.prefix)
    seen = still.read(c=still.about.channel(given.channel))
    other = moving.read(c=moving.about.channel(given.moving_channel or given.channel))
    search = Search(given.model, given.max_rotation, given.max_shift)
    found = fit(seen, other, still.about, search, given.order)
    if pictures:
        _draw(pictures, found, still.about)
    if found.move is None:
        return {"row": found.row}
    digest, about = _write_pair(root, still, moving, found, given)
    result = {"row": found.row, "digest": digest, "n": about.shape[1], "labels": {}}
    if compartments:
        result["labels"] = _write_labels(root, reference, still.about, (seen, other), found.move,
                                         given, about)
    return result


def _draw(folder: Path, found: Fit, about: About) -> None:
    """The overlay of one field of view, in the folder of its group."""
    from libcell.align.kernels.overlay import before_and_after

    moved = None
    if found.move:
        moved = found.move.apply(found.seen[1][None], about, whole=True)[0]
    place = folder / f"{about.group or 'overlay'}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(before_and_after(*found.seen, moved))


def _require_pair(still: About, moving: About, prefix: str) -> None:
    from libcell.errors import DataError

    flat = (still.shape[2] == 1, moving.shape[2] == 1)
    if max(still.shape[0], moving.shape[0]) > 1 or flat[0] != flat[1]:
        raise DataError(
            f"{moving.where}: {moving.shape[0]} frames of {moving.shape[2]} planes, "
            f"{still.where} has {still.shape[0]} of {still.shape[2]}; rounds are single frames, "
            "both of one plane or both stacks"
        )
    twice = sorted(set(still.channels) & {f"{prefix}{name}" for name in moving.channels})
    if twice:
        raise DataError(f"{still.where}: has a channel {twice[0]} already, which one of "
                        f"{moving.where} would be called, too; use another --prefix")
    if still.dtype != moving.dtype:
        raise DataError(f"{moving.where}: is {moving.dtype}, {still.where} is {still.dtype}")


def _write_pair(
    root: Path, still: Image, moving: Image, found: Fit, given: Options
) -> tuple[str, About]:
    """Both rounds' channels over the region that both have seen; digest, and what it is."""
    import hashlib
    from dataclasses import replace

    from libcell.data import image_store, images

    move = found.move
    assert move
    region, planes = move.region, move.planes
    height, width = (s.stop - s.start for s in region)
    own, theirs = still.about.channels, moving.about.channels
    names = (*own, *(f"{given.prefix}{name}" for name in theirs))
    about = replace(still.about, channels=names,
                    shape=(1, len(names), planes[0].stop - planes[0].start, height, width))
    levels = image_store.create(root, about)
    seal, windows = hashlib.sha256(), []
    for c in range(len(names)):
        if c < len(own):
            pixels = still.read(c=c, z=planes[0], y=region[0], x=region[1])
        else:
            pixels = move.apply(moving.read(c=c - len(own), z=planes[1]), still.about)
        seal.update(pixels.tobytes())
        windows.append(image_store.window(pixels[:, ::4, ::4]))
        for y in range(0, height, images.SHARD):
            for x in range(0, width, images.SHARD):
                part = pixels[:, y : y + images.SHARD, x : x + images.SHARD]
                images.write_region(levels, 0, c, y, x, part, mean=True)
    origin = [region[0].start, region[1].start]
    if planes[0].start:
        origin.insert(0, planes[0].start)
    image_store.describe(root, about, windows, {"transform": found.row | {"origin_px": origin}})
    return f"sha256:{seal.hexdigest()}", about


def _write_labels(
    root: Path, reference: Source, like: About, seen: tuple[Any, Any], move: Move, given: Options,
    about: About,
) -> dict[str, Any]:
    """The reference's label images over the region that both rounds have seen, without the
    cells that reach out of it or were lost in between; `seen` is what was compared (Z,Y,X).

    Nucleus, cell and cytoplasm of one number stay or go together.
    """
    import numpy as np

    from libcell.align.kernels import lost
    from libcell.align.stores import films
    from libcell.data import digests, labels

    place = films.labels_at(given.labels or "", reference)
    compartments = labels.compartments_at(place)
    levels = labels.create(root.parent / films.LABELS, about, compartments, f"../{films.IMAGE}")
    still = seen[0][move.planes[0], move.region[0], move.region[1]]
    moved = move.apply(seen[1][move.planes[1]], like)
    masks = {c: labels.read_frame(place, c, 0) for c in compartments}
    whole = lost.together(list(masks.values()))
    left, seals, n = [], [], 0
    for compartment, own in masks.items():
        gone = _gone(own if whole is None else whole, move, still, moved, given.min_kept)
        ids = np.unique(own[own > 0])
        out = [int(k) for k in ids if int(k) in gone]
        kept = own[move.planes[0], move.region[0], move.region[1]]
        kept = np.where(np.isin(kept, np.array(out, own.dtype)), 0, kept).astype(own.dtype)
        seals.append(films.write_planes(levels[compartment], 0, 0, kept, mean=False))
        left += [(place.path.name, f"{compartment}:{k}", gone[k]) for k in out]
        n += ids.size
    return {"compartments": compartments, "digest": digests.of_json(seals), "left": left, "n": n}


def _gone(masks: Any, move: Move, seen: Any, moved: Any, min_kept: float) -> dict[int, str]:
    """Of labels (Z,Y,X) the ids that are left out, with the reason."""
    from libcell.align.kernels import lost

    part = (move.planes[0], *move.region)
    gone = {int(k): "not wholly in both rounds" for k in lost.cut_labels(masks, part)}
    for k, fraction in zip(*lost.kept_fractions(masks[part], seen, moved)):
        if fraction < min_kept:  # nan is not
            gone.setdefault(int(k), f"lost between the rounds: {fraction:.0%} of its stain is left")
    return gone


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read and written."""
    return inputs.plan("image", *(p for p in (options.moving, options.labels) if p))


METHOD = Method(
    name="rounds",
    summary="One imaging round onto another by a common channel; both cropped to what they share.",
    run=run,
    options=Options,
    reads=("image", "files"),
    writes="image",
    suffix=".ome.zarr",
    also=(("bundle", ".bundle"),),
    example="cell-align rounds round1.ome.zarr --moving round2.ome.zarr -c DNA -o both.ome.zarr",
    paper="normalised cross-correlation (Lewis 1995), then Newton's method on the cross-spectrum "
          "(Guizar-Sicairos 2008, doi:10.1364/OL.33.000156); for rotations and affine maps the "
          "enhanced correlation coefficient (Evangelidis 2008, doi:10.1109/TPAMI.2008.113)",
    plan=plan,
)
