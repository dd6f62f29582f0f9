"""Image stores and the label stores that belong to them, told apart by what they are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from libcell.data import images, labels
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.errors import DataError
from libcell.schema.versions import split_tag


@dataclass(frozen=True)
class Example:
    """One frame of a field of view with its labels."""

    image: Source
    truth: Source
    t: int

    @property
    def unit(self) -> str:
        """What is held out together: the well of a plate, else the field of view."""
        group = self.image.group or ""
        whole = group.rsplit("/", 1)[0] if group.count("/") == 2 else group
        return f"{self.image.path}/{whole}"


def examples(paths: list[Path]) -> list[Example]:
    """Every frame that has labels, in order. DataError unless each label store's fields of view
    are all in one image store, and there is at least one of both."""
    truths = [p for p in paths if is_labels(p)]
    pictures = [p for p in paths if p not in truths]
    if not truths or not pictures:
        lacking = "label store" if pictures else "image store"
        raise DataError(f"{paths[0]}: comes without its {lacking}; give both "
                        "(cell-train segmenter d.ome.zarr d.labels.ome.zarr -o seg.model)")
    groups = {p: opening.groups(p) for p in pictures}
    found = []
    for truth in truths:
        fields = labels.fields(truth)[0]
        of = _image_of(truth, fields, groups, alone=len(truths) == 1)
        for group in fields:
            frames = opening.image(Source(of, group)).about.shape[0]
            found += [Example(Source(of, group), Source(truth, group), t) for t in range(frames)]
    return found


def is_labels(path: Path) -> bool:
    """Whether a path is a label store."""
    if not opening.is_zarr(path):
        return False
    mark = dict(images.open_root(path).attrs).get("schema")
    return isinstance(mark, str) and split_tag(mark)[0] == "labels"


def _image_of(truth: Path, fields: list[str], groups: dict[Path, list[str]], alone: bool) -> Path:
    """The one image store that holds all fields of a label store; of several the one of its
    name."""
    fitting = [p for p, there in groups.items() if set(fields) <= set(there)]
    named = [p for p in fitting if p.name.split(".")[0] == truth.name.split(".")[0]]
    if len(fitting) == 1 and (alone or len(groups) > 1):
        return fitting[0]
    if len(named) == 1:
        return named[0]
    what = "several of the image stores hold" if fitting else "no image store holds all of"
    raise DataError(f"{truth}: {what} its {len(fields)} fields of view; give each label store with "
                    "its image store, of the same name up to the first dot")


def held_out(made: list[Example], share: float, seed: int) -> np.ndarray:
    """Which examples (n,) bool are for validation: about `share` of the wells or fields of view.

    Always at least one unit stays for training.
    """
    units = sorted({e.unit for e in made})
    count = min(round(share * len(units)), len(units) - 1)
    chosen = np.random.default_rng(seed).permutation(len(units))[:count]
    out = {units[i] for i in chosen}
    return np.array([e.unit in out for e in made], bool)
