"""Sections of a report, in the order in which a biologist would ask."""

import json
from dataclasses import dataclass

import pyarrow as pa

from libcell.explain.gather import (
    confusion,
    distributions,
    explanations,
    held_out,
    looks,
    planes,
    scores,
    separability,
    wells,
)
from libcell.explain.gather.examples import Examples
from libcell.explain.gather.material import Material
from libcell.explain.page.sections import (
    Figures,
    Gallery,
    Provenance,
    Report,
    Section,
    Table,
)


@dataclass(frozen=True)
class Telling:
    """What the user says of the page: its heading, crops shown per class or cell of a matrix,
    points drawn on a plane, columns to colour them by, and whether the images are simulated."""

    title: str
    examples: int
    points: int
    colour: tuple[str, ...]
    simulated: bool
    made_by: str


def tell(material: Material, told: Telling) -> Report:
    """The whole report: every section that there is material for."""
    crops = Examples(material.crops, told.examples)
    found = [
        _summary(material), *wells.plates(material.objects()), _gallery(material, crops),
        _tracks(material), *held_out.sections(material),
        *scores.sections([(t, n.content) for t, n in material.titles("scores", _judges)]),
        *confusion.sections(material, crops),
        *planes.sections(material, crops, told.points, told.colour),
        *explanations.sections(material), *looks.sections(material),
        *distributions.sections(material), _provenance(material),
    ]
    warnings = without_crops(material)
    warnings += ["The images are simulated; nothing here is a finding."] if told.simulated else []
    for title, model in material.titles("model"):
        split, metrics = model.content["split"], model.content["metrics"]
        said = [*split["warnings"], *(f"{name}: {note}" for name, part in metrics.items()
                                      for note in part.get("notes", []))]
        warnings += [f"{title.removeprefix(': ')}: {text}" if title else text for text in said]
    warnings += explanations.warnings(material)
    return Report(told.title, told.made_by, [s for s in found if s is not None], warnings,
                  crops.thumbs())


def without_crops(material: Material) -> list[str]:
    """Which tables are of other objects than the crop store that was given."""
    if material.crops is None:
        return []
    known = set(material.crops.index().column("object_id").to_pylist())
    return [
        f"{one.name} ({kind}): none of its {one.content.num_rows:,} objects has a crop in the "
        "store that was given, so no picture of them is shown; give the store that they come from"
        for kind in ("predictions", "planes") for one in material.all(kind)
        if one.content.num_rows and known.isdisjoint(one.content.column("object_id").to_pylist())
    ]


def _judges(table: pa.Table) -> bool:
    """Whether scores are of predictions or label images, not of a plane or of explanations."""
    return not separability.is_ours(table) and not explanations.is_check(table)


def _summary(material: Material) -> Section:
    values = []
    for store in material.images:
        wells = {g.rsplit("/", 1)[0] for g in store["groups"] if g.count("/") == 2}
        values += [(f"{len(wells)}", "wells")] if wells else []
        values += [(f"{len(store['groups'])}", "fields of view"),
                   (str(len(store["about"].channels)),
                    f"channels: {', '.join(store['about'].channels)}")]
    table = material.objects()
    if table is not None:
        values.append((f"{table.num_rows:,}", "objects"))
    if "features" in material.tables:
        values.append((f"{_feature_count(material.tables['features'])}", "features each"))
    for _, model in [*material.titles("model")][:1]:
        values.append((str(len(model.content["classes"])), "classes"))
    return Figures("Data", "What went in.", values)


def _feature_count(table: pa.Table) -> int:
    return sum(not n.startswith("Metadata_") and n != "object_id" for n in table.column_names)


def _gallery(material: Material, crops: Examples) -> Section | None:
    if material.crops is None:
        return None
    pictures = crops.sample()
    names = material.crops.channels
    told = (f"channels {', '.join(names)} in sky blue, orange, green and purple" if len(names) > 1
            else f"channel {names[0]}")
    return Gallery("Cells", f"A random sample, outlined where there are masks; {told}, all on the "
                   "same scale.", pictures) if pictures else None


def _tracks(material: Material) -> Section | None:
    if not material.tracks:
        return None
    rows = [[str(a["n_tracks"]), str(a["n_divisions"]), f"{t.num_rows:,}", ", ".join(a["images"])]
            for a, t in material.tracks]
    return Table("Tracks", "Cells followed through time.",
                 ["tracks", "divisions", "objects", "fields of view"], rows)


def _provenance(material: Material) -> Section:
    steps = [
        {"what": f"{s['name']}, {s['schema']}", "command": str(s["provenance"].get("command", "")),
         "version": str(s["provenance"].get("version", "")), "digest": s["digest"],
         "parameters": json.dumps(
             {k: s["provenance"].get(k) for k in ("parameters", "inputs", "seed")},
             indent=1, ensure_ascii=False)}
        for s in material.steps
    ]
    return Provenance("How it was made", "Every input with its command, parameters and digest.",
                      steps)
