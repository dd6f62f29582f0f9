"""Maps of what networks look at, beside their crops, and whether the checks of them hold."""

from typing import Any

import numpy as np
import pyarrow as pa

from libcell.data import explanations
from libcell.data.crop_reader import CropReader
from libcell.explain.checks import verdict
from libcell.explain.drawing import overlay
from libcell.explain.gather.material import Material, Named
from libcell.explain.page.pictures import pair, windows
from libcell.explain.page.sections import Gallery, Picture, Section, Table

PICTURES = 48  # of one explanation
GAIN = "faithfulness_gain"
FORGETS = "likeness_after_forgetting"


def sections(material: Material) -> list[Section]:
    """A gallery per explanation store whose crops are here, and a table per set of checks."""
    found: list[Section] = []
    for title, one in material.titles("explain"):
        made = _gallery(title, one, material)
        found += [made] if made else []
    for one in checks(material):
        found.append(_checks(one.content))
    return found


def checks(material: Material) -> list[Named]:
    """The tables `scores` that hold checks of explanations."""
    return [n for n in material.all("scores") if is_check(n.content)]


def is_check(table: pa.Table) -> bool:
    """Whether a table `scores` comes from `cell-explain faithfulness`."""
    return GAIN in table.column("metric").to_pylist()


def warnings(material: Material) -> list[str]:
    """What the checks speak against, as `cell-explain faithfulness` says it."""
    said: list[str] = []
    for one in checks(material):
        rows = one.content.to_pylist()
        said += verdict.warnings_of(_needs(rows))
        for name in _names(rows):
            said += verdict.warnings(name, _found(rows, name))
    return said


def _gallery(title: str, one: Named, material: Material) -> Section | None:
    store = explanations.open_explanations(one.path)
    table = store.index()
    if material.crops is None or not table.num_rows:
        return None
    place = {v: i for i, v in enumerate(material.crops.index().column("object_id").to_pylist())}
    rows = [r for r in _chosen(table) if table.column("object_id")[r].as_py() in place]
    if not rows or tuple(one.content["size_px"]) != material.crops.size_px:
        return None
    at = np.array([place[table.column("object_id")[r].as_py()] for r in rows])
    batch = next(CropReader(material.crops.path, rows=at).in_order(len(at)))
    ranges, maps = windows(batch.crops), store.read(np.array(rows))
    pictures = []
    for i, r in enumerate(rows):
        plain = overlay.shown(batch.crops[i], ranges)
        heat = overlay.outlined(overlay.overlaid(plain, maps[i]), batch.masks[i])
        pictures.append(Picture(table.column("object_id")[r].as_py(), pair(plain, heat),
                                _caption(table, r), wide=True))
    layer = f" at {one.content['layer']}" if one.content["layer"] else ""
    return Gallery(f"Where the network looks{title}", f"{one.content['method']}{layer}: left the "
                   "crop, right what speaks for the class (glowing) and against it (blue). Of each "
                   "class the surest right answer, the surest wrong one, and the least sure.",
                   pictures)


def _chosen(table: pa.Table) -> list[int]:
    """Rows of each explained class, classes in order: see `_gallery`."""
    told = {n: table.column(n).to_pylist() for n in ("explained", "predicted", "target")}
    chance = table.column("probability").to_numpy()
    by_class: dict[str, list[int]] = {}
    for row in np.argsort(-chance, kind="stable").tolist():
        by_class.setdefault(told["explained"][row], []).append(row)
    chosen: list[int] = []
    for name in sorted(by_class):
        rows = by_class[name]
        right = [r for r in rows if told["target"][r] == told["predicted"][r] == name]
        wrong = [r for r in rows if told["target"][r] not in (None, told["predicted"][r])]
        chosen += list(dict.fromkeys([*(right or rows)[:1], *wrong[:1], rows[-1]]))
    return chosen[:PICTURES]


def _caption(table: pa.Table, row: int) -> str:
    value = {n: table.column(n)[row].as_py() for n in ("explained", "probability", "target",
                                                      "channel")}
    text = f"{value['explained']} {value['probability']:.2f}"
    if value["target"] not in (None, value["explained"]):
        text += f" (is {value['target']})"
    return f"{text}, {value['channel']}" if value["channel"] else text


def _checks(table: pa.Table) -> Section:
    rows = table.to_pylist()
    shown = []
    for name in _names(rows):
        found = _found(rows, name)
        regions = ", ".join(f"{r} {f[0]:.2f}" for r, f in found.density.items()
                            if np.isfinite(f[0]))
        shown.append([name, f"{found.gain[0]:.3f} ({found.gain[1]:.3f} to {found.gain[2]:.3f})",
                      f"{found.forgets[0]:.2f}", regions,
                      "holds" if not verdict.warnings(name, found) else "see the warnings"])
    return Table("Do the explanations hold", "Gain: what the answer loses when the pixels that an "
                 "explanation points at are taken away, beyond the same area elsewhere; its "
                 "interval should lie above 0. Likeness: of its maps to those of a network that "
                 "forgot what it learnt; near 0 is good. Strength: of the map per pixel in each "
                 "region, 1 is the mean of the crop.",
                 ["explanation", "gain", "likeness", "strength", "verdict"], shown)


def _names(rows: list[dict[str, Any]]) -> list[str]:
    return [r["label"] for r in rows if r["metric"] == GAIN]


def _found(rows: list[dict[str, Any]], name: str) -> verdict.Found:
    def figure(row: dict[str, Any]) -> verdict.Figure:
        low, middle, high = (np.nan if row[k] is None else row[k] for k in ("low", "value", "high"))
        return middle, low, high, row["n"]

    own = [r for r in rows if r["label"] == name]
    alone = {r["metric"]: figure(r) for r in own if r["group"] is None}
    by_region = {m: {r["group"]: figure(r) for r in own if r["metric"] == m}
                 for m in ("density", "energy", "pointing", "area")}
    return verdict.Found(alone[GAIN], alone[FORGETS], by_region["density"], by_region["energy"],
                         by_region["pointing"], by_region["area"])


def _needs(rows: list[dict[str, Any]]) -> verdict.Needs:
    value = {r["metric"]: r["value"] for r in rows if r["label"] is None}
    return verdict.Needs(*(np.nan if value.get(f"probability_{n}") is None
                           else value[f"probability_{n}"]
                           for n in ("whole", "without_background", "without_object")))
