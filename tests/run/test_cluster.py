"""A dask cluster as a pool: met when needed, by address and file; refused where it is not ours."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster

from libcell.errors import DataError, MissingInput, PartlyDone, Unavailable
from libcell.run import cluster, workers
from libcell.run.blocks import Block


@pytest.fixture(scope="module")
def nodes():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as started:
        yield started


def slow_first(number):
    time.sleep(0.2 if number == 0 else 0)
    return number * 10


def here(path):
    return str(path)


def missing(path):
    raise MissingInput(f"{path}: not found")


def late(seconds):
    raise TimeoutError(f"not within {seconds} s")


def open_pool(nodes, tmp_path, where=None):
    return workers.open_pool(where or nodes.scheduler_address, 3, tmp_path)


def test_by_address_and_by_file(nodes, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps(nodes.scheduler.identity()))
    for where in (nodes.scheduler_address, str(tmp_path / "s.json")):
        pool = open_pool(nodes, tmp_path, where)
        assert pool.width == 2 and pool.cores == 3
        blocks = (Block(str(i), {"number": i}) for i in range(6))
        found = [f.result() for _, f in workers.in_order(pool, slow_first, blocks, lambda b: False)]
        assert found == [i * 10 for i in range(6)]
        pool.close()


def test_errors_of_blocks_arrive_and_paths_are_absolute(nodes, tmp_path):
    pool = open_pool(nodes, tmp_path)
    assert pool.submit(here, {"path": Path("x")}).result() == str(Path("x").absolute())
    with pytest.raises(MissingInput, match=r"x: not found \(on dask worker tcp://"):
        pool.submit(missing, {"path": Path("x")}).result()
    with pytest.raises(TimeoutError, match="not within 3 s"):
        pool.submit(late, {"seconds": 3}).result()
    pool.close()


def test_workers_of_another_version_or_disk_are_refused(nodes, tmp_path):
    pool = open_pool(nodes, tmp_path)
    pool._ticket = replace(pool._ticket, version="0.0.1")
    with pytest.raises(Unavailable, match=r"dask worker tcp.* \(and 1 more\) has libcell"):
        assert pool.width
    pool.close()
    pool = open_pool(nodes, tmp_path)
    assert pool.submit(here, {"path": tmp_path}).result() == str(tmp_path)
    pool._ticket = replace(pool._ticket, mark=tmp_path / "gone" / "x")  # as for a worker that came
    with pytest.raises(PartlyDone, match=r"dask worker tcp.* does not see .*gone.*--resume"):
        pool.submit(here, {"path": tmp_path}).result()
    pool.close()


def test_what_is_no_scheduler(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with pytest.raises(Unavailable, match="no dask scheduler"):
        assert cluster.Cluster("tcp://127.0.0.1:1", tmp_path, 1).width
    with pytest.raises(MissingInput, match="scheduler file not found"):
        cluster.Cluster(str(tmp_path / "s.json"), tmp_path, 1)
    (tmp_path / "s.json").write_text('{"address"')
    with pytest.raises(DataError, match="not a dask scheduler's file"):
        cluster.Cluster(str(tmp_path / "s.json"), tmp_path, 1)


def test_a_cluster_that_grows_when_it_is_needed(tmp_path):
    """It starts its first worker for a task that waits."""
    with LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as started:
        started.adapt(minimum=0, maximum=1)
        pool = open_pool(started, tmp_path)
        assert pool.submit(slow_first, {"number": 3}).result() == 30
        pool.close()
