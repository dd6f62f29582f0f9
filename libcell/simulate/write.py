"""Simulated microscopy as a microscope leaves it: one TIFF per field, channel and frame.

The truth lies beside it: label images below `truth/labels/` whose names parse by the same
patterns, with `nuclei` or `cells` where an image has its channel, and CSV tables in `truth/`.
Every TIFF says that it is simulated and carries its pixel size in the resolution tags.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from libcell.simulate.field import Field
from libcell.simulate.folder import new_folder, write_table
from libcell.simulate.lines import EFFECTS, Flask, Lines
from libcell.simulate.plate import Place, Plate, well_names
from libcell.simulate.rounds import TYPES, Rounds, cultures, mixture_of, simulate_rounds
from libcell.simulate.timelapse import Timelapse, simulate_timelapse

NOTE = "simulated by libcell.simulate; not a measurement"
PLATE = "P1"  # the plate that rounds and films lie on
OBJECT_KEYS = ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Label")
OBJECTS = (*OBJECT_KEYS, "class", "y", "x", "nucleus_area_px", "cell_area_px", "touches_border")
SHIFTS = (*OBJECT_KEYS[:3], "dy", "dx", "n_lost")
MATCHES = (*OBJECT_KEYS[:3], "label_round1", "label_round2", "class")
TRACKS = (*OBJECT_KEYS[:3], "Metadata_T", "Metadata_Label", "track_id", "parent_track_id", "y",
          "x", "stage")
DIVISIONS = (*OBJECT_KEYS[:3], "Metadata_T", "parent_track_id", "daughter1_track_id",
             "daughter2_track_id")
LAYOUT = ("Plate", "Row", "Column")
FLASK = ("Metadata_Line", "Metadata_Batch", "Metadata_Position")
CULTURE = (*FLASK, "Metadata_T", "Metadata_Label", "class", "y", "x", "cell_area_px")


def write_plate(folder: str | Path, plate: Plate) -> Path:
    """Plates: `images/{well}_s{site}_{channel}.tif`, of several `images/{plate}/...`.

    Truth: `truth/labels/` likewise, `truth/objects.csv` (OBJECTS); and `layout.csv`.
    OutputExists if the folder does.
    """
    with new_folder(Path(folder)) as root:
        rows: list[dict[str, Any]] = []
        for place, field in plate:
            below = place.plate if len(plate.plates) > 1 else ""
            stem = f"{place.well}_s{place.site}"
            write_images(root / "images" / below, stem, field)
            write_labels(root / "truth" / "labels" / below, stem, field)
            rows += object_rows(place, field)
        write_table(root / "truth" / "objects.csv", OBJECTS, rows)
        write_table(root / "layout.csv", (*LAYOUT, "Compound", "Dose_uM"), plate.layout())
    return Path(folder)


def write_rounds(
    folder: str | Path, seed: int, wells: int | Sequence[str] = 1, sites: int = 2, *,
    cultured: bool = False, **options: Any,
) -> Path:
    """Fields imaged twice: `round1/{well}_s{site}_{channel}.tif` and `round2/...`.

    Truth: `truth/labels/round1/` and `round2/`, `truth/objects_round1.csv` and `_round2.csv`
    (OBJECTS), `truth/shifts.csv` (SHIFTS; dy, dx in px, see Rounds), `truth/matches.csv`
    (MATCHES; label_round2 is 0 where the cell is lost); and `layout.csv`.
    cultured: wells hold one of two cell types or both (`cultures`), told in the layout, rather
    than `classes`. options: those of simulate_rounds. OutputExists if the folder does.
    """
    names = well_names(wells)
    grown = cultures(names)
    tables: dict[str, list[dict[str, Any]]] = {
        "objects_round1": [], "objects_round2": [], "shifts": [], "matches": []}
    with new_folder(Path(folder)) as root:
        for place in (Place(PLATE, w, s + 1) for w in names for s in range(sites)):
            if cultured:
                options |= {"classes": TYPES, "mixture": mixture_of(grown[place.well])}
            rounds = simulate_rounds(seed, key=place.key, **options)
            stem = f"{place.well}_s{place.site}"
            for name, field in (("round1", rounds.round1), ("round2", rounds.round2)):
                write_images(root / name, stem, field)
                write_labels(root / "truth" / "labels" / name, stem, field)
                tables[f"objects_{name}"] += object_rows(place, field)
            tables["shifts"].append(_shift_row(place, rounds))
            tables["matches"] += _match_rows(place, rounds)
        columns = {"shifts": SHIFTS, "matches": MATCHES}
        for name, rows in tables.items():
            write_table(root / "truth" / f"{name}.csv", columns.get(name, OBJECTS), rows)
        rows = [r | {"Culture": grown[w]} for w, r in zip(names, _plain_layout(names))]
        write_table(root / "layout.csv", (*LAYOUT, "Culture") if cultured else LAYOUT, rows)
    return Path(folder)


def write_timelapse(
    folder: str | Path, seed: int, wells: int | Sequence[str] = 1, sites: int = 1, **options: Any
) -> Path:
    """Films: `images/{well}_s{site}_t{t}_{channel}.tif`, t from 000.

    Truth: `truth/labels/` likewise, `truth/tracks.csv` (TRACKS), `truth/divisions.csv`
    (DIVISIONS; Metadata_T is the daughters' first frame); and `layout.csv`.
    options: those of simulate_timelapse. OutputExists if the folder does.
    """
    names = well_names(wells)
    tracks: list[dict[str, Any]] = []
    divisions: list[dict[str, Any]] = []
    with new_folder(Path(folder)) as root:
        for place in (Place(PLATE, w, s + 1) for w in names for s in range(sites)):
            film = simulate_timelapse(seed, key=place.key, **options)
            for t in range(len(film.image)):
                _write_frame(root, f"{place.well}_s{place.site}_t{t:03d}", film, t)
            tracks += _rows(place, film.tracks)
            divisions += _rows(place, film.divisions)
        write_table(root / "truth" / "tracks.csv", TRACKS, tracks)
        write_table(root / "truth" / "divisions.csv", DIVISIONS, divisions)
        write_table(root / "layout.csv", LAYOUT, _plain_layout(names))
    return Path(folder)


def write_lines(folder: str | Path, lines: Lines) -> Path:
    """Time series named as CLANet's: `images/{line}/batch_{n}/SIM_P{position}_1_{time}.tif`, the
    time as 02d12h00m.

    Truth: `truth/objects.csv` (CULTURE; class is the line for cells that look like it, else
    common) and `truth/batches.csv` (EFFECTS of each). OutputExists if the folder does.
    """
    with new_folder(Path(folder)) as root:
        rows: list[dict[str, Any]] = []
        for flask in lines.flasks():
            below = root / "images" / flask.line / f"batch_{flask.batch}"
            for t, field in enumerate(lines.series(flask)):
                minutes = round(60 * lines.hours[t])
                time = f"{minutes // 1440:02d}d{minutes // 60 % 24:02d}h{minutes % 60:02d}m"
                write_tiff(below / f"SIM_P{flask.position}_1_{time}.tif", field.image[0],
                            field.pixel_size_um)
                rows += _culture_rows(flask, t, field)
        write_table(root / "truth" / "objects.csv", CULTURE, rows)
        write_table(root / "truth" / "batches.csv", ("Metadata_Batch", *EFFECTS), [
            {"Metadata_Batch": b} | lines.effects(b) for b in range(1, lines.batches + 1)])
    return Path(folder)


def _culture_rows(flask: Flask, t: int, field: Field) -> list[dict[str, Any]]:
    keys = dict(zip(FLASK, (flask.line, flask.batch, f"P{flask.position}"))) | {"Metadata_T": t}
    values = zip(*(v.tolist() for v in field.objects.values()))
    found = (dict(zip(field.objects, row)) for row in values)
    return [keys | row | {"Metadata_Label": row["label"]} for row in found]


def write_images(folder: Path, stem: str, field: Field) -> None:
    """One TIFF per channel: `{stem}_{channel}.tif`."""
    for channel, image in zip(field.channels, field.image):
        write_tiff(folder / f"{stem}_{channel}.tif", image, field.pixel_size_um)


def write_labels(folder: Path, stem: str, field: Field) -> None:
    """`{stem}_nuclei.tif` and `{stem}_cells.tif`, uint32."""
    write_tiff(folder / f"{stem}_nuclei.tif", field.nuclei, field.pixel_size_um)
    write_tiff(folder / f"{stem}_cells.tif", field.cells, field.pixel_size_um)


def object_rows(place: Place, field: Field) -> list[dict[str, Any]]:
    """Rows of the table `objects` (OBJECTS)."""
    return _rows(place, field.objects)


def _write_frame(root: Path, stem: str, film: Timelapse, t: int) -> None:
    frame = Field(film.image[t], film.channels, film.nuclei[t], film.cells[t], {}, {},
                  film.pixel_size_um)
    write_images(root / "images", stem, frame)
    write_labels(root / "truth" / "labels", stem, frame)


def write_tiff(path: Path, plane: np.ndarray, pixel_size_um: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    per_cm = 1e4 / pixel_size_um
    # labels are mostly background: deflate makes them 50 times smaller
    packing = "zlib" if plane.dtype == np.uint32 else None
    tifffile.imwrite(path, plane, resolution=(per_cm, per_cm), resolutionunit="CENTIMETER",
                     description=NOTE, metadata=None, software="libcell.simulate",
                     compression=packing, photometric="minisblack")


def _place_keys(place: Place) -> dict[str, Any]:
    return dict(zip(OBJECT_KEYS, (place.plate, place.well, place.site)))


def _rows(place: Place, columns: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    renamed = {"label": "Metadata_Label", "t": "Metadata_T"}
    names = [renamed.get(n, n) for n in columns]
    values = zip(*(v.tolist() for v in columns.values()))
    return [_place_keys(place) | dict(zip(names, row)) for row in values]


def _shift_row(place: Place, rounds: Rounds) -> dict[str, Any]:
    dy, dx = rounds.shift
    return _place_keys(place) | {"dy": dy, "dx": dx, "n_lost": len(rounds.lost)}


def _match_rows(place: Place, rounds: Rounds) -> list[dict[str, Any]]:
    rows = _rows(place, rounds.matches)
    return [row | {"class": rounds.round1.classes[row["label_round1"]]} for row in rows]


def _plain_layout(wells: Sequence[str]) -> list[dict[str, Any]]:
    return [{"Plate": PLATE, "Row": w[0], "Column": int(w[1:])} for w in wells]
