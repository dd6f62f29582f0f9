"""Settings: option > environment > file > default; dry runs, skipping, messages, completion."""

import json
import os
import sys

import pytest
from command_line import said
from small_plate import tree

SHELL = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}


@pytest.fixture
def sigma(cell, tmp_path):
    """`sigma(file text, environment, options)`: the value of --sigma in force."""

    def find(text="", env=None, *options):
        file = tmp_path / "c.toml"
        file.write_text(text)
        given = ["--config", file] if text else []
        done = cell("segment", "threshold", "--dump-config", *given, *options, env=env)
        line = next(x for x in done.stdout.splitlines() if x.startswith("sigma ="))
        return float(line.partition("=")[2])

    return find


def test_precedence(sigma):
    env = {"CELL_SEGMENT_SIGMA": "3"}
    assert sigma() == 1
    assert sigma("sigma = 2") == 2
    assert sigma("sigma = 2", env) == 3
    assert sigma("sigma = 2", env, "--sigma", "4") == 4


def test_narrower_tables_win(sigma):
    top, room, method = "sigma = 2\n", "[segment]\nsigma = 3\n", "[segment.threshold]\nsigma = 4\n"
    assert sigma(top + room) == 3
    assert sigma(top + room + method) == 4
    assert sigma(room + "[track]\nseed = 1\n") == 3
    assert sigma("[crop]\nsize = 32\n" + method) == 4


