"""Stores and tables by URL: read by chunk, uploaded whole or not at all, with an S3 that fails."""

import json
import shutil

import fsspec
import numpy as np
import pytest
from objectstore.server import Mood, Proxy, environment, s3
from small_plate import contents

from libcell.data import digests, remote, upload
from libcell.data import open as opening
from libcell.data.images import Source
from libcell.errors import UsageFault

pytest.importorskip("moto")


@pytest.fixture(scope="module")
def proxy():
    with s3() as address, Proxy(address) as before:
        yield before


@pytest.fixture(scope="module")
def bucket(proxy, plate):
    """A file system, with the plate at s3://bucket/p.ome.zarr."""
    options = {"key": "a", "secret": "b", "endpoint_url": proxy.address,
               "client_kwargs": {"region_name": "us-east-1"}, "use_listings_cache": False}
    made = fsspec.filesystem("s3", **options)
    made.put(str(plate / "p.ome.zarr"), "bucket/", recursive=True)
    return made


@pytest.fixture
def on_s3(cell, proxy, tmp_path):
    """A command in an empty folder that finds the bucket; the proxy is in good mood again."""
    proxy.moods = ()
    return lambda *args, **more: cell(*args, "-j", 2, cwd=tmp_path, env=environment(proxy.address),
                                      **more)


def fetched(bucket, name, tmp_path):
    target = tmp_path / "got" / name
    target.parent.mkdir(exist_ok=True)
    bucket.get(f"bucket/{name}", str(target), recursive=True)
    return contents(target)


def test_a_pipeline_in_a_bucket_makes_what_it_makes_here(cell, on_s3, bucket, plate, tmp_path):
    images = "s3://bucket/p.ome.zarr"
    done = on_s3("segment", "threshold", images, "-c", "DNA", "-o", "s3://bucket/n.labels.ome.zarr")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == [
        "s3://bucket/n.labels.ome.zarr"]
    assert "libcell-remote" not in done.stderr
    on_s3("feat", "measure", "-", "--images", images, "-o", "s3://bucket/f.parquet",
          input=done.stdout)
    assert list(tmp_path.iterdir()) == []  # nothing stays here
    cell("feat", "measure", plate / "n.labels.ome.zarr", "--images", plate / "p.ome.zarr",
         "-o", "f.parquet", cwd=tmp_path)
    assert fetched(bucket, "f.parquet", tmp_path) == contents(tmp_path / "f.parquet")
    assert fetched(bucket, "n.labels.ome.zarr", tmp_path) == contents(plate / "n.labels.ome.zarr")


def test_what_is_there_and_what_is_not(on_s3, bucket, tmp_path):
    out = ("-c", "DNA", "-o", "s3://bucket/e.labels.ome.zarr")
    read = ("segment", "threshold", "s3://bucket/p.ome.zarr")
    on_s3(*read, *out)
    assert "s3://bucket/e.labels.ome.zarr: exists" in on_s3(*read, *out, code=73).stderr
    again = on_s3(*read, *out, "--skip-existing")
    assert json.loads(again.stdout)["path"] == "s3://bucket/e.labels.ome.zarr"
    bucket.pipe_file("bucket/e.labels.ome.zarr/A/01/0/labels/nuclei/0/c/0/0/0/9/9", b"old chunk")
    on_s3(*read, *out, "--force")
    assert not bucket.exists("bucket/e.labels.ome.zarr/A/01/0/labels/nuclei/0/c/0/0/0/9/9")
    missing = on_s3("segment", "threshold", "s3://bucket/no.ome.zarr", *out, "--force", code=66)
    assert missing.stderr == "cell-segment: s3://bucket/no.ome.zarr: not found\n"
    nowhere = on_s3(*read, "-c", "DNA", "-o", "s3://nobody/e.labels.ome.zarr", code=None)
    assert nowhere.returncode in (66, 75) and len(nowhere.stderr.splitlines()) == 1


