"""Killed in the middle and continued: the result is, file by file, that of an undisturbed run."""

import fcntl
import json
import shutil
import signal
import time

import numpy as np
import pytest
import tifffile
from command_line import said
from small_plate import PATTERN, blobs, contents, tree, write_raw

WELLS = tuple(f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7))


@pytest.fixture(scope="session")
def work(tmp_path_factory, cell):
    """Twenty-four wells, one large field, and each command's undisturbed result."""
    folder = tmp_path_factory.mktemp("work")
    write_raw(folder / "raw", wells=WELLS)
    tifffile.imwrite(folder / "large.tif", blobs(400, seed=5)[0])
    cell("extract", "images", "large.tif", "-o", "large.ome.zarr", cwd=folder)
    for room, args, output in JOBS.values():
        cell(room, *args, "-o", output, cwd=folder)
    return folder


JOBS = {
    "extract": ("extract", ("images", "raw/*.tif", "--pattern", PATTERN), "p.ome.zarr"),
    "segment": ("segment", ("threshold", "p.ome.zarr"), "n.labels.ome.zarr"),
    "tiles": ("segment", ("threshold", "large.ome.zarr", "--tile", "64"), "t.labels.ome.zarr"),
    "crop": ("crop", ("cells", "n.labels.ome.zarr", "--images", "p.ome.zarr", "--size", "16"),
             "c.crops.zarr"),
}


def copied(work, folder, without):
    """The inputs at another place, under the same relative names, but for one output."""
    for child in work.iterdir():
        if child.name != without:
            (folder / child.name).symlink_to(child)
    return folder


def killed(spawn, folder, room, args, output, lines):
    """Start a command and kill it when its journal has so many lines; returns those there are."""
    journal = folder / f".{output}.partial" / "journal.jsonl"
    process = spawn(room, *args, "-j", "2", "-o", output, cwd=folder)
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    process.wait(10)
    if process.returncode == 0:
        pytest.skip("this machine was faster than the kill")
    assert process.returncode == -signal.SIGKILL, process.stderr.read()
    return journal.read_bytes().count(b"\n")


@pytest.mark.parametrize("lines", [2, 15])
@pytest.mark.parametrize("job", JOBS)
def test_killed_and_resumed(cell, spawn, work, tmp_path, job, lines):
    room, args, output = JOBS[job]
    folder = copied(work, tmp_path, output)
    done = killed(spawn, folder, room, args, output, lines)
    assert not (folder / output).exists()

    before = tree(folder / f".{output}.partial")
    refused = cell(room, *args, "-o", output, cwd=folder, code=73)
    line = said(refused)
    assert f"{done} blocks done" in line and "--resume" in line and "--force" in line
    after = tree(folder / f".{output}.partial")
    assert {k: v for k, v in after.items() if k != "lock"} == \
        {k: v for k, v in before.items() if k != "lock"}

    resumed = cell(room, *args, "--resume", "-o", output, cwd=folder)
    assert f"{done} blocks were done before" in resumed.stderr
    assert contents(folder / output) == contents(work / output)
    assert not (folder / f".{output}.partial").exists()


def test_finished_blocks_are_not_done_again(cell, spawn, work, tmp_path):
    room, args, output = JOBS["extract"]
    folder = copied(work, tmp_path, output)
    killed(spawn, folder, room, args, output, 5)
    part = folder / f".{output}.partial"
    keys = [json.loads(x)["key"] for x in (part / "journal.jsonl").read_text().splitlines()]
    chunk = next(p for p in (part / "out" / keys[0] / "0" / "c").rglob("*") if p.is_file())
    written = chunk.stat().st_mtime_ns
    cell(room, *args, "--resume", "-o", output, cwd=folder)
    assert (folder / output / chunk.relative_to(part / "out")).stat().st_mtime_ns == written


def test_a_line_cut_short_in_the_journal(cell, spawn, work, tmp_path):
    """As if its block had not been done."""
    room, args, output = JOBS["segment"]
    folder = copied(work, tmp_path, output)
    done = killed(spawn, folder, room, args, output, 6)
    journal = folder / f".{output}.partial" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-7])
    resumed = cell(room, *args, "--resume", "-o", output, cwd=folder)
    assert f"{done - 1} blocks were done before" in resumed.stderr
    assert contents(folder / output) == contents(work / output)


def test_half_written_files_of_a_killed_run_are_not_published(cell, spawn, work, tmp_path):
    room, args, output = JOBS["extract"]
    folder = copied(work, tmp_path, output)
    killed(spawn, folder, room, args, output, 5)
    root = folder / f".{output}.partial" / "out"
    (root / "A" / ".zarr.json.1-2.tmp").write_bytes(b"{")
    (root / "A" / "zarr.0123.partial").write_bytes(b"{")
    cell(room, *args, "--resume", "-o", output, cwd=folder)
    assert contents(folder / output) == contents(work / output)


