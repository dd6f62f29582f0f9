"""What the pictures of one field of view are made from: tracks, pixels, masks and stages."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from libcell.data import images, labels, tables, tracks
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.track.compared.pairs import group_of
from libcell.track.pictures.film import Scene

SAMPLES = 5  # frames that the window of brightness is read from
WINDOW = (1.0, 99.7)  # percentiles that become black and white


@dataclass(frozen=True)
class Stores:
    """Where pixels and masks lie, and which of them; None where there are none."""

    images: Path | None
    labels: Path | None
    compartment: str | None
    channel: str | None


def stages_of(table: pa.Table, path: Path) -> tuple[list[str | None], list[str]]:
    """The stage of every row of a table `links`, and all stages in the order of the model."""
    read = tables.read(path, "predictions")
    names = [n.removeprefix("p_") for n in read.column_names if n.startswith("p_")]
    told = dict(zip(read.column("object_id").to_pylist(), read.column("predicted").to_pylist()))
    found = [told.get(i) for i in table.column("object_id").to_pylist()]
    if found and not any(found):
        raise DataError(f"{path}: has no object of the tracks; its first is "
                        f"{next(iter(told), 'none')}, theirs {table.column('object_id')[0]}")
    known = set(names)
    return found, names + sorted({s for s in told.values() if s and s not in known})


def scene(table: pa.Table, stores: Stores, index: np.ndarray, image: str) -> Scene:
    """One field of view (rows of table `links`) as it is drawn."""
    t, label = (table.column(n).to_numpy().astype(np.int64)
                for n in ("Metadata_T", "Metadata_Label"))
    places = np.stack([table.column(a).to_numpy() for a in "yx"], axis=1)
    graph = tracks.graph_of(table)
    before = np.full(t.size, -1)
    before[graph.edges[:, 1]] = graph.edges[:, 0]
    splits = np.bincount(graph.edges[:, 0], minlength=t.size) > 1
    outlines, seen = _masks(stores, image)
    picture, size = _pixels(stores, image)
    shape = seen or size or _extent(t, places)
    if seen and size and seen != size:
        raise DataError(f"{stores.labels}: {image}: labels are {_said(seen)} (T,Y,X), the images "
                        f"{stores.images} are {_said(size)}")
    if t.size and t.max() >= shape[0]:
        raise DataError(f"{stores.labels or stores.images}: {image}: has {shape[0]} frames, the "
                        f"tracks reach frame {t.max()}")
    return Scene(t, label, places, before, splits, index, shape, picture, outlines)


def _said(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _extent(t: np.ndarray, places: np.ndarray) -> tuple[int, int, int]:
    """Without any store: what the places need."""
    if not t.size:
        return 1, 1, 1
    height, width = (int(v) + 10 for v in np.ceil(places.max(axis=0)))
    return int(t.max()) + 1, height, width


def _masks(
    stores: Stores, image: str
) -> tuple[Callable[[int], np.ndarray] | None, tuple[int, int, int] | None]:
    if not stores.labels:
        return None, None
    source = Source(stores.labels, group_of(stores.labels, image))
    compartment = stores.compartment or labels.compartments_at(source)[0]
    shape = labels.open_labels(source, compartment).about.shape

    def read(t: int) -> np.ndarray:
        return np.asarray(labels.read_frame(source, compartment, t).max(axis=0))

    return read, (shape[0], *shape[3:])


def _pixels(
    stores: Stores, image: str
) -> tuple[Callable[[int], np.ndarray] | None, tuple[int, int, int] | None]:
    if not stores.images:
        return None, None
    groups = images.list_groups(images.open_root(stores.images), stores.images)
    group = image if image in groups or len(groups) != 1 else groups[0]
    pictures = images.open_source(Source(stores.images, group))
    about = pictures.about
    channel = about.channel(stores.channel) if stores.channel else 0

    def flat(t: int) -> np.ndarray:
        return np.asarray(pictures.read(t=t, c=channel).max(axis=0), np.float32)

    some = np.unique(np.linspace(0, about.shape[0] - 1, SAMPLES).astype(int))
    ends = np.array([np.percentile(flat(int(t)), WINDOW) for t in some])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())

    def read(t: int) -> np.ndarray:
        return np.asarray((flat(t) - low) / max(high - low, 1e-9))

    return read, (about.shape[0], *about.shape[3:])
