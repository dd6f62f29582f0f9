"""OME-NGFF metadata: written as 0.5, read as 0.4 or 0.5. Plain dictionaries, no arrays.

Specification: https://ngff.openmicroscopy.org/0.5/
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from libcell.errors import DataError

AXES = ("t", "c", "z", "y", "x")
VERSION = "0.5"
COLOURS = ("56B4E9", "E69F00", "009E73", "CC79A7", "F0E442", "0072B2", "D55E00", "FFFFFF")
# Okabe and Ito's colour-blind-safe set; sky blue first, since DNA stains come first

Micrometres = tuple[float, float, float]


@dataclass(frozen=True)
class Multiscale:
    """What a reader needs of one image: its axes, its levels' array names and its scale."""

    name: str
    axes: tuple[str, ...]
    levels: tuple[str, ...]
    pixel_size_um: Micrometres | None
    channels: tuple[str, ...] | None


def _axes(pixel_size_um: Micrometres | None) -> list[dict[str, str]]:
    space = {"type": "space"} | ({"unit": "micrometer"} if pixel_size_um else {})
    return [
        {"name": "t", "type": "time"},
        {"name": "c", "type": "channel"},
        *({"name": name} | space for name in "zyx"),
    ]


def multiscales(name: str, n_levels: int, pixel_size_um: Micrometres | None) -> dict[str, Any]:
    """The `ome` block of one image whose level k is k times halved in y and x."""
    z, y, x = pixel_size_um or (1.0, 1.0, 1.0)
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, 1.0, z, y * 2**level, x * 2**level]}
            ],
        }
        for level in range(n_levels)
    ]
    scale = {"name": name or "image", "axes": _axes(pixel_size_um), "datasets": datasets}
    return {"version": VERSION, "multiscales": [scale]}


def omero(channels: list[str], windows: list[tuple[float, float]], top: float) -> dict[str, Any]:
    """Channel names with their display windows; `top` is the largest value the dtype holds."""
    return {
        "channels": [
            {
                "label": label,
                "color": COLOURS[i % len(COLOURS)],
                "active": True,
                "window": {"min": 0.0, "max": top, "start": float(low), "end": float(high)},
            }
            for i, (label, (low, high)) in enumerate(zip(channels, windows))
        ]
    }


def plate(name: str, groups: list[str]) -> dict[str, Any]:
    """The `ome` block of a plate whose fields are groups `row/column/field`."""
    parts = [tuple(g.split("/")) for g in groups]
    rows = sorted({p[0] for p in parts}, key=lambda r: (len(r), r))
    columns = sorted({p[1] for p in parts}, key=lambda c: (int(c) if c.isdigit() else 0, c))
    wells = sorted({(rows.index(p[0]), columns.index(p[1])) for p in parts})
    return {
        "version": VERSION,
        "plate": {
            "name": name,
            "rows": [{"name": r} for r in rows],
            "columns": [{"name": c} for c in columns],
            "wells": [
                {"path": f"{rows[r]}/{columns[c]}", "rowIndex": r, "columnIndex": c}
                for r, c in wells
            ],
            "field_count": max(Counter(p[:2] for p in parts).values(), default=0),
        },
    }


def well(fields: list[str]) -> dict[str, Any]:
    """The `ome` block of a well that holds `fields`."""
    return {"version": VERSION, "well": {"images": [{"path": f} for f in fields]}}


def collection() -> dict[str, Any]:
    """The `ome` block of a root whose images are listed in `OME/zarr.json` (see `series`)."""
    return {"version": VERSION, "bioformats2raw.layout": 3}


def series(paths: list[str]) -> dict[str, Any]:
    """The `ome` block of the group `OME`: every image of a collection."""
    return {"version": VERSION, "series": paths}


def block(attributes: dict[str, Any]) -> dict[str, Any]:
    """The OME metadata of a group: 0.5 keeps it under `ome`, 0.4 at the top."""
    found = attributes.get("ome", attributes)
    return found if isinstance(found, dict) else {}


def read_multiscale(attributes: dict[str, Any], where: str) -> Multiscale:
    """Parse an image group's attributes; DataError names what is wrong."""
    ome = block(attributes)
    try:
        scale = ome["multiscales"][0]
        names = tuple(a["name"] if isinstance(a, dict) else a for a in scale["axes"])
        levels = tuple(d["path"] for d in scale["datasets"])
        factors = scale["datasets"][0]["coordinateTransformations"][0]["scale"]
        known_names = set(names) <= set(AXES)
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(f"{where}: not an OME-Zarr image ({error!r} in multiscales)") from error
    if not known_names or len(set(names)) < len(names) or names[-2:] != ("y", "x"):
        found = ",".join(map(str, names))
        raise DataError(f"{where}: axes are {found}; expected some of t,c,z,y,x in order")
    if not all(isinstance(f, (int, float)) and 0 < f < math.inf for f in factors):
        raise DataError(f"{where}: a scale of {str(factors)[:80]}; expected a size for each axis")
    units = [a.get("unit") for a in scale["axes"] if isinstance(a, dict)]
    size = dict(zip(names, factors))
    known = len(units) == len(names) and units[-1] is not None
    labels = [str(c.get("label", i + 1)) for i, c in enumerate(_omero_channels(ome))]
    return Multiscale(
        name=str(scale.get("name", "")),
        axes=names,
        levels=levels,
        pixel_size_um=(size.get("z", 1.0), size["y"], size["x"]) if known else None,
        channels=tuple(labels) or None,
    )


def _omero_channels(ome: dict[str, Any]) -> list[dict[str, Any]]:
    found = ome.get("omero") or {}
    return found.get("channels", []) if isinstance(found, dict) else []
