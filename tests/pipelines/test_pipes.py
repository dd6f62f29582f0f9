"""Commands in pipes: records stream, stores are read while they grow, ends are clean."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import tifffile
from command_line import METHODS, ids, method, required, said
from small_plate import WELLS, blobs, contents, tree, write_features

GROUPS = [f"{well[0]}/{well[1:]}/0" for well in WELLS]


def field(store, group):
    """The record that announces one finished field of view."""
    record = {"schema": "image/1", "path": str(store), "n": 2, "group": group}
    return json.dumps(record) + "\n"


@pytest.fixture(scope="session")
def model(plate, cell):
    """A forest on the feature table of the plate."""
    path = plate / "c.model"
    cell("train", "forest", plate / "f.parquet", "--target", "Metadata_Condition", "--trees", "5",
         "-o", path)
    return path


def arrow(content):
    return pyarrow.ipc.open_stream(io.BytesIO(content)).read_all()


# -- records -----------------------------------------------------------------------------


def test_records_name_what_was_made(cell, plate, tmp_path):
    output = tmp_path / "n.labels.ome.zarr"
    lines = cell("segment", "threshold", plate / "p.ome.zarr", "-o", output).stdout.splitlines()
    records = [json.loads(line) for line in lines]
    assert [r.get("group") for r in records] == ["A/01/0", "A/02/0", "B/01/0", "B/02/0", None]
    assert {r["schema"] for r in records} == {"labels/1"}
    assert {r["path"] for r in records} == {str(output)}
    assert records[-1]["complete"] is True and records[-1]["n"] == 4
    assert all(r["n"] > 0 for r in records)


def test_the_first_record_comes_before_the_last_input(spawn, plate, tmp_path):
    """Fields are fed one at a time: each is done and announced before the next is known."""
    output = tmp_path / "fed.labels.ome.zarr"
    process = spawn("segment", "threshold", "-", "-j", "1", "-o", output, cwd=plate)
    for group in GROUPS:
        process.stdin.write(field("p.ome.zarr", group))
        process.stdin.flush()
        record = json.loads(process.stdout.readline())  # would wait for ever if it were held back
        assert record["schema"] == "labels/1" and "group" in record
        assert not output.exists()
    process.stdin.write(json.dumps({"schema": "image/1", "path": "p.ome.zarr", "n": 4}))
    process.stdin.close()
    assert json.loads(process.stdout.readline())["complete"] is True
    assert process.wait(60) == 0
    assert output.is_dir()


def test_a_store_is_read_while_it_grows(spawn, plate, tmp_path):
    """The second command is done with the first field while the first still waits for input."""
    first = spawn("segment", "threshold", "-", "-j", "1", "-o", "n.labels.ome.zarr", cwd=tmp_path)
    second = spawn("crop", "cells", "-", "--images", plate / "p.ome.zarr", "--size", "16",
                   "-j", "1", "-o", "c.crops.zarr", cwd=tmp_path)
    feed = [field(plate / "p.ome.zarr", group) for group in GROUPS[:3]]
    journal = tmp_path / ".c.crops.zarr.partial" / "journal.jsonl"
    for number, line in enumerate(feed, 1):
        first.stdin.write(line)
        first.stdin.flush()
        second.stdin.write(first.stdout.readline())
        second.stdin.flush()
        wait_for(lambda n=number: journal.exists() and journal.read_text().count("\n") == n)
        assert not (tmp_path / "n.labels.ome.zarr").exists()
    whole = json.dumps({"schema": "image/1", "path": str(plate / "p.ome.zarr"), "n": 4})
    first.stdin.write(f"{whole}\n")
    first.stdin.close()
    second.stdin.write(first.stdout.read())
    second.stdin.close()
    assert first.wait(60) == 0
    assert second.wait(60) == 0, second.stderr.read()
    assert pq.read_metadata(tmp_path / "c.crops.zarr" / "index.parquet").num_rows > 3


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_pipe_makes_what_two_steps_make(cell, spawn, plate, tmp_path):
    first = spawn("segment", "threshold", plate / "p.ome.zarr", "-c", "DNA",
                  "-o", "n.labels.ome.zarr", cwd=tmp_path)
    second = spawn("crop", "cells", "-", "--images", plate / "p.ome.zarr", "--size", "16",
                   "-o", "c.crops.zarr", cwd=tmp_path, stdin=first.stdout)
    first.stdout.close()
    assert second.wait(60) == 0 and first.wait(60) == 0
    cell("crop", "cells", tmp_path / "n.labels.ome.zarr", "--images", plate / "p.ome.zarr",
         "--size", "16", "-o", tmp_path / "two.crops.zarr")
    one, two = contents(tmp_path / "c.crops.zarr"), contents(tmp_path / "two.crops.zarr")
    assert one == two


def test_extract_segment_crop_in_one_pipe(cell, spawn, plate, tmp_path):
    first = spawn("extract", "images", plate / "raw" / "*.tif", "--pattern",
                  "{well}_s{site}_{channel}.tif", "-o", "p.ome.zarr", cwd=tmp_path)
    second = spawn("segment", "threshold", "-", "-c", "DNA", "-o", "n.labels.ome.zarr",
                   cwd=tmp_path, stdin=first.stdout)
    first.stdout.close()
    found = second.stdout.read()
    assert second.wait(60) == 0, second.stderr.read()
    assert first.wait(60) == 0
    assert len(found.splitlines()) == 5
    # the labels name their image by place, so the stores at both places hold the same
    assert contents(tmp_path / "p.ome.zarr") == contents(plate / "p.ome.zarr")
    assert contents(tmp_path / "n.labels.ome.zarr") == contents(plate / "n.labels.ome.zarr")


@pytest.mark.parametrize("crash", [signal.SIGKILL, signal.SIGINT])
def test_a_command_before_that_dies(spawn, cell, plate, tmp_path, crash):
    """The one after it says so, keeps what it did, and can go on later."""
    first = spawn("segment", "threshold", "-", "-j", "1", "-o", "n.labels.ome.zarr", cwd=tmp_path)
    second = spawn("crop", "cells", "-", "--images", plate / "p.ome.zarr", "--size", "16",
                   "-o", "c.crops.zarr", cwd=tmp_path, stdin=first.stdout)
    first.stdout.close()
    first.stdin.write(field(plate / "p.ome.zarr", GROUPS[0]))
    first.stdin.flush()
    journal = tmp_path / ".n.labels.ome.zarr.partial" / "journal.jsonl"
    wait_for(lambda: journal.exists() and journal.read_text().count("\n") == 1)
    time.sleep(0.2)
    first.send_signal(crash)
    assert second.wait(60) == 75
    line, = second.stderr.read().splitlines()
    assert "n.labels.ome.zarr" in line and "ended early" in line and "--resume" in line
    assert not (tmp_path / "c.crops.zarr").exists()


# -- what cannot be read from a pipe -----------------------------------------------------


@pytest.mark.parametrize(("room", "name"), METHODS, ids=ids)
def test_records_of_another_kind(cell, tmp_path, room, name):
    about = method(room, name)
    kind = next((k for k in ("labels", "image", "model") if k not in about.reads), None)
    if kind is None or room == "extract":
        pytest.skip("takes files of any kind")
    record = json.dumps({"schema": f"{kind}/1", "path": "x", "n": 1})
    done = cell(room, name, "-", *required(room, name), "-o", f"y{about.suffix}", cwd=tmp_path,
                input=record + "\n", code=None)
    line = said(done)
    if "not-there" in line or done.returncode == 69:
        pytest.skip("another input, or an extra, is asked for first")
    assert done.returncode == 65, line
    assert f"{kind}/1" in line
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(("text", "words"), [
    ("", "empty"),
    ('{"no": "record"}\n', "not a record"),
    ("{broken\n", "not a record"),
])
def test_a_pipe_that_brings_nothing_useful(cell, plate, tmp_path, text, words):
    code = 66 if not text else 65
    done = cell("segment", "threshold", "-", "-o", tmp_path / "x.labels.ome.zarr", input=text,
                code=code)
    assert words in said(done)
    assert list(tmp_path.iterdir()) == []


def test_a_table_where_images_are_read(plate, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cell_segment", "threshold", "-", "-o", "x.labels.ome.zarr"],
        input=(plate / "f.parquet").read_bytes(), capture_output=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 65
    assert b"is a table" in done.stderr and done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_dash_stands_alone(cell, plate):
    done = cell("segment", "threshold", "-", "p.ome.zarr", "-o", "x.labels.ome.zarr", cwd=plate,
                code=2)
    assert "'-'" in said(done)


# -- tables in pipes ---------------------------------------------------------------------


def command(room, *args):
    return [sys.executable, "-m", f"cell_{room}", *map(str, args)]


def test_a_table_to_stdout_is_an_arrow_stream(plate, model, cell, tmp_path):
    done = subprocess.run(command("train", "predict", plate / "f.parquet", "-m", model, "-o", "-"),
                          capture_output=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = arrow(done.stdout)
    assert table.schema.metadata[b"schema"] == b"predictions/1"
    cell("train", "predict", plate / "f.parquet", "-m", model, "-o", tmp_path / "p.parquet")
    assert table.equals(pq.read_table(tmp_path / "p.parquet").cast(table.schema))
    assert [p.name for p in tmp_path.iterdir()] == ["p.parquet"]


@pytest.mark.parametrize("kind", ["arrow", "parquet", "csv", "records", "paths"])
def test_a_table_from_stdin_in_every_form(cell, plate, model, tmp_path, kind):
    path = plate / "f.parquet"
    table = pq.read_table(path)
    sink = io.BytesIO()
    if kind == "arrow":
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    elif kind == "csv":
        pyarrow.csv.write_csv(table, sink)
    elif kind == "parquet":
        sink.write(path.read_bytes())
    elif kind == "records":
        sink.write(json.dumps({"schema": "features/1", "path": str(path), "n": 60}).encode())
    else:
        sink.write(f"{path}\n".encode())
    done = subprocess.run(command("train", "predict", "-", "-m", model, "-o", "-"),
                          input=sink.getvalue(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = arrow(done.stdout)
    expected = cell_table(plate, model)
    assert found.column("object_id").equals(expected.column("object_id"))
    assert found.column("predicted").equals(expected.column("predicted"))


def cell_table(plate, model):
    done = subprocess.run(command("train", "predict", plate / "f.parquet", "-m", model, "-o", "-"),
                          capture_output=True, timeout=60, check=True)
    return arrow(done.stdout)


def test_predictions_flow_into_scores(plate, model, tmp_path):
    first = subprocess.Popen(command("train", "predict", plate / "f.parquet", "-m", model, "-o",
                                     "-"), stdout=subprocess.PIPE)
    with first:
        done = subprocess.run(command("train", "score", "-", "-o", tmp_path / "score"),
                              stdin=first.stdout, capture_output=True, text=True, timeout=60)
    assert first.returncode == 0 and done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["balanced_accuracy"] > 0.5


# -- pipes that close, keys that interrupt -----------------------------------------------


def test_a_reader_that_stops_early(spawn, plate, tmp_path):
    """As with `| head -1`: exit 141, no word, and nothing half-made under the output's name."""
    process = spawn("segment", "threshold", "-", "-j", "1", "-o", tmp_path / "x.labels.ome.zarr",
                    cwd=plate)
    process.stdin.write(field("p.ome.zarr", GROUPS[0]))
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(field("p.ome.zarr", GROUPS[1]))
    process.stdin.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == ""
    assert not (tmp_path / "x.labels.ome.zarr").exists()


