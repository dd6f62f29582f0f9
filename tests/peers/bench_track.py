"""Linking beside laptrack and btrack: points of a simulated film, the real colony, a million."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from libcell.track.fields import points
from libcell.track.kernels.ellipses import Objects
from libcell.track.kernels.movie import link
from libcell.track.kernels.steps import Rules
from libcell.track.solver.windows import Window
from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, peak_gb, remove, seconds
from tests.peers.track_peers import PEERS, track

STEP, SPACING, REACH = 2.5, 40.0, 20.0  # px: of a walk, of its cells, of a peer's search
HALF = 5.0  # px between a mother's place and her daughters'


def bench_track_points(place: Place) -> Iterator[Row]:
    """Points that walk and divide: cells linked per second, and how many rightly."""
    folder = place.scratch / "track-points"
    remove(folder)
    folder.mkdir()
    walk(folder, cells=400, frames=40)
    ours = _ours(folder)
    quality, speed = {"lap": _score(folder, "lap.tracks")}, {"lap": ours}
    for peer in PEERS:
        speed[peer] = track(place.scratch, peer, folder / "p.csv", folder / f"{peer}.csv", REACH)
        _call("convert", folder / f"{peer}.csv", "-o", folder / f"{peer}.tracks", "--image", "p")
        quality[peer] = _score(folder, f"{peer}.tracks")
    n = sum(1 for _ in (folder / "p.csv").open()) - 1
    for peer in PEERS:
        how = "; ".join(f"{k}: {n / speed[k]:,.0f} cells/s, LNK {quality[k]['LNK']:.4f}, "
                        f"division F1 {quality[k]['division_f1'] or 0:.3f}"
                        for k in ("lap", peer))
        yield Row(f"linking {n} points beside {peer}", ours / speed[peer], 0.2, "times its time",
                  f"{how}; processor time of linking")
        yield Row(f"links missed or false beside {peer}",
                  (1 - quality["lap"]["LNK"]) / max(1e-9, 1 - quality[peer]["LNK"]), 1.05,
                  "times its", how)


def bench_track_colony(place: Place) -> Iterator[Row]:
    """The real colony from its true masks; the peers from the same objects' centres."""
    folder = place.scratch / "track-colony"
    remove(folder)
    folder.mkdir()
    subprocess.run([BIN / "cell-extract", "ctc", place.data / "bacteria_trpL", "--sequence", "01",
                    "-o", folder / "b", "-q"], check=True, stdout=subprocess.DEVNULL)
    (folder / "true.tracks").symlink_to(folder / "b" / "true.tracks")
    quality = {}
    for method in ("lap", "overlap"):
        _call(method, folder / "b" / "labels.ome.zarr", "-o", folder / f"{method}.tracks")
        quality[method] = _score(folder, f"{method}.tracks")
    table = pq.read_table(folder / "b" / "true.tracks" / "tracks.parquet")
    columns = np.stack([table[n].to_numpy() for n in ("Metadata_T", "y", "x")], axis=1)
    _write(folder / "p.csv", columns)
    for peer in PEERS:
        track(place.scratch, peer, folder / "p.csv", folder / f"{peer}.csv", 60.0)
        _call("convert", folder / f"{peer}.csv", "-o", folder / f"{peer}.tracks", "--image", "01")
        quality[peer] = _score(folder, f"{peer}.tracks")
    how = "; ".join(f"{k} {q['LNK']:.3f}, {q['division_f1'] or 0:.3f}, "
                    f"{q['complete_tracks']:.3f}" for k, q in quality.items())
    yield Row("links missed or false in the colony (1 - LNK)", 1 - quality["lap"]["LNK"], 0.10,
              "", f"LNK, division F1, complete tracks of {how}")
    yield Row("divisions missed or false in the colony (1 - F1)",
              1 - quality["lap"]["division_f1"], 0.15, "", "as above")


def bench_track_million(place: Place) -> Iterator[Row]:
    """A million points in a thousand frames, as a user tracks them."""
    folder = place.scratch / "track-million"
    remove(folder)
    folder.mkdir()
    walk(folder, cells=1000, frames=1000, divide=0.0)
    command = [BIN / "cell-track", "lap", folder / "p.csv", "-o", folder / "t.tracks", "-q"]
    took = seconds(command)
    memory = peak_gb([*command, "--force"])
    yield Row("a million points in 1000 frames", took / 60, 10, "minutes", "cell-track lap")
    yield Row("memory for them", memory, 4, "GB", "cell-track lap, points and tracks included")


