"""Block-wise commands on a dask cluster give the same bytes as on one machine."""

import os

import pytest
from distributed import LocalCluster


@pytest.mark.slow
def test_cluster_and_threads_give_the_same_bytes(cell, plate, tmp_path):
    def run(name, *more):
        folder = tmp_path / name
        folder.mkdir()
        images = os.path.relpath(plate / "p.ome.zarr", folder)
        cell("segment", "threshold", images, "-c", "DNA", *more, "-o", "n.labels.ome.zarr",
             cwd=folder)
        cell("segment", "threshold", images, "-c", "DNA", *more, "--tile", 64, "-o",
             "t.labels.ome.zarr", cwd=folder)
        cell("feat", "measure", "n.labels.ome.zarr", "--images", images, *more, "-o", "f.parquet",
             cwd=folder)
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        there = run("cluster", "--scheduler", cluster.scheduler_address)
    here = run("threads", "-j", 2)
    tables = [p for p in here if p.suffix == ".parquet"]
    assert tables
    assert here.keys() == there.keys()
    # links to the image are relative, and the folders lie side by side: nothing may differ
    assert [p for p in here if here[p] != there[p]] == []
