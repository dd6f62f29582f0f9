"""Masks of another program to a label store that fits its image store: label images, binary
masks, folders with one mask an object, ImageJ's ROIs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    from libcell.data.image import About
    from libcell.extract.fields.assemble import Assembled
    from libcell.extract.fields.plan import FieldFiles
    from libcell.extract.masks.draw import Drawing
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """Which image the masks belong to, and how their names tell the field of view."""

    like: Annotated[str, Opt("image store that the masks belong to", path=True)]
    pattern: Annotated[str | None, Opt(
        "file names, as for `images`; without it a mask belongs to the image of its own name"
    )] = None
    compartment: Annotated[str, Opt("name of the label image: nuclei, cells, ...")] = "nuclei"
    components: Annotated[bool, Opt(
        "masks are binary: number their connected components", ("--components",))] = False
    overlap: Annotated[str, Opt(
        "who has a pixel that several masks or ROIs claim: the last or first by name, or the "
        "largest", choices=("last", "first", "largest"))] = "last"


def run(job: Job, options: Options) -> None:
    """Write the masks of every field of view, then the root."""
    from libcell.data import digests, labels

    pairs = match(job.inputs.paths(), options)
    blocks = [
        Block(group, {"root": job.root, "like": options.like, "group": group,
                      "files": masks.files, "source_group": masks.source_group,
                      "compartment": options.compartment, "components": options.components,
                      "overlap": options.overlap, "link": job.link(_path(options.like)),
                      "left": job.parts / f"left-{i:06d}.arrow"})
        for i, (group, masks) in enumerate(pairs)
    ]
    groups, results = [], []
    for block, done in job.map("fields", write_field, blocks):
        groups.append(block.args["group"])
        results.append(done)
        job.part("labels", block.args["group"], done["n"])
    job.settle()
    mark = {"role": "input", "schema": None,
            "digest": digests.of_json([d["files"] for d in results])}
    provenance = job.provenance([mark])
    told = _tell_left(job, results)
    labels.seal(job.root, groups, [options.compartment], [d["digest"] for d in results],
                provenance)
    job.publish("labels", len(groups), **told)


def _tell_left(job: Job, results: list[dict[str, Any]]) -> dict[str, int]:
    """Where objects came one by one: note those that the labels go without, and overlaps."""
    from libcell.data import tables

    drawn = [d for d in results if "part" in d]
    if not drawn:
        return {}
    twice, total = (sum(d[k] for d in drawn) for k in ("twice", "total"))
    if twice:
        job.reporter.warn(f"{twice} pixels are claimed by several objects; the "
                          f"{job.options.overlap} one has them (see --overlap)")
    left = [tables.read_part(job.parts / d["part"]) for d in drawn]
    return {"left_out": job.leave_out(job.root, left, total, "objects")}


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)


def match(paths: list[Path], options: Options) -> list[tuple[str, FieldFiles]]:
    """(group, masks) for every field of view that has masks, in the image store's order.

    Leading zeros count only where they must. DataError names masks that belong to no field of
    view, or to the same.
    """
    from libcell.data import open as opening
    from libcell.errors import DataError
    from libcell.extract.fields.plan import plan_fields
    from libcell.extract.masks.sources import expand

    paths = expand(paths)
    groups = opening.groups(_path(options.like))
    fields = plan_fields(paths, options.pattern, None)
    if len(fields) == 1 and len(groups) == 1:
        return [(groups[0], fields[0])]
    loose: dict[str, list[str]] = {}
    for group in groups:
        loose.setdefault(_key(group), []).append(group)
    found: dict[str, FieldFiles] = {}
    lost = []
    for field in fields:
        name = field.group or _name(_first_file(field))  # a single file needs no name elsewhere
        key = _key(name)
        place = [name] if name in loose.get(key, ()) else loose.get(key, [])
        if len(place) != 1:
            lost.append(name)
            continue
        if place[0] in found:
            raise DataError(f"{_first_file(field)} and {_first_file(found[place[0]])}: both are "
                            f"masks of {place[0]}")
        found[place[0]] = field
    if lost:
        raise DataError(
            f"{options.like}: has no field of view for {len(lost)} of {len(fields)} masks, "
            f"e.g. {lost[0]}; its fields are {', '.join(groups[:4])} (see --pattern)"
        )
    return [(g, found[g]) for g in groups if g in found]


def _first_file(field: FieldFiles) -> Path:
    return next(iter(field.files.values()))


def _name(path: Path) -> str:
    from libcell.extract.kernels import pattern

    return pattern.plain(pattern.stem(path.name))


def _key(group: str) -> str:
    """Group without leading zeros in a well's column, so that A/1/0 meets A/01/0."""
    parts = group.split("/")
    return "/".join(p.lstrip("0") or "0" if p.isdigit() else p for p in parts)


