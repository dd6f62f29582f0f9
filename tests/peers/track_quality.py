"""How well linkers and peers follow the colony of bacteria, from its true masks: the table in docs.

    python -m tests.peers.track_quality --data ../shared/data --scratch .bench \
        [--parts 26-40 ...] [--embed tracker.model] [--trackastra PYTHON NAME=FOLDER ...]

The movie as it is, its frames 0 to 25 and 26 to 40 (each a movie of its own), and with every
second frame dropped. laptrack and btrack see the centres, and get the best of several reaches.
`--trackastra` names the python of an environment with trackastra and this package in it, and
networks that tests/peers/trackastra_scratch.py made.
"""

import argparse
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from tests.peers.processes import BIN, remove
from tests.peers.track_peers import PEERS, track

PARTS = {"whole": range(0, 41), "0-25": range(0, 26), "26-40": range(26, 41),
         "every second": range(0, 41, 2)}
REACHES = (40.0, 60.0, 90.0, 120.0)  # px
SHOWN = ("LNK", "division_f1", "complete_tracks")


def part_of(root: Path, made: Path, frames: list[int]) -> None:
    """A challenge folder with some frames of another, its texts told anew.

    Where a track has none of the frames left, its daughters are its mother's.
    """
    remove(made)
    for folder, stem, text in (("01", "t", None), ("01_GT/TRA", "man_track", "man_track.txt"),
                               ("01_RES", "mask", "man_track.txt")):
        files = sorted((root / folder).glob("*.tif"))
        (made / folder).mkdir(parents=True)
        for k, t in enumerate(frames):
            shutil.copy(files[t], made / folder / f"{stem}{k:03d}.tif")
        if text:
            name = "res_track.txt" if stem == "mask" else text
            rows = _rows(root / folder / text, frames)
            (made / folder / name).write_text("".join(f"{a} {b} {c} {d}\n" for a, b, c, d in rows))


def _rows(text: Path, frames: list[int]) -> Iterator[tuple[int, int, int, int]]:
    rows = np.loadtxt(text, dtype=int, ndmin=2).tolist()
    parent = {r[0]: r[3] for r in rows}
    spans = {}
    for label, begin, end, _ in rows:
        first, last = np.searchsorted(frames, begin), np.searchsorted(frames, end, "right") - 1
        if first <= last:
            spans[label] = int(first), int(last)
    for label, (first, last) in spans.items():
        mother = parent[label]
        while mother and mother not in spans:
            mother = parent[mother]
        yield label, first, last, mother


def _call(*args: object, python: Path | None = None) -> dict[str, Any]:
    room, *rest = map(str, args)
    command = [str(python), "-m", f"cell_{room}"] if python else [str(BIN / f"cell-{room}")]
    done = subprocess.run([*command, *rest, "-q"], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _linkers(folder: Path, given: argparse.Namespace) -> Iterator[tuple[str, list[object]]]:
    """Name and score's arguments of every tracking of a part."""
    labels, images = (folder / "b" / f"{n}.ome.zarr" for n in ("labels", "image"))
    for method in ("overlap", "lap"):
        _call("track", method, labels, "-o", folder / f"{method}.tracks", "--force")
        yield method, [folder / f"{method}.tracks"]
    if given.embed:
        _call("track", "embed", labels, "--images", images, "--model", given.embed, "-o",
              folder / "embed.tracks", "--force")
        yield "embed", [folder / "embed.tracks"]
    python, *networks = given.trackastra or [None]
    for network in networks:
        name, _, model = network.partition("=")
        for solver in ("greedy", "global"):
            made = folder / f"{name}-{solver}.tracks"
            _call("track", "trackastra", labels, "--images", images, "-m", model, "--solver",
                  solver, "-o", made, "--force", python=python)
            yield f"trackastra {name}, {solver}", [made]
    yield "01_RES", [folder / "b" / "predicted.tracks", "--truth-labels", labels]


def _peers(folder: Path, scratch: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The best of a peer's reaches, by LNK."""
    table = pq.read_table(folder / "b" / "true.tracks" / "tracks.parquet")
    columns = np.stack([table[n].to_numpy() for n in ("Metadata_T", "y", "x")], axis=1)
    np.savetxt(folder / "p.csv", columns[np.lexsort(columns.T[::-1])], delimiter=",",
               header="t,y,x", comments="", fmt="%.3f")
    for peer in PEERS:
        found = []
        for reach in REACHES:
            track(scratch, peer, folder / "p.csv", folder / "q.csv", reach)
            _call("track", "convert", folder / "q.csv", "-o", folder / "q.tracks", "--image",
                  "01", "--force")
            score = _call("track", "score", folder / "q.tracks", folder / "b" / "true.tracks",
                          "--max-distance", 1)
            found.append((score["LNK"], reach, score))
        best = max(found, key=lambda f: f[:2])
        yield f"{peer}, {best[1]:.0f} px", best[2]


def main() -> None:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path(".bench"))
    parser.add_argument("--embed", type=Path)
    parser.add_argument("--trackastra", nargs="+")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    given = parser.parse_args()
    scratch = given.scratch.resolve()
    print("| frames | linker | LNK | division F1 | complete tracks |")
    print("| --- | --- | --- | --- | --- |")
    for name, frames in ((p, PARTS[p]) for p in given.parts):
        folder = scratch / f"quality-{name.replace(' ', '-')}"
        folder.mkdir(parents=True, exist_ok=True)
        part_of(given.data / "bacteria_trpL", folder / "raw", list(frames))
        _call("extract", "ctc", folder / "raw", "--results", "-o", folder / "b", "--force")
        for linker, args in _linkers(folder, given):
            _show(name, linker, _call("track", "score", *args, folder / "b" / "true.tracks"))
        if given.peers:
            for peer, score in _peers(folder, scratch):
                _show(name, peer, score)


def _show(part: str, linker: str, score: dict[str, Any]) -> None:
    figures = " | ".join("" if score[n] is None else f"{score[n]:.3f}" for n in SHOWN)
    print(f"| {part} | {linker} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