def test_a_file_named_in_the_environment(cell, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("workers = 7\n[train.forest]\ntrees = 11\nfractions = [0.5, 0.2, 0.3]\n")
    found = cell("train", "forest", "--dump-config", env={"CELL_CONFIG": str(file)}).stdout
    assert "workers = 7\n" in found and "trees = 11\n" in found
    assert "fractions = [0.5, 0.2, 0.3]\n" in found


def test_common_options_have_variables_of_their_own(cell):
    env = {"CELL_WORKERS": "3", "CELL_QUIET": "1", "CELL_SEGMENT_SPLIT": "0"}
    found = cell("segment", "threshold", "--dump-config", env=env).stdout
    assert "workers = 3\n" in found and "quiet = true\n" in found and "split = false\n" in found


@pytest.mark.parametrize("given", [("--fractions", "0.5,0.2,0.3"),
                                   ("--fractions", "0.5", "--fractions", "0.2, 0.3")])
def test_numbers_with_commas(cell, given):
    found = cell("train", "forest", "--dump-config", *given).stdout
    assert "fractions = [0.5, 0.2, 0.3]\n" in found


def test_numbers_that_are_none(cell):
    line = said(cell("train", "forest", "--fractions", "0.5,half", "--dump-config", code=2))
    assert "--fractions" in line and "half" in line and "numbers" in line


def test_a_list_in_a_file_may_be_one_text(cell, tmp_path):
    (tmp_path / "c.toml").write_text('channels = "DNA,GFP"\n')
    found = cell("crop", "cells", "--dump-config", "--config", tmp_path / "c.toml").stdout
    assert 'channels = ["DNA", "GFP"]\n' in found


def test_an_option_of_another_method_at_the_top_is_no_fault(cell, tmp_path):
    (tmp_path / "c.toml").write_text("trees = 11\nseed = 3\n[train]\ndraws = 5\n")
    file = ("--dump-config", "--config", tmp_path / "c.toml")
    assert "seed = 3\n" in cell("segment", "threshold", *file).stdout
    found = cell("train", "forest", *file).stdout
    assert "trees = 11\n" in found and "draws" not in found


@pytest.mark.parametrize(("text", "word"), [
    ("sigmaa = 2", "sigmaa"),
    ("[segment]\nsigmaa = 2", "sigmaa"),
    ("[segment]\ntrees = 2", "trees"),
    ("[segment.threshold]\ntrees = 2", "trees"),
    ("[sgement]\nsigma = 2", "sgement"),
    ("[segment.treshold]\nsigma = 2", "treshold"),
    ("sigma = 'wide'", "--sigma"),
    ("tile = 3", "--tile"),
    ("method = 'magic'", "--method"),
])
def test_a_setting_that_is_not_known(cell, tmp_path, text, word):
    (tmp_path / "c.toml").write_text(text)
    done = cell("segment", "threshold", "x", "-o", "y.labels.ome.zarr",
                "--config", tmp_path / "c.toml", code=2)
    assert word in said(done)


def test_a_settings_file_that_is_missing_or_broken(cell, tmp_path):
    bad = tmp_path / "c.toml"
    line = said(cell("segment", "threshold", "x", "--config", bad, code=66))
    assert f"{bad}" in line and "not found" in line
    bad.write_text("sigma = = 2")
    assert "not valid TOML" in said(cell("segment", "threshold", "x", f"--config={bad}", code=65))


# -- dry runs ----------------------------------------------------------------------------


@pytest.mark.parametrize(("room", "args", "output", "blocks"), [
    ("extract", ("images", "raw/*.tif", "--pattern", "{well}_s{site}_{channel}.tif"),
     "x.ome.zarr", 4),
    ("segment", ("threshold", "p.ome.zarr"), "x.labels.ome.zarr", 4),
    ("crop", ("cells", "n.labels.ome.zarr", "--images", "p.ome.zarr"), "x.crops.zarr", 4),
    ("train", ("forest", "f.parquet", "--target", "Metadata_Condition"), "x.model", None),
])
def test_dry_run(cell, plate, room, args, output, blocks):
    before = tree(plate)
    done = cell(room, *args, "-o", output, "-n", cwd=plate)
    assert tree(plate) == before and not (plate / output).exists()
    found = json.loads(done.stdout)
    assert found["command"] == f"cell-{room} {args[0]}"
    assert found["writes"] == output
    assert found["blocks"] == blocks
    assert all((plate / path).exists() for path in found["reads"]) and found["reads"]
    assert found["bytes"] is None or 10_000 < found["bytes"] < 10_000_000
    if room in ("extract", "segment"):
        assert found["bytes"] and len(found["fields"]) == 4
    assert done.stderr == ""


def test_dry_run_finds_what_would_fail(cell, plate):
    done = cell("segment", "threshold", "p.ome.zarr", "-c", "DAPI", "-o", "x.labels.ome.zarr",
                "-n", cwd=plate, code=65)
    assert "'DAPI'" in said(done) and "DNA, GFP" in said(done)


def test_dry_run_of_records(cell, plate):
    record = json.dumps({"schema": "image/1", "path": "p.ome.zarr", "n": 4})
    done = cell("segment", "threshold", "-", "-o", "x.labels.ome.zarr", "-n", cwd=plate,
                input=record + "\n")
    assert json.loads(done.stdout)["blocks"] == 4


# -- what is there already ---------------------------------------------------------------


def test_skip_existing(cell, plate, tmp_path):
    before = tree(plate)
    done = cell("segment", "threshold", "p.ome.zarr", "-o", "n.labels.ome.zarr",
                "--skip-existing", cwd=plate)
    assert tree(plate) == before
    record = json.loads(done.stdout)
    assert (record["schema"], record["path"]) == ("labels/1", "n.labels.ome.zarr")
    assert "exists" in said(done)
    new = tmp_path / "new.labels.ome.zarr"
    cell("segment", "threshold", plate / "p.ome.zarr", "-o", new, "--skip-existing")
    assert new.is_dir()


def test_a_skipped_output_feeds_the_next_command(cell, plate, tmp_path):
    record = cell("segment", "threshold", plate / "p.ome.zarr", "-o", plate / "n.labels.ome.zarr",
                  "--skip-existing").stdout
    cell("crop", "cells", "-", "--images", plate / "p.ome.zarr", "--size", "16",
         "-o", tmp_path / "c.crops.zarr", input=record)
    assert (tmp_path / "c.crops.zarr").is_dir()


def test_force_replaces(cell, plate, tmp_path):
    output = tmp_path / "x.labels.ome.zarr"
    output.mkdir()
    (output / "old").touch()
    cell("segment", "threshold", plate / "p.ome.zarr", "-o", output, "--force")
    assert not (output / "old").exists() and (output / "zarr.json").exists()
    assert [p.name for p in tmp_path.iterdir()] == [output.name]


# -- messages ----------------------------------------------------------------------------


def test_a_run_closes_with_a_summary_unless_quiet(cell, plate, tmp_path):
    loud = cell("segment", "threshold", plate / "p.ome.zarr", "-o", tmp_path / "a.labels.ome.zarr")
    assert "a.labels.ome.zarr" in said(loud) and "labels/1" in said(loud)
    quiet = cell("segment", "threshold", plate / "p.ome.zarr", "-q",
                 "-o", tmp_path / "b.labels.ome.zarr")
    assert quiet.stderr == ""
    assert len(quiet.stdout.splitlines()) == 5  # records are data, not talk


def test_quiet_keeps_errors(cell, tmp_path):
    assert "not found" in said(
        cell("segment", "threshold", "absent", "-q", "-o", "x.labels.ome.zarr", code=66,
             cwd=tmp_path))


def test_messages_as_json(cell, plate, tmp_path):
    done = cell("segment", "threshold", plate / "p.ome.zarr", "-c", "DAPI", "--log-json",
                "-o", tmp_path / "x.labels.ome.zarr", code=65)
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert {e["command"] for e in entries} == {"cell-segment"}
    assert {e["level"] for e in entries} == {"error"}
    assert all(e["message"] and e["code"] == 65 for e in entries)
    done = cell("segment", "threshold", "absent", "--log-json", "-o", "x.labels.ome.zarr", code=66)
    assert json.loads(said(done))["code"] == 66


def test_verbose_shows_where_a_fault_is(tmp_path, plate):
    """`-v` alone prints a traceback, so that faults can be reported."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "cell_segment", "threshold", str(plate / "p.ome.zarr"), "-c",
         "DAPI", "-v", "-o", str(tmp_path / "x.labels.ome.zarr")],
        capture_output=True, text=True, timeout=60, env=os.environ)
    assert done.returncode == 65
    assert "Traceback" in done.stderr


def test_no_progress_where_stderr_is_no_terminal(cell, plate, tmp_path):
    done = cell("segment", "threshold", plate / "p.ome.zarr", "-o", tmp_path / "x.labels.ome.zarr")
    assert "\x1b" not in done.stderr and "\r" not in done.stderr and "%" not in done.stderr


# -- shell completion --------------------------------------------------------------------


def test_completion_script(cell):
    text = cell("segment", "--show-completion", "bash", env=SHELL).stdout
    assert "_CELL_SEGMENT_COMPLETE=complete_bash" in text
    assert "complete -o default -F _cell_segment_completion cell-segment" in text


@pytest.mark.parametrize(("words", "found"), [
    ("cell-train f", "forest"),
    ("cell-train predict --mod", "--model"),
    ("cell-train predict --out", "--output"),
])
def test_completion(cell, words, found):
    room = words.split()[0].removeprefix("cell-")
    env = {f"_CELL_{room.upper()}_COMPLETE": "complete_bash", "COMP_WORDS": words,
           "COMP_CWORD": str(len(words.split()) - 1)}
    assert found in cell(room, env=env).stdout.split()


# -- a person at a terminal --------------------------------------------------------------


def test_records_reach_the_pipe_while_a_bar_is_on_the_terminal(spawn, plate, tmp_path):
    """stderr is a terminal and stdout a pipe, as in `cell-segment ... | cell-feat ...`."""
    ours, theirs = os.openpty()
    try:
        process = spawn("segment", "threshold", plate / "p.ome.zarr", "-j", "1", "-o",
                        tmp_path / "x.labels.ome.zarr", stderr=theirs, env={"TERM": "xterm"})
        records = [json.loads(line) for line in process.stdout]
        assert process.wait(60) == 0
        os.set_blocking(ours, False)
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert [r["n"] for r in records[-1:]] == [4] and len(records) == 5
    assert "fields" in shown and "\x1b[" in shown, "no progress was shown"
    assert '{"schema"' not in shown
