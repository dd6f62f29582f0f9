"""Families about an object and what is around it, one file each; the folder is the list.

A family of `libcell.feat.families` looks at one object in one channel at a time. A relation
looks at further channels, other objects, other label images or the picture around, so it is
handed a `Scene` that it reads from. It is a module with

    NAME                          its file's name
    columns(channels, others)     every `Column` it gives for these channels and compartments
    measure(scene)                dict of float64 (n,), by name, objects by ascending label

Names are CellProfiler's with their channels and without the compartment. A value that is not
defined for an object is NaN. Another package adds a relation through the entry-point group
`libcell.feat.relations`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from libcell.errors import UsageFault
from libcell.feat import families
from libcell.feat._folder import Folder
from libcell.feat.relations._scene import Part, Scene, kept

__all__ = ["Part", "Scene", "beside", "kept", "load", "names", "require", "split"]

FOLDER = Folder(__name__, __path__)


def names() -> list[str]:
    """All relations, our own first; none is imported."""
    return FOLDER.names()


def load(name: str) -> Any:
    """The module of a relation; UsageFault where there is none."""
    require([name])
    return FOLDER.load(name)


def require(wanted: Iterable[str]) -> None:
    """UsageFault that names everything wanted that is neither a family nor a relation."""
    known = [*families.names(), *names()]
    unknown = [n for n in wanted if n not in known]
    if unknown:
        listed = ", ".join(repr(n) for n in unknown)
        raise UsageFault(f"--families: no family {listed}; there are {', '.join(known)}")


def split(wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """The families and the relations among `wanted`; all of them where nothing is."""
    if not wanted:
        return families.names(), names()
    return ([n for n in wanted if n not in names()], [n for n in wanted if n in names()])


def beside(table: pa.Table, scene: Scene, wanted: Sequence[str]) -> pa.Table:
    """The table of a scene's objects, ordered by label, with the relations `wanted` beside."""
    prefix = scene.compartment[0].upper() + scene.compartment[1:]
    arrays, fields = list(table.columns), list(table.schema)
    for name in wanted:
        for column, values in load(name).measure(scene).items():
            arrays.append(pa.array(values, pa.float64()))
            fields.append(pa.field(families.column_name(prefix, column), pa.float64()))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, table.schema.metadata))


def by_label(labels: list[np.ndarray], values: list[np.ndarray]) -> np.ndarray:
    """Values (n,k) of parts, one row per object, joined in the order of the labels."""
    order = np.argsort(np.concatenate(labels), kind="stable")
    return np.concatenate(values)[order]
