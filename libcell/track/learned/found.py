"""One field of view as the learned linker sees it: frames with the objects of a label store, or
with those that the network finds, which are written to one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests, grey, images, labels, objects, tables
from libcell.data import open as opening
from libcell.data.image import Image
from libcell.data.images import SHARD, Source
from libcell.errors import DataError
from libcell.nn.segmenter import contrast
from libcell.schema.versions import split_tag
from libcell.track.fields import frames
from libcell.track.kernels import ellipses
from libcell.track.learned import detect, model
from libcell.track.learned.maps import Look
from libcell.track.learned.model import Tracking
from libcell.track.learned.steps import Seen


@dataclass(frozen=True)
class Film:
    """A field of view, its image, what the model takes of it, and its keys in tables."""

    source: Source
    image: Image
    card: Tracking
    channels: tuple[str, ...]
    look: Look
    compartment: str
    keys: dict[str, Any]
    spacing: frames.Spacing
    least: tuple[float, float]

    def given(self) -> Iterator[Seen]:
        """Frames with the objects of the label store."""
        for t in range(self.image.about.shape[0]):
            masks = labels.read_frame(self.source, self.compartment, t)
            yield Seen(t, self._pixels(t), ellipses.measure(masks, self.spacing))

    def detected(self, root: Path, link: str | None, content: list[str]) -> Iterator[Seen]:
        """Frames with the objects that the network finds, each looked at beside the next; they
        are written to the label store at `root`, their digests added to `content`."""
        about = self.image.about
        levels = labels.create(root, about, [self.compartment], link)[self.compartment]
        last = about.shape[0] - 1
        before, pixels = np.zeros(0), self._pixels(0)
        for t in range(last + 1):
            after = self._pixels(t + 1) if t < last else pixels
            other = (t, t + 1, 0) if t < last else (max(t - 1, 0), t, int(t > 0))
            pair = (pixels, after) if t < last else (before if t else pixels, pixels)
            maps = self.look.at(other[:2], pair)
            masks = detect.labels(self.look.network, maps, other[2], about.shape[2:],
                                  self.least, self.card.edge_px)
            for y in range(0, about.shape[3], SHARD):
                for x in range(0, about.shape[4], SHARD):
                    part = masks[:, y : y + SHARD, x : x + SHARD]
                    images.write_region(levels, t, 0, y, x, part, mean=False)
                    content.append(digests.of_bytes(part.tobytes()))
            yield Seen(t, pixels, ellipses.measure(masks, self.spacing))
            before, pixels = pixels, after

    def _pixels(self, t: int) -> np.ndarray:
        """(C,Z,Y,X) float32."""
        card, made = self.card, []
        for channel in self.channels:
            pixels = grey.read(self.image, channel, t=t)
            try:
                made.append(contrast.whole(pixels, card.pmin, card.pmax, card.invert))
            except ValueError as error:
                raise DataError(f"{self.image.about.where}: {error}") from error
        return np.stack(made)


def is_labels(path: Path) -> bool:
    """Whether a path is a label store."""
    if not opening.is_zarr(path):
        return False
    mark = dict(images.open_root(path).attrs).get("schema")
    return isinstance(mark, str) and split_tag(mark)[0] == "labels"


def open_film(source: Source, given: Any, device: str) -> Film:
    """A field of view for a model. DataError where image, labels and model do not fit."""
    path = Path(given.model)
    card = model.load_card(path)
    channels = tuple(given.channels) or card.channels
    if len(channels) != len(card.channels):
        raise DataError(f"--channels {','.join(channels)}: {path} wants {len(card.channels)} "
                        f"({', '.join(card.channels)})")
    image = opening.image(Source(Path(given.images), source.group) if given.images else source)
    for channel in channels:
        grey.require(image.about, channel)
    planes = image.about.shape[2]
    if (planes > 1) != (card.shape.ndim == 3):
        knows = "stacks" if card.shape.ndim == 3 else "single planes"
        raise DataError(f"{image.about.where}: has {planes} plane{'s' * (planes > 1)}; {path} was "
                        f"trained on {knows} (train one on such images)")
    if given.images:
        compartment = given.compartment or labels.compartments_at(source)[0]
        labels.require_fit(labels.open_labels(source, compartment).about, image.about)
        keys = objects.image_keys(source)
        spacing = frames.spacing_of(source, compartment, given.z_step)
    else:
        compartment, keys = given.compartment or card.target, image.about.keys
        spacing = frames.spacing(image.about, given.z_step)
    look = Look(model.load_network(path, device), device)
    least = (card.sure[0] * given.threshold, card.sure[1] * given.threshold)
    return Film(source, image, card, channels, look, compartment, keys, spacing, least)


def seal(root: Path, files: list[Path], provenance: dict[str, Any]) -> None:
    """Finish the label store of the cells that were found in all fields."""
    fields, content, names = [], [], []
    for file in files:
        told = json.loads((tables.read_part(file).schema.metadata or {})[b"found"])
        fields.append(told["group"])
        content.append(digests.of_json(told["content"]))
        names.append(told["compartment"])
    labels.seal(root, fields, names[:1], content, provenance)