def test_a_reader_of_a_table_that_stops_early(plate, model, tmp_path):
    big = write_features(tmp_path / "big.parquet", wells=2000, rows=50)
    process = subprocess.Popen(command("train", "predict", big, "-m", model, "-o", "-"),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


def test_stdout_that_is_full(plate, model):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            command("train", "predict", plate / "f.parquet", "-m", model, "-o", "-"),
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 75, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "no space" in done.stderr.lower()


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_ctrl_c(spawn, plate, tmp_path, scheduler):
    output = tmp_path / "x.labels.ome.zarr"
    process = spawn("segment", "threshold", "-", "-j", "2", "--scheduler", scheduler, "-o", output,
                    cwd=plate, start_new_session=True)
    for group in GROUPS:
        process.stdin.write(field("p.ome.zarr", group))
        process.stdin.flush()
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
    assert process.wait(30) == 130
    assert "Traceback" not in process.stderr.read()
    assert not output.exists()


def test_ctrl_c_in_a_long_block(spawn, tmp_path):
    """The command ends at once, not when the block does."""
    tifffile.imwrite(tmp_path / "big.tif", np.tile(blobs(256, seed=1)[0], (5, 5)))
    process = spawn("segment", "threshold", "big.tif", "-j", "2", "--tile", "64", "-o",
                    "x.labels.ome.zarr", cwd=tmp_path)
    journal = tmp_path / ".x.labels.ome.zarr.partial" / "journal.jsonl"
    wait_for(lambda: journal.exists() and journal.stat().st_size > 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert process.stderr.read() == ""
    assert not (tmp_path / "x.labels.ome.zarr").exists()


def test_every_table_schema_can_be_streamed():
    assert any(method(*m).streams for m in METHODS)
    for room, name in METHODS:
        about = method(room, name)
        if about.streams:
            assert about.suffix == ".parquet", f"cell-{room} {name}"


def test_arrow_is_what_readers_expect(plate, model):
    """As the issue shows it: one line of Python with nothing but pyarrow."""
    reader = ("import pyarrow.ipc,sys;"
              "print(pyarrow.ipc.open_stream(sys.stdin.buffer).read_all().num_rows)")
    first = subprocess.Popen(command("train", "predict", plate / "f.parquet", "-m", model, "-o",
                                     "-"), stdout=subprocess.PIPE)
    with first:
        done = subprocess.run([sys.executable, "-c", reader], stdin=first.stdout, text=True,
                              capture_output=True, timeout=60)
    assert done.stdout == f"{pq.read_metadata(plate / 'f.parquet').num_rows}\n"
