"""An output is there as a whole or not at all, and nothing that was there is lost."""

import errno
import fcntl
import itertools
import shutil

import pytest
from faults import processes
from faults.events import Watch, die_at
from small_plate import contents

from libcell.data.output import Output, partial_path
from libcell.errors import OutputExists

JOB = {"command": "test", "inputs": []}


def begun(path, job=JOB, finished=0, **more):
    output = Output(path, **more)
    output.begin(job)
    if finished:
        output.journal.write_text('{"phase":"p","key":"k","result":1}\n' * finished)
    return output


def test_nothing_has_the_name_before_publish(tmp_path):
    output = begun(tmp_path / "x.parquet")
    output.root.write_text("new")
    assert not output.path.exists()
    output.publish()
    assert output.path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [output.path]


def test_a_lock_that_is_a_link_is_not_written(tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    partial_path(tmp_path / "x.parquet").mkdir()
    (partial_path(tmp_path / "x.parquet") / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        begun(tmp_path / "x.parquet")
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_existing_output_is_refused_and_untouched(tmp_path):
    (tmp_path / "x.parquet").write_text("old")
    with pytest.raises(OutputExists, match="--force"):
        begun(tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_text() == "old"


@pytest.mark.parametrize("folder", [False, True])
def test_force_replaces_only_at_the_end(tmp_path, folder):
    path = tmp_path / "x"
    if folder:
        path.mkdir()
        (path / "old").write_text("old")
    else:
        path.write_text("old")
    output = begun(path, force=True)
    output.root.mkdir()
    (output.root / "new").write_text("new")
    assert path.exists()
    assert ((path / "old") if folder else path).read_text() == "old"
    output.publish()
    assert [p.name for p in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def finished(path, **more):
    """An output that could be published, of one finished block; what was done before is kept."""
    output = begun(path, **more)
    if not output.journal.exists():
        output.root.mkdir()
        for name in ("new", "newer"):
            (output.root / name).write_text("new")
        output.journal.write_text('{"phase":"p","key":"k","result":1}\n')
    return output


def whole(folder, name):
    path = folder / "whole" / name
    finished(path).publish()
    made = contents(path)
    shutil.rmtree(folder / "whole")
    return made


def old_output(path):
    path.mkdir()
    for name in ("old", "older"):
        (path / name).write_text("old")
    return contents(path)


def deaths(folder, work):
    """Do the work in a child that is killed before its first file event, then anew before its
    second, and so on until it lives; yields after each death."""
    for number in itertools.count(1):
        watch = Watch(folder, die_at(number, 0))

        def watched(watch=watch):
            watch.install()
            work()
            return 0

        ended = processes.start(watched, folder, folder / "log").wait()
        for stream in ("log.out", "log.err"):
            (folder / stream).unlink()
        if ended.code == 0:
            assert number > 5
            return
        assert ended.killed, ended.said
        yield watch.last


@pytest.mark.parametrize(("name", "old"), [("x", False), ("x", True), ("x.zarr.zip", False)])
def test_a_kill_at_any_moment(tmp_path, name, old):
    """What has the name is whole; what is noted as done is there; the end is as without a kill."""
    path = tmp_path / name
    new = whole(tmp_path, name)
    before = old_output(path) if old else None
    for last in deaths(tmp_path, lambda: finished(path, force=old).publish()):
        kept = contents(path) if path.exists() else None
        assert kept in (None, before, new), last
        if kept is not None:
            with pytest.raises(OutputExists, match="exists"):
                begun(path, resume=True)
        again = begun(path, resume=True, force=True)
        assert again.journal.exists() == again.root.exists(), last
        if again.journal.exists():
            assert set(contents(again.root)) == {"new", "newer"}, last
        again.release()
        finished(path, resume=True, force=True).publish()
        assert contents(path) == new and list(tmp_path.iterdir()) == [path], last
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        before = old_output(path) if old else None


def test_what_was_taken_away_does_not_come_back(tmp_path):
    """A kill while the old output is removed, then the user removes the new one."""
    path = tmp_path / "x"
    new = whole(tmp_path, "x")
    old_output(path)
    for last in deaths(tmp_path, lambda: finished(path, force=True).publish()):
        if path.exists() and contents(path) == new:
            shutil.rmtree(path)
            begun(path).abandon()
            assert list(tmp_path.iterdir()) == [], last
            old_output(path)


def test_what_a_kill_left_beside_a_finished_output_goes(tmp_path):
    path = tmp_path / "x"
    new = whole(tmp_path, "x")
    for last in deaths(tmp_path, lambda: finished(path).publish()):
        if path.exists():
            with pytest.raises(OutputExists, match="exists"):
                begun(path)
            assert contents(path) == new and not partial_path(path).exists(), last
            shutil.rmtree(path)
        else:
            begun(path, force=True).abandon()


def test_a_kill_while_an_unfinished_run_is_cleared_away(tmp_path):
    """Nothing that is half removed may be taken for finished."""
    path = tmp_path / "x"
    finished(path).release()
    for last in deaths(tmp_path, lambda: begun(path, force=True).abandon()):
        again = begun(path, resume=True)
        assert again.journal.exists() == again.root.exists(), last
        again.abandon()
        finished(path).release()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuses)
    finished(tmp_path / "x").publish()
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_a_folder_that_its_process_removes_while_another_waits(tmp_path, monkeypatch):
    """The lock that was got may be of a file that is gone: it holds nobody back."""
    first = begun(tmp_path / "x")
    real = fcntl.flock

    def late(lock, how):
        if not seen:
            seen.append(1)
            first.abandon()
        real(lock, how)

    seen = []
    monkeypatch.setattr(fcntl, "flock", late)
    second = begun(tmp_path / "x")
    with pytest.raises(OutputExists, match="another process"):
        begun(tmp_path / "x")
    second.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "x", tmp_path / ("x" * 300)):
        with pytest.raises(OutputExists, match="cannot be created"):
            begun(path)


def test_mended_inputs_within_a_folder(tmp_path):
    job = {"command": "test", "inputs": [["raw", "1"], ["other", "1"]]}
    first = begun(tmp_path / "x", job, finished=1)
    first.may_change([tmp_path.joinpath("raw", "a.tif").relative_to(tmp_path)])
    first.release()
    begun(tmp_path / "x", job | {"inputs": [["raw", "2"], ["other", "1"]]}, resume=True).release()
    with pytest.raises(OutputExists, match="other inputs"):
        begun(tmp_path / "x", job | {"inputs": [["raw", "2"], ["other", "2"]]}, resume=True)


def test_unfinished_run_is_neither_lost_nor_taken_by_accident(tmp_path):
    begun(tmp_path / "x", finished=3).release()
    with pytest.raises(OutputExists, match=r"3 blocks done.*--resume"):
        begun(tmp_path / "x")
    assert partial_path(tmp_path / "x").exists()
    resumed = begun(tmp_path / "x", resume=True)
    assert resumed.journal.exists()
    resumed.abandon()


def test_resume_of_another_job_is_refused(tmp_path):
    begun(tmp_path / "x", finished=1).release()
    with pytest.raises(OutputExists, match="other inputs or options"):
        begun(tmp_path / "x", job={"command": "other", "inputs": []}, resume=True)


def test_force_and_resume_start_over_when_the_job_changed(tmp_path):
    begun(tmp_path / "x", finished=1).release()
    output = begun(tmp_path / "x", job={"command": "other", "inputs": []}, resume=True, force=True)
    assert not output.journal.exists()
    output.abandon()


def test_second_writer_is_refused(tmp_path):
    first = begun(tmp_path / "x")
    with pytest.raises(OutputExists, match="another process"):
        begun(tmp_path / "x", force=True)
    first.abandon()
    begun(tmp_path / "x").abandon()
    assert list(tmp_path.iterdir()) == []