def test_resuming_what_never_began(cell, work, tmp_path):
    """`--resume` may stand in every script: without an unfinished run it changes nothing."""
    room, args, output = JOBS["segment"]
    folder = copied(work, tmp_path, output)
    cell(room, *args, "--resume", "-o", output, cwd=folder)
    assert contents(folder / output) == contents(work / output)


def test_starting_over(cell, spawn, work, tmp_path):
    room, args, output = JOBS["segment"]
    folder = copied(work, tmp_path, output)
    killed(spawn, folder, room, args, output, 5)
    done = cell(room, *args, "--force", "-o", output, cwd=folder)
    assert "done before" not in done.stderr
    assert contents(folder / output) == contents(work / output)


def test_inputs_that_changed_meanwhile(cell, spawn, work, tmp_path):
    room, args, output = JOBS["extract"]
    folder = copied(work, tmp_path, output)
    (folder / "raw").unlink()
    shutil.copytree(work / "raw", folder / "raw")
    killed(spawn, folder, room, args, output, 5)
    tifffile.imwrite(folder / "raw" / f"{WELLS[0]}_s0_DNA.tif", np.zeros((128, 128), np.uint16))
    done = cell(room, *args, "--resume", "-o", output, cwd=folder, code=73)
    assert "other inputs" in said(done) and "--force" in said(done)


def test_two_processes_and_one_output(spawn, cell, work, tmp_path):
    output = tmp_path / "x.labels.ome.zarr"
    first = spawn("segment", "threshold", "-", "-j", "1", "-o", output, cwd=work)
    record = {"schema": "image/1", "path": "p.ome.zarr", "n": 2, "group": "A/01/0"}
    first.stdin.write(json.dumps(record) + "\n")
    first.stdin.flush()
    first.stdout.readline()
    for more in ((), ("--resume",), ("--force",)):
        done = cell("segment", "threshold", work / "p.ome.zarr", "-o", output, *more, code=73)
        assert "another process is writing it" in said(done)
    first.stdin.write(json.dumps({"schema": "image/1", "path": "p.ome.zarr", "n": 24}) + "\n")
    first.stdin.close()
    assert first.wait(60) == 0 and output.is_dir()


def test_the_lock_of_a_dead_process_is_free(cell, spawn, work, tmp_path):
    room, args, output = JOBS["segment"]
    folder = copied(work, tmp_path, output)
    killed(spawn, folder, room, args, output, 5)
    with (folder / f".{output}.partial" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_bad_part_of_a_large_field(cell, tmp_path):
    """Some tiles fail in the first pass: the later ones must not go on without them."""
    tifffile.imwrite(tmp_path / "wide.tif", np.tile(blobs(275, seed=5)[0], (4, 4)))
    cell("extract", "images", "wide.tif", "-o", "wide.ome.zarr", cwd=tmp_path)
    segment = ("threshold", "wide.ome.zarr", "--tile", "256", "-j", "2")
    cell("segment", *segment, "-o", "whole.labels.ome.zarr", cwd=tmp_path)
    chunk = next(p for p in (tmp_path / "wide.ome.zarr" / "0" / "c").rglob("*") if p.is_file())
    whole = chunk.read_bytes()
    chunk.write_bytes(b"\xff" * 400 + whole[400:])  # one of the nine chunks of this shard
    output = "n.labels.ome.zarr"
    done = cell("segment", *segment, "-o", output, cwd=tmp_path, code=75)
    assert "wide.ome.zarr" in done.stderr and "--resume" in done.stderr
    chunk.write_bytes(whole)
    cell("segment", *segment, "--resume", "-o", output, cwd=tmp_path)
    assert contents(tmp_path / output) == contents(tmp_path / "whole.labels.ome.zarr")


def test_a_worker_that_is_killed(spawn, cell, work, tmp_path):
    """As the kernel does when memory runs out: 75, and the rest can be done later."""
    import psutil

    room, args, output = JOBS["extract"]
    folder = copied(work, tmp_path, output)
    process = spawn(room, *args, "-j", "2", "--scheduler", "processes", "-o", output, cwd=folder)
    process.stdout.readline()
    workers = [c for c in psutil.Process(process.pid).children()
               if "spawn_main" in " ".join(c.cmdline())]
    workers[0].kill()
    code = process.wait(60)
    if code == 0:
        pytest.skip("all was done before the kill")
    assert code == 75
    line, = process.stderr.read().splitlines()
    assert "worker process was killed" in line and "--resume" in line
    cell(room, *args, "--resume", "-o", output, cwd=folder)
    assert contents(folder / output) == contents(work / output)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_command(spawn, work, tmp_path, end):
    import psutil

    process = spawn("segment", "threshold", "-", "-j", "2", "--scheduler", "processes",
                    "-o", tmp_path / "x.labels.ome.zarr", cwd=work)
    for well in WELLS[:5]:
        record = {"schema": "image/1", "path": "p.ome.zarr", "n": 2,
                  "group": f"{well[0]}/{well[1:]}/0"}
        process.stdin.write(json.dumps(record) + "\n")
        process.stdin.flush()
    process.stdout.readline()
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.send_signal(end)
    process.wait(10)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
    assert process.stderr.read() == ""
