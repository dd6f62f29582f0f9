"""From an object_id to its field of view: a picture with the object outlined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from libcell.explain.fields.objects import Known
    from libcell.run.job import Job

TOLD = ("target", "predicted", "split", "explained")


@dataclass(frozen=True)
class Options:
    """Which object, and where its pixels are."""

    object: Annotated[str, Opt("object_id; may be the first INPUT", first=True)]
    images: Annotated[str, Opt("image store that it was seen in", path=True)]
    labels: Annotated[str | None, Opt("label store with its outline [its box is drawn]",
                                      path=True)] = None
    channels: Annotated[tuple[str, ...], Opt("channels by name or number [the first four]",
                                             ("-c", "--channels"))] = ()


def run(job: Job, options: Options) -> None:
    """Find the object, read its field, draw both."""
    from pathlib import Path

    from libcell.errors import DataError
    from libcell.explain.fields import objects, planes

    paths = job.inputs.paths(*METHOD.reads)
    one = objects.known(options.object, paths)
    images = Path(options.images)
    source = planes.field_of(images, one.image)
    pixels, names = planes.pixels(source, one.t, options.channels)
    store = _labels(options, paths)
    mask = planes.mask(store, one.image, one.t, one.compartment, one.label) if store else None
    if mask is not None and mask.shape != pixels.shape[1:]:
        raise DataError(f"{store}: labels are {mask.shape[0]} x {mask.shape[1]} px, {source.where} "
                        f"is {pixels.shape[1]} x {pixels.shape[2]}")
    box = planes.box_of(mask) if mask is not None else one.box
    if box is None:
        raise DataError(f"{paths[0]}: does not tell where {one.object_id} is; give --labels, or "
                        "crops as INPUT")
    command = _napari(images, store, one)
    if command:
        job.reporter.note(command)
    if job.output:
        job.root.write_bytes(_picture(pixels, names, box, mask, one))
    job.publish("files", 1, object_id=one.object_id, box=list(box), napari=command)


def _labels(options: Options, paths: list[Path]) -> Path | None:
    """The label store: named, or one of the inputs."""
    from pathlib import Path

    from libcell.data.images import open_root
    from libcell.data.open import is_zarr

    if options.labels:
        return Path(options.labels)
    return next((p for p in paths if is_zarr(p)
                 and str(open_root(p).attrs.get("schema", "")).startswith("labels/")), None)


def _picture(pixels: np.ndarray, names: list[str], box: Any, mask: np.ndarray | None,
             one: Known) -> bytes:
    from libcell.explain.drawing import field, overlay
    from libcell.explain.page.pictures import windows

    rgb = overlay.shown(pixels, windows(pixels[None]))
    told = [f"{k} {one.row[k]}" for k in TOLD if one.row.get(k) is not None]
    text = ", ".join([one.object_id, *told, f"channels {', '.join(names)}"])
    return overlay.png(field.side_by_side(
        [field.whole(rgb, [(box, field.ORANGE)]), field.near(rgb, box, mask)], text))


def _napari(images: Path, labels: Path | None, one: Known) -> str | None:
    """The command line that opens field and labels in napari; None where napari is not there."""
    import shlex
    from importlib.util import find_spec

    if find_spec("napari") is None:
        return None
    from libcell.data import open as opening
    from libcell.data.labels import label_path

    group = one.image if one.image in opening.groups(images) else ""
    places = [images / group if group else images]
    if labels:
        places.append(labels / label_path(group, one.compartment))
    return "napari " + " ".join(shlex.quote(str(p)) for p in places)


METHOD = Method(
    name="open",
    summary="From an object_id to its field of view: a picture with the object outlined.",
    run=run,
    options=Options,
    reads=("crops", "labels", "objects", "features", "embeddings", "predictions", "explain"),
    writes="files",
    suffix=".png",
    optional=True,
    example="cell-explain open B/03/1:t0:nuclei:7 c.crops.zarr --images plate.ome.zarr \\\n"
            "  --labels n.labels.ome.zarr -o x.png",
)