def bench_track_growing(place: Place) -> Iterator[Row]:
    """What a frame costs as the movie grows, and 50,000 points without windows."""
    folder = place.scratch / "track-growing"
    remove(folder)
    folder.mkdir()
    walk(folder, cells=250, frames=400, divide=0.0)
    (found,) = points.read(folder / "p.csv")
    frames = list(found.frames((1.0, 1.0, 1.0)))
    link(frames[:6], Rules(), Window())
    seen = []

    def watched() -> Iterator[Objects]:
        for frame in frames:
            seen.append(time.process_time())
            yield frame

    link(watched(), Rules(), Window())
    each = 1000 * np.diff(seen)
    # a window is solved every six frames; the median is of whole windows, for quiet ones count
    windows = each[: each.size // 6 * 6].reshape(-1, 6).mean(axis=1)[2:]
    quarters = [float(np.median(w)) for w in np.array_split(windows, 4)]
    slope = np.polyfit(6 * np.arange(windows.size), windows, 1)[0]
    yield Row("a frame late in a movie of 400 beside an early one", quarters[-1] / quarters[0],
              1.25, "times its time", f"{quarters[0]:.1f} and {quarters[-1]:.1f} ms, slope "
              f"{1000 * slope:.1f} us a frame; 250 points each")
    remove(folder / "true.tracks")
    walk(folder, cells=250, frames=200, divide=0.0)
    took = seconds([BIN / "cell-track", "lap", folder / "p.csv", "-o", folder / "t.tracks",
                    "--window", 0, "-q"])
    yield Row("50,000 points at once, without windows", took, 60, "seconds",
              "cell-track lap --window 0, start included")


def walk(folder: Path, cells: int, frames: int, divide: float = 0.01) -> None:
    """p.csv, points in order of time and place; true.tracks, where they went."""
    rng = np.random.default_rng(0)
    side = SPACING * np.sqrt(cells)
    at = {k + 1: p for k, p in enumerate(rng.uniform(0, side, (cells, 2)))}
    rows, parent, last = [], dict.fromkeys(at, 0), cells
    for t in range(frames):
        rows += [(k, t, *p, parent[k]) for k, p in at.items()]
        after = {}
        for k, p in at.items():
            moved = p + rng.normal(0, STEP, 2)
            if rng.random() >= divide:
                after[k] = moved
                continue
            angle = rng.uniform(0, np.pi)
            for sign in (-1, 1):
                last += 1
                after[last] = moved + sign * HALF * np.array([np.sin(angle), np.cos(angle)])
                parent[last] = k
        at = after
    table = np.array(rows)
    _write(folder / "p.csv", table[:, 1:4])
    lines = [f"{int(k)},{int(t)},{y:.3f},{x:.3f},{int(p)}" for k, t, y, x, p in rows]
    (folder / "true.csv").write_text("\n".join(["track_id,t,y,x,parent_track_id", *lines]) + "\n")
    _call("convert", folder / "true.csv", "-o", folder / "true.tracks", "--image", "p")


def _write(path: Path, columns: np.ndarray) -> None:
    ordered = columns[np.lexsort(columns.T[::-1])]
    np.savetxt(path, ordered, delimiter=",", header="t,y,x", comments="", fmt="%.3f")


def _ours(folder: Path) -> float:
    """Seconds for linking alone, from arrays to tracks, once the code is compiled."""
    _call("lap", folder / "p.csv", "-o", folder / "lap.tracks")
    (found,) = points.read(folder / "p.csv")
    frames = list(found.frames((1.0, 1.0, 1.0)))
    link(frames[:6], Rules(), Window())
    start = time.process_time()
    link(frames, Rules(), Window())
    return time.process_time() - start


def _score(folder: Path, name: str) -> dict[str, Any]:
    """Figures by place, since a peer does not keep labels."""
    return _call("score", folder / name, folder / "true.tracks", "--max-distance", 1)


def _call(*args: object) -> dict[str, Any]:
    done = subprocess.run([str(a) for a in (BIN / "cell-track", *args, "-q")], check=True,
                          capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
