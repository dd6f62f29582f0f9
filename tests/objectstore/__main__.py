"""Print one line per way in which an S3 server fails; the exit code is 1 if one ended badly."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster import chain
from tests.cluster.__main__ import trial
from tests.objectstore.server import Mood, Proxy, environment, s3

READ = "s3://bucket/p.ome.zarr"
SHARDS = "/0/c/"


@dataclass(frozen=True)
class Fault:
    """How the server behaves, what the command returns then, and how often it is run."""

    name: str
    moods: tuple[Mood, ...]
    code: int = 0
    said: str = ""
    ways: tuple[str, ...] = field(default=("threads",))


FAULTS = (
    Fault("in good health", (), ways=("threads", "processes")),
    Fault("every 4th request 503", (Mood(status=503, every=4),)),
    Fault("every 4th request 500", (Mood(status=500, every=4),)),
    Fault("every 5th answer cut off", (Mood(cut=True, every=5, methods=("GET",)),)),
    Fault("every answer half a second late", (Mood(slow_s=0.5),)),
    Fault("no answer at all to one request", (Mood(slow_s=45, times=1, of=SHARDS),)),
    Fault("nothing but 503 from the start", (Mood(status=503),), 69, "cannot be reached"),
    Fault("nothing but 503 for pixels of a field",
          (Mood(status=503, methods=("GET",), of="/B/02/0/0/c/"),), 75, "--resume"),
    Fault("no object can be put", (Mood(status=503, methods=("PUT",)),), 75, "--resume"),
    Fault("the last object cannot be put",
          (Mood(status=500, methods=("PUT",), of="n.labels.ome.zarr/zarr.json"),), 75, "--resume"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.objectstore", description=__doc__)
    parser.add_argument("--only", default="", help="part of a fault's name")
    given = parser.parse_args()
    wrong = 0
    print(f"{'':4} {'s':>6}  trial", flush=True)
    with (tempfile.TemporaryDirectory(prefix="s3-") as folder, s3() as address,
          Proxy(address) as proxy):
        place = Place(Path(folder), proxy, address)
        for fault in FAULTS:
            for way in fault.ways:
                if given.only in fault.name:
                    wrong += trial(f"{fault.name} ({way})",
                                   lambda fault=fault, way=way: place.tried(fault, way))
    return 1 if wrong else 0


class Place:
    """A plate in the bucket, and what it should become."""

    def __init__(self, folder: Path, proxy: Proxy, address: str):
        self.folder, self.proxy, self.address = folder, proxy, address
        chain.write_raw(folder / "raw", chain.WELLS)
        for step in chain.SHORT[:2]:
            assert chain.run([*step.args, "-o", step.output], folder).returncode == 0
        self._system().put(str(folder / "p.ome.zarr"), "bucket/", recursive=True)

    def tried(self, fault: Fault, way: str) -> None:
        """The command while the server fails, then, if it ended early, after that."""
        name = f"s3://bucket/{len(self._system().ls('bucket'))}/n.labels.ome.zarr"
        self.proxy.moods = fault.moods
        ended = self._segment(name, way)
        failed = sum(mood.failed for mood in fault.moods)
        self.proxy.moods = ()
        assert failed or not fault.moods, "the server did not fail"
        assert ended.returncode == fault.code, f"exit {ended.returncode}: {ended.stderr}"
        assert "Traceback" not in ended.stderr and len(ended.stderr.splitlines()) <= 1, ended.stderr
        assert fault.said in ended.stderr, ended.stderr
        if fault.code:
            assert not self._system().exists(f"{name}/zarr.json"), "half an output can be opened"
            again = self._segment(name, way, "--resume")
            assert again.returncode == 0, again.stderr
        self._system().get(name, str(self.folder / "got"), recursive=True)
        expected, found = (chain.contents(self.folder / n) for n in ("n.labels.ome.zarr", "got"))
        for content in (expected, found):  # its link to the image is another
            for key in [k for k in content if k.endswith("nuclei/zarr.json")]:
                content.pop(key)
        assert found == expected, "bytes differ"
        shutil.rmtree(self.folder / "got")

    def _segment(self, name: str, way: str, *more: str) -> "subprocess.CompletedProcess[str]":
        return chain.run(["segment", "threshold", READ, "-c", "DNA", "-o", name, "-j", "2",
                          "--scheduler", way, *more], self.folder, environment(self.proxy.address))

    def _system(self) -> Any:
        import fsspec

        return fsspec.filesystem("s3", key="a", secret="b", endpoint_url=self.address,
                                 use_listings_cache=False)


if __name__ == "__main__":
    sys.exit(main())
