"""The instances of a bag that counted most and least, with their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from plotly.colors import sequential

from libcell.data import crops
from libcell.data.crop_reader import CropReader
from libcell.errors import DataError
from libcell.explain.drawing import field, overlay
from libcell.explain.fields import planes
from libcell.explain.page.pictures import thumbnail, windows

EDGE = 96
SCALE = sequential.Viridis


@dataclass(frozen=True)
class Instance:
    """One crop of a bag: its name, its attention, its picture as PNG."""

    object_id: str
    attention: float
    png: bytes


@dataclass(frozen=True)
class Bag:
    """One bag: what was said of it, `top` and `bottom` instances, and the `field` of view of most
    attention with the bag's crops marked; `tenth` is the attention of the most attended tenth."""

    name: str
    told: dict[str, str]
    n: int
    tenth: float
    top: list[Instance]
    bottom: list[Instance]
    field: tuple[str, bytes] | None


def of_table(attended: pa.Table, predicted: pa.Table | None, store: Path, images: Path | None,
             most: int, each: int) -> list[Bag]:
    """The first `most` bags of table `bags`, evenly of what was predicted, with `each` instances
    from either end. DataError if the store lacks one of the instances."""
    index = crops.open_crops(store).index()
    place = pc.index_in(attended.column("object_id"), value_set=index.column("object_id"))
    if place.null_count:
        lost = attended.column("object_id").filter(pc.is_null(place))[0].as_py()
        raise DataError(f"{store}: lacks {place.null_count} of the bags' instances, e.g. {lost}; "
                        "give the crop store that the embeddings were made of")
    rows, weight = place.to_numpy(), attended.column("attention").to_numpy()
    names = attended.column("bag_id").to_numpy(zero_copy_only=False)
    told = _told(predicted)
    made = []
    for name in _chosen(list(dict.fromkeys(names.tolist())), told, most):
        own = np.flatnonzero(names == name)
        made.append(_bag(name, told.get(name, {}), rows[own], weight[own], index, store, images,
                         each))
    return made


def _told(predicted: pa.Table | None) -> dict[str, dict[str, str]]:
    """What table `predictions` says of each bag."""
    if predicted is None:
        return {}
    made = {}
    for row in predicted.to_pylist():
        about = {"predicted": f"{row['predicted']} ({row['p_' + row['predicted']]:.2f})"}
        made[row["object_id"]] = about | ({"known": row["target"]} if row["target"] else {})
    return made


def _chosen(names: list[str], told: dict[str, dict[str, str]], most: int) -> list[str]:
    """At most so many bags, of each predicted class in turn."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kind = told.get(name, {}).get("predicted", "").partition(" (")[0]
        kinds.setdefault(kind, []).append(name)
    longest = max(map(len, kinds.values()), default=0)
    turns = [some[i] for i in range(longest) for some in kinds.values() if i < len(some)]
    kept = set(turns[:most])
    return [n for n in names if n in kept]


def _bag(name: str, told: dict[str, str], rows: np.ndarray, weight: np.ndarray, index: pa.Table,
         store: Path, images: Path | None, each: int) -> Bag:
    order = np.argsort(-weight, kind="stable")
    top = order[:each]
    bottom = order[max(each, len(order) - each):][::-1]
    shown = np.concatenate([top, bottom])
    batch = next(CropReader(store, rows=rows[shown]).in_order(len(shown)))
    ranges = windows(batch.crops)
    names = index.column("object_id").take(pa.array(rows[shown])).to_pylist()
    instances = [Instance(names[i], float(weight[k]),
                          thumbnail(batch.crops[i], ranges, batch.masks[i], EDGE))
                 for i, k in enumerate(shown.tolist())]
    tenth = float(np.sort(weight)[::-1][: max(1, len(weight) // 10)].sum() / weight.sum())
    return Bag(name, told, len(rows), tenth, instances[: len(top)], instances[len(top):],
               _field(index.take(pa.array(rows)), weight, images) if images else None)


def _field(index: pa.Table, weight: np.ndarray, images: Path) -> tuple[str, bytes]:
    """The field and frame that got most attention, each crop's box in the colour of its own."""
    where = list(zip(index.column("Metadata_Image").to_pylist(),
                     index.column("Metadata_T").to_pylist()))
    total: dict[tuple[str, int], float] = {}
    for at, value in zip(where, weight.tolist()):
        total[at] = total.get(at, 0.0) + value
    image, t = max(total, key=lambda at: total[at])
    pixels, _ = planes.pixels(planes.field_of(images, image), t, ())
    rgb = overlay.shown(pixels, windows(pixels[None]))
    boxes = index.select(["y0", "x0", "y1", "x1"]).to_pylist()
    here = [i for i, at in enumerate(where) if at == (image, t)]
    marked = [((b["y0"], b["x0"], b["y1"], b["x1"]), colour) for b, colour in zip(
        [boxes[i] for i in here], _colours(weight[here] / weight.max()))]
    return f"{image}, frame {t}", overlay.png(field.whole(rgb, marked, 480))


def _colours(values: Sequence[Any] | np.ndarray) -> list[tuple[int, int, int]]:
    scale = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in SCALE]) / 255
    found = overlay.coloured(np.asarray(values, float)[None], scale)[0]
    return [(int(r), int(g), int(b)) for r, g, b in (found * 255).round()]