def test_a_store_that_fails_now_and_then(on_s3, bucket, proxy, plate, tmp_path):
    proxy.moods = (Mood(status=503, every=5), Mood(cut=True, every=7, methods=("GET",)),
                   Mood(slow_s=0.3, every=11))
    on_s3("segment", "threshold", "s3://bucket/p.ome.zarr", "-c", "DNA",
          "-o", "s3://bucket/w.labels.ome.zarr")
    assert all(mood.failed for mood in proxy.moods)
    proxy.moods = ()
    found = fetched(bucket, "w.labels.ome.zarr", tmp_path)
    assert found == contents(plate / "n.labels.ome.zarr")


def test_an_upload_that_fails_is_taken_up(on_s3, bucket, proxy, tmp_path):
    """All is done here; there, nothing can be opened until the last object."""
    proxy.moods = (Mood(status=500, methods=("PUT",), of="/B/02/"),)
    out = ("segment", "threshold", "s3://bucket/p.ome.zarr", "-c", "DNA",
           "-o", "s3://bucket/u.labels.ome.zarr")
    failed = on_s3(*out, code=75)
    assert "s3://bucket/u.labels.ome.zarr: cannot be reached" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert not bucket.exists("bucket/u.labels.ome.zarr/zarr.json")
    proxy.moods = ()
    read = on_s3("feat", "measure", "s3://bucket/u.labels.ome.zarr", "--images",
                 "s3://bucket/p.ome.zarr", "-o", "f.parquet", code=66)
    assert "its upload was not finished" in read.stderr
    assert "4 blocks were done before" in on_s3(*out, "--resume").stderr
    assert bucket.exists("bucket/u.labels.ome.zarr/zarr.json")
    assert not bucket.exists(f"bucket/u.labels.ome.zarr/{remote.UPLOADING}")
    assert not list(tmp_path.iterdir())


def test_a_store_that_is_lost_while_it_is_read(on_s3, bucket, proxy):
    proxy.moods = (Mood(status=503, methods=("GET",), of="/B/02/0/0/c/"),)
    ended = on_s3("segment", "threshold", "s3://bucket/p.ome.zarr", "-c", "DNA",
                  "-o", "lost.labels.ome.zarr", code=75)
    assert "cannot be reached" in ended.stderr and "--resume" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_foreign_store_is_read_where_it_is(plate, tmp_path):
    there = tmp_path / "x.ome.zarr"
    shutil.copytree(plate / "p.ome.zarr", there)
    root = json.loads((there / "zarr.json").read_text())
    del root["attributes"]["schema"], root["attributes"]["provenance"]
    (there / "zarr.json").write_text(json.dumps(root))
    place = remote.local(f"file://{there}")
    assert not list(place.rglob("c"))  # no chunk was fetched
    assert digests.of_path(place) == digests.of_path(there)
    assert digests.of_path(place).startswith("listing:")
    pixels = [opening.image(Source(p, "B/02/0")).read(c=1) for p in (place, there)]
    assert pixels[0].any() and np.array_equal(*pixels)
    before = digests.state(place)
    (there / "zarr.json").write_text(json.dumps(root, indent=2))
    assert not before.holds(digests.state(place))
    remote.forget()


def test_a_name_that_leads_out_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a")
    with pytest.raises(UsageFault, match="not read"):
        remote.local(f"file://{tmp_path}/y/../x.csv")
    found = remote.local(f"file://{tmp_path}/x.csv")
    assert found.read_text() == "a" and found != tmp_path / "x.csv"
    remote.forget()
    assert not found.exists()


def test_words():
    assert remote.is_url("s3://a/b") and not remote.is_url("/a/b") and not remote.is_url("C:\\x")
    assert remote.told("/tmp/libcell-remote-x1/s3/b/p.zarr/A: no") == "s3://b/p.zarr/A: no"
    assert remote.relative("s3://b/i/p.zarr", "s3://b/o/n.zarr") == "../../i/p.zarr"
    assert remote.relative("s3://b/i/p.zarr", "s3://c/o/n.zarr") is None
    assert upload.Upload("s3://b/o/n.zarr").path.as_posix() == ".libcell/s3/b/o/n.zarr"


def test_an_address_that_is_no_bucket_is_refused():
    """It may come from a record in a pipe."""
    with pytest.raises(UsageFault, match="no object storage"):
        remote.local("http://127.0.0.1:1/plate.ome.zarr")
