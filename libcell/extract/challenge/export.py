"""Tracks, labels and images as a challenge folder: what goes where, and the block of one frame."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import labels, objects, omissions, tables, tracks
from libcell.data import open as opening
from libcell.data.grouped import Grouped
from libcell.data.images import Source
from libcell.data.output import write_file
from libcell.errors import DataError, MissingInput, UsageFault
from libcell.extract.challenge import stack
from libcell.extract.kernels import ctc_masks, ctc_tracks
from libcell.extract.kernels.ctc_tracks import Rows

# folder after the sequence's name, names of masks, name of the text
FOLDERS = {"gt": ("_GT/TRA", "man_track", "man_track.txt"),
           "res": ("_RES", "mask", "res_track.txt")}
MEMBERS = {"gt": ("true.tracks", "predicted.tracks"), "res": ("predicted.tracks", "true.tracks")}


@dataclass(frozen=True)
class Stores:
    """The stores that are written out; `images` may be absent."""

    tracks: Path
    labels: Path
    images: Path | None


@dataclass(frozen=True)
class Field:
    """A field of view on its way to be the sequence `name`; `objects` has a row per object."""

    name: str
    labels: Source
    image: Source | None
    compartment: str
    channel: int
    frames: int
    objects: pa.Table
    rows: Rows


def stores_of(path: Path, kind: str, given_labels: str | None, given_images: str | None) -> Stores:
    """The stores of a bundle, or a track store with those that were named."""
    named = Path(given_labels) if given_labels else None
    images = Path(given_images) if given_images else None
    if path.suffix == ".tracks":
        if named is None:
            raise UsageFault(f"{path}: needs the labels that were tracked (--labels)")
        return Stores(path, named, images)
    there = [path / name for name in MEMBERS[kind] if (path / name).is_dir()]
    if not there:
        raise MissingInput(f"{path / MEMBERS[kind][0]}: not found; expected a bundle with it, or a "
                           "track store (x.tracks)")
    inside = path / "image.ome.zarr"
    return Stores(there[0], named or path / "labels.ome.zarr",
                  images or (inside if inside.is_dir() else None))


def fields(stores: Stores, compartment: str | None, channel: str) -> list[Field]:
    """Every field of view of the label store, as sequences.

    Names that are numbers, as of a bundle out of a challenge folder, stay; others are numbered
    from 01. DataError where stores do not belong together.
    """
    table = tracks.read(stores.tracks)
    tracks.graph_of(table)  # one object per track and frame, parents before children
    sources = [Source(stores.labels, g) for g in labels.fields(stores.labels)[0]]
    images = [str(objects.image_keys(s)["Metadata_Image"]) for s in sources]
    strangers = set(table.column("Metadata_Image").unique().to_pylist()) - set(images)
    if strangers:
        raise DataError(f"{stores.tracks}: is about {min(strangers)}, which {stores.labels} does "
                        f"not have; it has {', '.join(images[:4])}")
    numbered = all(re.fullmatch(r"\d{2,}", i) for i in images)
    names = images if numbered else [f"{i + 1:02d}" for i in range(len(images))]
    tracked = Grouped(table)
    return [_field(stores, name, source, tracked.of(image), compartment, channel)
            for name, source, image in zip(names, sources, images)]


def _field(
    stores: Stores, name: str, source: Source, table: pa.Table, compartment: str | None,
    channel: str,
) -> Field:
    chosen = compartment or _compartment(table) or labels.compartments_at(source)[0]
    about = labels.open_labels(source, chosen).about
    image, number = Source(stores.images, source.group) if stores.images else None, 0
    if image:
        found = opening.image(image).about
        labels.require_fit(about, found)
        number = found.channel(channel)
    t, label, track, parent = (
        table.column(n).to_numpy().astype(np.int64)
        for n in ("Metadata_T", "Metadata_Label", "track_id", "parent_track_id"))
    if t.max(initial=0) >= about.shape[0]:
        raise DataError(f"{stores.tracks}: has frame {t.max()}, but {source.where} has "
                        f"{about.shape[0]} frames")
    made, rows = ctc_tracks.as_rows(t, track, parent, str(stores.tracks))
    order = np.argsort(t, kind="stable")
    listed = pa.table({"t": t[order], "label": label[order], "track": made[order]})
    return Field(name, source, image, chosen, number, about.shape[0], listed, rows)


def _compartment(table: pa.Table) -> str | None:
    """The label image that the tracks were made on, as far as the table tells."""
    if "Metadata_Compartment" not in table.column_names:
        return None
    found = table.column("Metadata_Compartment").unique().to_pylist()
    return str(found[0]) if len(found) == 1 else None


def write_frame(
    root: Path, name: str, kind: str, number: str, t: int, source: Source, compartment: str,
    objects: Path, image: Source | None, channel: int, left: Path,
) -> dict[str, Any]:
    """Write the mask of one frame, and its picture where there is an image.

    Says how many objects of the labels are in no track, and so left out (each is noted in the
    part file `left`), and which of the tracks the labels lack.
    """
    rows = tables.read_part(objects)
    start, stop = np.searchsorted(rows.column("t").to_numpy(), [t, t + 1])
    here = rows.slice(start, stop - start)
    label, track = (here.column(n).to_numpy() for n in ("label", "track"))
    made, absent, loose = ctc_masks.relabel(
        labels.read_frame(source, compartment, t), label, track)
    tail, stem, _ = FOLDERS[kind]
    _write(root / f"{name}{tail}" / f"{stem}{number}.tif", made)
    if image:
        _write(root / name / f"t{number}.tif", opening.image(image).read(t=t, c=channel))
    if loose.size:
        tables.write_part(left, _omissions(source, compartment, t, loose))
    return {"objects": len(label) - len(absent) + int(loose.size),
            "loose": int(loose.size), "left": left.name,
            "absent": [[t, int(n), int(k)] for n, k in zip(label, track) if n in absent]}


def _omissions(source: Source, compartment: str, t: int, loose: np.ndarray) -> pa.Table:
    """Table `omissions` of the objects of a frame that are in no track."""
    keys = objects.image_keys(source)
    ids = objects.key_columns(keys, t, compartment, loose)["object_id"]
    return omissions.table([(source.path.name, i, "in no track") for i in ids],
                           keys["Metadata_Image"])


def require_all(field: Field, absent: list[list[int]]) -> None:
    """DataError where labels lack an object (frame, label, track) that is in a track."""
    if absent:
        t, label, track = absent[0]
        more = f" (and {len(absent) - 1} more such)" if absent[1:] else ""
        raise DataError(f"{field.labels.where}: frame {t} has no label {label}, which is in track "
                        f"{track}{more}; are these the labels that were tracked?")


def _write(path: Path, planes: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, stack.encode(planes))
