"""cell-align stages on tables: simulated cycles aligned at anaphase, mothers and daughters."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from hand_made import call
from PIL import Image

from libcell.data import tables
from libcell.schema.validate import validate
from libcell.simulate.cycle import STAGES
from libcell.simulate.timelapse import simulate_timelapse

NAMES = [s.capitalize() for s in STAGES]


def write(folder, rows, track="track_id", names=NAMES):
    """Predictions of (image, track, parent, t, stage), the stage a number."""
    n = len(rows)
    image, tracks, parents, t, stage = (list(c) for c in zip(*rows))
    columns = {
        "object_id": [f"{i}:t{a}:nuclei:{k}" for i, a, k in zip(image, t, tracks)],
        "Metadata_Plate": [None] * n, "Metadata_Well": [None] * n, "Metadata_Site": [None] * n,
        "Metadata_Image": image, "Metadata_T": t, "Metadata_Label": tracks,
        "Metadata_Compartment": ["nuclei"] * n, "target": [None] * n,
        "predicted": [names[s] for s in stage], "split": ["new"] * n, track: tracks,
        "parent_track_id": parents, "Metadata_Dose": [1.5] * n,
    }
    low = 0.1 / (len(names) - 1)
    columns |= {f"p_{name}": [0.9 if s == k else low for s in stage]
                for k, name in enumerate(names)}
    table = tables.from_columns("predictions", columns)
    provenance = {"command": "x", "version": "0", "parameters": {}, "inputs": []}
    tables.write_parts(folder / "p.parquet", [table], table.schema, "predictions", provenance)


def align(folder, *args, code=0, out="s.parquet"):
    return call("align", "stages", folder / "p.parquet", "-o", folder / out, *args, code=code)


@pytest.fixture(scope="module")
def film():
    """Rows of a simulated film, a tenth of the stages wrong, and the true ones."""
    made = simulate_timelapse(4, frames=40, shape=(96, 96), n_cells=6, cycle_frames=24)
    rng = np.random.default_rng(0)
    rows, true = [], {}
    columns = ("track_id", "parent_track_id", "t", "stage")
    for track, parent, t, stage in zip(*(made.tracks[c] for c in columns)):
        k = STAGES.index(str(stage))
        true[int(track), int(t)] = k
        seen = int(rng.integers(0, 6)) if rng.random() < 0.1 else k
        rows.append(("f", int(track), int(parent), int(t), seen))
    order = rng.permutation(len(rows))
    return [rows[i] for i in order], true


def test_a_simulated_film(tmp_path, film):
    rows, true = film
    write(tmp_path, rows)
    done = align(tmp_path)
    found = pq.read_table(tmp_path / "s.parquet").to_pylist()
    assert len(found) == len(rows)
    assert [(r["track_id"], r["Metadata_T"]) for r in found] == sorted(true)
    right = sum(NAMES[true[r["track_id"], r["Metadata_T"]]] == r["Metadata_AlignedStage"]
                for r in found)
    before = sum(NAMES[true[r["track_id"], r["Metadata_T"]]] == r["predicted"] for r in found)
    assert right > 0.96 * len(found) > 0.96 * before and right > before
    last = done.records[-1]
    assert last["n"] == len(found) and last["tracks"] + last["unaligned"] == len(
        {r["track_id"] for r in found})
    at_zero = [r for r in found if r["Metadata_AlignedT"] == 0]
    assert len(at_zero) > 4 and {r["Metadata_AlignedStage"] for r in at_zero} == {"Anaphase"}
    assert all(r["Metadata_Dose"] == 1.5 for r in found)
    assert validate(tmp_path / "s.parquet") == []


def test_daughters_go_on_in_their_mothers_time(tmp_path):
    mother = [("f", 1, 0, t, s) for t, s in enumerate([0, 0, 1, 2, 3, 4, 4])]
    daughters = [("f", k, 1, 7 + t, s) for k in (2, 3) for t, s in enumerate([5, 5, 0, 0])]
    write(tmp_path, mother + daughters)
    align(tmp_path)
    found = {(r["track_id"], r["Metadata_T"]): r["Metadata_AlignedT"]
             for r in pq.read_table(tmp_path / "s.parquet").to_pylist()}
    assert found == {(k, t): t - 5 for k, t in found}


def test_window_picture_and_a_track_without_mitosis(tmp_path):
    course = [0] * 8 + [1, 1, 2, 3, 3, 4, 4, 5] + [0] * 8
    rows = [("f", k, 0, t, s) for k in range(1, 6) for t, s in enumerate(course[k:])]
    rows += [("f", 9, 0, t, 0) for t in range(12)]
    write(tmp_path, rows)
    done = align(tmp_path, "--before", 4, "--after", 5, out="s.bundle")
    assert "1 of 6 tracks" in done.said
    found = pq.read_table(tmp_path / "s.bundle/predictions.parquet").to_pylist()
    assert {r["track_id"] for r in found} == {1, 2, 3, 4, 5} and len(found) == 50
    assert {r["Metadata_AlignedT"] for r in found} == set(range(-4, 6))
    assert validate(tmp_path / "s.bundle") == []
    image = np.asarray(Image.open(io.BytesIO((tmp_path / "s.bundle/stages.png").read_bytes())))
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 5
    align(tmp_path)
    assert len(pq.read_table(tmp_path / "s.parquet")) == len(rows)


def test_other_stages_and_another_column(tmp_path):
    write(tmp_path, [("f", 1, 0, t, s) for t, s in enumerate([0, 0, 1, 1, 2])], "Metadata_Cell",
          ["rest", "plate", "parted"])
    assert "--stages" in align(tmp_path, code=65).said
    assert "--track" in align(tmp_path, "--stages", "rest,plate,parted", "--anchor", "plate",
                              code=65).said
    align(tmp_path, "--track", "Metadata_Cell", "--anchor", "plate", "--stages",
          "rest,plate,parted,gone")
    times = pq.read_table(tmp_path / "s.parquet").column("Metadata_AlignedT").to_pylist()
    assert times == [-2, -1, 0, 1, 2]


@pytest.mark.parametrize(("args", "code", "said"), [
    (("--anchor", "Meiosis"), 2, "Meiosis"), (("--stages", "Interphase,Prophase"), 65, "lacks"),
    (("--anchor", "Telophase"), 65, "none of 1 tracks")])
def test_what_cannot_be_aligned_is_said(tmp_path, args, code, said):
    write(tmp_path, [("f", 1, 0, t, s) for t, s in enumerate([0, 1, 2, 3, 4])])
    assert said in align(tmp_path, *args, code=code).said
    assert not (tmp_path / "s.parquet").exists()


def test_two_rows_of_one_track_in_one_frame(tmp_path):
    write(tmp_path, [("f", 1, 0, t, 0) for t in (0, 1)] + [("f", 1, 0, 1, 4)])
    table = pq.read_table(tmp_path / "p.parquet")
    ids = [f"{i}{k}" for k, i in enumerate(table.column("object_id").to_pylist())]
    table = table.set_column(0, table.schema.field(0), [ids])
    pq.write_table(table, tmp_path / "p.parquet")
    assert "two rows at frame 1" in align(tmp_path, code=65).said
