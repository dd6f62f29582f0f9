"""Sections of a report, in the order in which a biologist would ask."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from libcell.data import matrix
from libcell.explain.gather import scores
from libcell.explain.gather.examples import Examples
from libcell.explain.gather.material import Material
from libcell.explain.gather.plates import plates
from libcell.explain.page import figures
from libcell.explain.page.sections import (
    Chart,
    Figures,
    Gallery,
    Picture,
    Provenance,
    Report,
    Section,
    Table,
)

SHOWN_FEATURES = 3


def tell(material: Material, title: str, examples: int, simulated: bool, made_by: str) -> Report:
    """The whole report: every section that there is material for."""
    crops = Examples(material.crops, examples)
    found = [
        _summary(material), *plates(material.objects()), _gallery(material, crops),
        _tracks(material), *scores.sections(material.tables.get("scores")),
        _confusion(material, crops), _importance(material),
        *_distributions(material), _split(material), _provenance(material),
    ]
    warnings = ["The images are simulated; nothing here is a finding."] if simulated else []
    if material.model:
        warnings += material.model["split"]["warnings"]
        warnings += [f"{name}: {note}" for name, part in material.model["metrics"].items()
                     for note in part.get("notes", [])]
    return Report(title, made_by, [s for s in found if s is not None], warnings)


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
    if material.model:
        values.append((str(len(material.model["classes"])), "classes"))
    return Figures("Data", "What went in.", values)


def _feature_count(table: pa.Table) -> int:
    return sum(not n.startswith("Metadata_") and n != "object_id" for n in table.column_names)


def _gallery(material: Material, crops: Examples) -> Section | None:
    if material.crops is None:
        return None
    pictures = crops.sample()
    channels = ", ".join(material.crops.channels)
    return Gallery("Cells", f"A random sample, outlined; channels {channels} in sky blue, orange, "
                   "green and purple, all on the same scale.", pictures) if pictures else None


def _tracks(material: Material) -> Section | None:
    if not material.tracks:
        return None
    rows = [[str(a["n_tracks"]), str(a["n_divisions"]), f"{t.num_rows:,}", ", ".join(a["images"])]
            for a, t in material.tracks]
    return Table("Tracks", "Cells followed through time.",
                 ["tracks", "divisions", "objects", "fields of view"], rows)


def _confusion(material: Material, crops: "Examples") -> Section | None:
    """From the predictions on held-out objects; each cell opens to example crops."""
    table = material.tables.get("predictions")
    if table is None:
        return None
    held = table.filter(pc.and_(table.column("target").is_valid(),
                                pc.is_in(table.column("split"), _held(table))))
    if not held.num_rows:
        return None
    truth = held.column("target").to_numpy(zero_copy_only=False).astype(str)
    predicted = held.column("predicted").to_numpy(zero_copy_only=False).astype(str)
    answers = sorted(n.removeprefix("p_") for n in held.column_names if n.startswith("p_"))
    known = np.isin(truth, answers)
    truth, predicted = truth[known], predicted[known]
    if not len(truth):
        return None
    names = sorted(set(truth))
    counts = np.array([[((truth == t) & (predicted == p)).sum() for p in answers] for t in names])
    ids = held.column("object_id").to_numpy(zero_copy_only=False)[known]
    pictures: dict[str, list[Picture]] = {}
    for t in names:
        for p in answers:
            some = crops.of(ids[(truth == t) & (predicted == p)])
            pictures |= {f"{t}|{p}": some} if some else {}
    right = float((truth == predicted).mean())
    return Chart("What is confused with what", "Held-out objects by true and predicted class. "
                 "Choose a cell to see examples (true → predicted).", "confusion",
                 figures.confusion(counts, names, answers),
                 f"Confusion matrix of {len(names)} classes; {right:.0%} on the diagonal.",
                 pictures)


def _held(table: pa.Table) -> pa.Array:
    """The parts of the split to show: what was tested on, else what is new, else all there is."""
    there = set(table.column("split").unique().to_pylist())
    return pa.array(["test"] if "test" in there else sorted(there - {"train"}) or ["train"])


def _importance(material: Material) -> Section | None:
    table = material.tables.get("importances")
    if table is None or not table.num_rows:
        return None
    columns = {n: table.column(n).to_pylist() for n in ("group", "importance", "sd", "score")}
    return Chart("What the model looks at", "Features are shuffled in groups, since single columns "
                 "stand in for each other; the bar is what the score loses, the line one standard "
                 "deviation over repeats.", "importance",
                 figures.importance(columns["group"], columns["importance"],
                                    [v or 0.0 for v in columns["sd"]], columns["score"][0]),
                 f"Most important: {columns['group'][0]}.")


def _distributions(material: Material) -> list[Section]:
    """The features whose class medians lie farthest apart, in units of their spread."""
    table = material.tables.get("features")
    if table is None or material.model is None:
        return []
    target, classes = material.model["target"], material.model["classes"]
    if target not in table.column_names:
        return []
    labels = matrix.column_text(table, target, "the model's target")
    names = [n for n in material.model["input"]["columns"] if n in table.column_names]
    best = []
    for name in names:
        values = matrix.matrix(table, [name])[:, 0]
        by_class = {c: values[(labels == c) & np.isfinite(values)] for c in classes}
        if min(map(len, by_class.values())) < 2:
            continue
        middles = [np.median(v) for v in by_class.values()]
        spread = np.mean([np.subtract(*np.percentile(v, (75, 25))) for v in by_class.values()])
        best.append((float(np.ptp(middles) / spread) if spread else 0.0, name, by_class))
    best.sort(key=lambda b: (-b[0], b[1]))
    return [
        Chart(f"Feature: {name.split('_', 1)[-1].replace('_', ' ')}",
              "Median, quartiles, 5th and 95th percentile by class.",
              f"feature{i}", figures.distribution(by_class, name.split("_", 2)[-1]),
              f"{name} by class.")
        for i, (_, name, by_class) in enumerate(best[:SHOWN_FEATURES])
    ]


def _split(material: Material) -> Section | None:
    if material.model is None:
        return None
    split = material.model["split"]
    rows = [[part, f"{split['rows'][part]:,}", str(len(split["groups"][part])),
             _first_few(split["groups"][part])] for part in ("train", "validation", "test")]
    leaks = "none found" if not split["leaks"] else f"{split['leaks']} found"
    return Table("What was held out", f"Split by {' and '.join(split['by'])}, whole groups only. "
                 f"Leaks (a group or identical rows in two parts): {leaks}.",
                 ["part", "objects", "groups", "which"], rows)


def _first_few(groups: list[str]) -> str:
    return ", ".join(groups[:8]) + (" …" if len(groups) > 8 else "")


def _provenance(material: Material) -> Section:
    steps = [
        {"what": str(s["schema"]), "command": str(s["provenance"].get("command", "")),
         "version": str(s["provenance"].get("version", "")), "digest": s["digest"],
         "parameters": json.dumps(
             {k: s["provenance"].get(k) for k in ("parameters", "inputs", "seed")},
             indent=1, ensure_ascii=False)}
        for s in material.steps
    ]
    return Provenance("How it was made", "Every input with its command, parameters and digest.",
                      steps)
