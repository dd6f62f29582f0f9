"""An output is there as a whole or not at all, and nothing that was there is lost."""

import pytest

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


def test_kill_between_the_renames_is_recovered(tmp_path):
    aside = tmp_path / ".x.replaced"
    aside.mkdir()
    (aside / "old").write_text("old")
    with pytest.raises(OutputExists, match="exists"):
        begun(tmp_path / "x")
    assert (tmp_path / "x" / "old").read_text() == "old"


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
