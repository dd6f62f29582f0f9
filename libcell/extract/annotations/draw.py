"""The second pass: label images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from libcell.data import digests, images, labels, omissions, readers, tables
from libcell.extract.annotations.cut import Pieces
from libcell.extract.annotations.index import runs_of


def draw_labels(
    root: Path, group: str, name: str, path: Path, pieces: Pieces, compartment: str, source: str,
    target: Path, columns: dict[str, Any],
) -> dict[str, Any]:
    """Write the label image of one picture; where objects overlap, the later one is on top.

    Objects of which nothing is left are noted in the part file `target` (table `omissions`).
    Returns the labels that can be seen, and how many pixels were claimed twice.
    """
    about = readers.open_file(path)[0].about
    keys = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
    own = dict.fromkeys(keys) | columns
    like = replace(about, group=group, name=name, shape=(1, 1, 1, *about.shape[3:]), metadata=own)
    plane = np.zeros(about.shape[3:], np.uint32)
    claimed, every = 0, []
    for file, first, stop in pieces:
        rows = tables.read_part(file).slice(first, stop - first)
        runs = runs_of(rows)
        values = rows.column("Metadata_Label").to_numpy()
        runs.paint_labels(plane, values)
        claimed += runs.area()
        every += list(zip(values.tolist(), rows.column("Metadata_Annotation").to_pylist()))
    seen = set(np.unique(plane).tolist()) - {0}
    hidden = [(source, item, "hidden below other objects")
              for label, item in every if label not in seen]
    tables.write_part(target, omissions.table(hidden, name))
    levels = labels.create(root, like, [compartment])[compartment]
    for y in range(0, plane.shape[0], images.SHARD):
        for x in range(0, plane.shape[1], images.SHARD):
            part = plane[None, y : y + images.SHARD, x : x + images.SHARD]
            images.write_region(levels, 0, 0, y, x, part, mean=False)
    return {"n": len(seen), "twice": claimed - int(np.count_nonzero(plane)),
            "hidden": len(hidden), "part": target.name,
            "digest": digests.of_bytes(plane.tobytes())}
