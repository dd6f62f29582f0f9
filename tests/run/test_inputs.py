"""What a command is given to read: globs, records, paths, and streams that end too early."""

import io
import json
import time

import pytest

from libcell.errors import DataError, MissingInput, PartlyDone, UsageFault
from libcell.run.inputs import Inputs, expand


def piped(text):
    return Inputs(["-"], io.BufferedReader(io.BytesIO(text if isinstance(text, bytes)
                                                      else text.encode())))


def record(**more):
    return json.dumps({"schema": "labels/1", "path": "n.labels.ome.zarr", "n": 1} | more) + "\n"


def test_globs_in_natural_order(tmp_path):
    for name in ("a10.tif", "a9.tif", "a1.tif"):
        (tmp_path / name).touch()
    assert [p.name for p in expand(f"{tmp_path}/*.tif")] == ["a1.tif", "a9.tif", "a10.tif"]


def test_a_name_with_brackets_is_a_name_first(tmp_path):
    (tmp_path / "a[1].tif").touch()
    assert expand(f"{tmp_path}/a[1].tif") == [tmp_path / "a[1].tif"]


@pytest.mark.parametrize("text", ["no/such/file.tif", "no/such/*.tif"])
def test_nothing_there(text):
    with pytest.raises(MissingInput, match="no/such"):
        expand(text)


def test_parts_of_a_growing_store_come_one_by_one():
    lines = [record(group="A/01/0", partial="p"), record(group="A/02/0", partial="p"),
             record(complete=True)]
    found = list(piped("".join(lines)).fields("labels"))
    assert [s.group for s in found] == ["A/01/0", "A/02/0"]
    assert str(found[0].partial) == "p"


def test_a_store_that_was_never_finished_is_told():
    stream = piped(record(group="A/01/0", partial="p")).fields("labels")
    next(stream)
    with pytest.raises(PartlyDone, match="ended early"):
        next(stream)


def test_records_of_another_kind():
    with pytest.raises(DataError, match=r"features/1.*labels/1"):
        list(piped(record(schema="features/1")).fields("labels"))


@pytest.mark.parametrize("text", ['{"path": 3}\n', "{not json\n", '{"schema": "labels/1"}\n'])
def test_lines_that_are_no_records(text):
    with pytest.raises(DataError, match="not a record"):
        list(piped(text).fields("labels"))


def test_a_table_where_records_are_read():
    with pytest.raises(DataError, match="is a table"):
        list(piped(b"PAR1....").fields("labels"))


def test_nothing_on_standard_input():
    with pytest.raises(MissingInput, match="empty"):
        list(piped("").fields("labels"))


def test_standard_input_stands_alone():
    with pytest.raises(UsageFault, match="cannot be mixed"):
        Inputs(["-", "x.tif"])


def test_many_paths_are_noted_one_by_one_and_once(tmp_path):
    names = [str(tmp_path / f"{i}") for i in range(20_000)]
    inputs = piped("\n".join([*names, names[0]]))
    before = time.process_time()
    assert len(inputs.paths()) == 20_001
    assert time.process_time() - before < 5  # a search through all for each would take a minute
    assert len(inputs.seen) == 20_000


def test_what_is_named_twice_is_read_once():
    lines = [record(group="A/01/0", partial="p")] * 2 + [record(complete=True)] * 2
    assert [s.group for s in piped("".join(lines)).fields("labels")] == ["A/01/0"]