def write_field(
    root: Path, like: str, group: str, files: dict[Any, Path], source_group: str | None,
    compartment: str, components: bool, overlap: str, link: str | None, left: Path,
) -> dict[str, Any]:
    """Read, check and write the masks of one field of view; objects left out go to `left`."""
    import hashlib

    import numpy as np

    from libcell.data import images, labels
    from libcell.data import open as opening
    from libcell.data.images import Source
    from libcell.extract.masks.draw import told

    image = opening.image(Source(_path(like), group)).about
    masks = _open(group, files, source_group, image, components, overlap)
    levels = labels.create(root, image, [compartment], link)[compartment]
    seal, count = hashlib.sha256(), 0
    for t in range(image.shape[0]):
        found = masks.read(t)
        count += np.unique(found[found > 0]).size
        seal.update(found.tobytes())
        for y in range(0, found.shape[1], images.SHARD):
            for x in range(0, found.shape[2], images.SHARD):
                part = found[:, y : y + images.SHARD, x : x + images.SHARD]
                images.write_region(levels, t, 0, y, x, part, mean=False)
    done = {"n": count, "digest": f"sha256:{seal.hexdigest()}"}
    if isinstance(masks, Whole):
        return done | {"files": masks.digest()}
    return done | told(masks.drawing, group or image.name, left)


def _open(
    group: str, files: dict[Any, Path], source_group: str | None, image: About,
    components: bool, overlap: str,
) -> Whole | Apiece:
    """A field's masks of either kind. DataError where they do not fit the image."""
    from libcell.errors import DataError
    from libcell.extract.fields.assemble import assemble
    from libcell.extract.masks.draw import gather
    from libcell.extract.masks.sources import is_objects

    apiece = [is_objects(path) for path in files.values()]
    if any(apiece):
        if not all(apiece):
            raise DataError(f"{next(iter(files.values()))}: a field has label images and objects "
                            "one by one; give one kind")
        return Apiece(gather(files, (image.shape[0], *image.shape[2:])), overlap)
    masks = assemble(group, {}, files, source_group)
    _require_masks(masks.about, image)
    return Whole(masks, components)


class Whole:
    """Masks that hold a frame's objects all at once."""

    def __init__(self, masks: Assembled, components: bool):
        self._masks, self._components = masks, components
        self.digest = masks.digest

    def read(self, t: int) -> Any:
        """The labels (Z,Y,X) uint32 of one frame."""
        found = self._masks.read(t, 0, slice(None))
        return as_labels(found, self._components, self._masks.about.where)


class Apiece:
    """Masks that hold one object each."""

    def __init__(self, drawing: Drawing, overlap: str):
        self.drawing, self._overlap = drawing, overlap

    def read(self, t: int) -> Any:
        """The labels (Z,Y,X) uint32 of one frame."""
        return self.drawing.frame(t, self._overlap)


def _require_masks(masks: About, image: About) -> None:
    from libcell.data import labels
    from libcell.errors import DataError

    if masks.shape[1] != 1:
        raise DataError(f"{masks.where}: has {masks.shape[1]} channels; a label image has one")
    labels.require_fit(masks, image)


def as_labels(values: Any, components: bool, where: str) -> Any:
    """(Z,Y,X) masks of any dtype as uint32 labels. DataError for what is no label."""
    import numpy as np
    from scipy import ndimage

    from libcell.errors import DataError

    if components:
        structure = np.ones((3,) * values.ndim)
        return ndimage.label(values > 0, structure)[0].astype(np.uint32)
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values % 1 == 0).all()):
        raise DataError(f"{where}: holds fractions; labels are whole numbers")
    if values.size and (values.min() < 0 or values.max() > np.iinfo(np.uint32).max):
        raise DataError(f"{where}: labels from {values.min()} to {values.max()} do not fit uint32")
    return values.astype(np.uint32)


METHOD = Method(
    name="labels",
    summary="Masks of another program to a label store that fits its image store.",
    run=run,
    options=Options,
    reads=("files",),
    writes="labels",
    suffix=".labels.ome.zarr",
    example="cell-extract labels 'masks/*.tif' --like x.ome.zarr -o x.labels.ome.zarr\n"
            "cell-extract labels stage1_train/ --like x.ome.zarr -o x.labels.ome.zarr\n"
            "cell-extract labels 'rois/*.zip' --like x.ome.zarr -o x.labels.ome.zarr",
)
