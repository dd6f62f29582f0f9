"""How well `cell-track embed` links cells that it has not seen, beside `lap` and the data's own
tracker.

    python -m tests.peers.tracker_quality bacteria --data ../shared/data
    python -m tests.peers.tracker_quality bacteria-sparse --data ../shared/data
    python -m tests.peers.tracker_quality nuclei
    python -m tests.peers.tracker_quality stacks
    python -m tests.peers.tracker_quality cross --data ../shared/data

`bacteria`: trained on frames 0 to 25, tested on 26 to 40, and on every second of those.
`bacteria-sparse`: a tenth of the centres, of whole tracks, with the masks and without them.
`nuclei`: simulated films, one to learn from and one to be tested on. `stacks`: the same in 3D with
planes three pixels apart, from all masks and from a tenth of the centres. `cross`: each of
`bacteria` and `nuclei` on the other. Everything goes through the commands; one line of JSON per
tested linker. What is finished already is kept, so a run that was cut off goes on.
"""

import argparse
import csv
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tifffile

from tests.peers.processes import BIN

FIGURES = ("LNK", "TRA", "division_f1", "complete_tracks", "link_f1")
SPLIT, LAST = 26, 41  # the first frame of the test, and the end of the film
TENTH = 0.1
RADIUS = {"bacteria": 18, "stacks": 6}  # px, as an annotator would tell of his cells
Film = tuple[list[np.ndarray], list[np.ndarray], dict[int, int]]  # images, masks, parents
TRAIN = {"bacteria": ("--crops", "96", "--epochs", "6"),
         "nuclei": ("--crops", "96", "--epochs", "5", "--size", "128"),
         "stacks": ("--crops", "48", "--epochs", "6", "--size", "64", "--depth", "8")}


def run(command: str, *args: object) -> dict[str, object]:
    """Run a command; its last record."""
    done = subprocess.run([str(BIN / command), *map(str, args), "-q"], check=True, text=True,
                          stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


# -- films -----------------------------------------------------------------------------------


def bacteria(data: Path, frames: range) -> Film:
    """Some frames of the colony, as a film of their own."""
    folder = data / "bacteria_trpL"
    images = sorted((folder / "01").glob("*.tif"))
    masks = sorted((folder / "01_GT" / "TRA").glob("*.tif"))
    table = np.loadtxt(folder / "01_GT" / "TRA" / "man_track.txt", dtype=int)
    parents = {int(k): int(p) for k, _, _, p in table}
    return ([tifffile.imread(images[t]) for t in frames],
            [tifffile.imread(masks[t]) for t in frames], parents)


def nuclei(seed: int) -> Film:
    """Every second frame of a simulated film; masks hold the tracks' numbers."""
    from libcell.simulate import simulate_timelapse

    made = simulate_timelapse(seed, frames=40, shape=(256, 256), n_cells=9, cycle_frames=22,
                              speed_px=4.0)
    masks = np.zeros_like(made.nuclei)
    for t, label, track in zip(*(made.tracks[k] for k in ("t", "label", "track_id"))):
        masks[t][made.nuclei[t] == label] = track
    parents = dict(zip(made.tracks["track_id"].tolist(), made.tracks["parent_track_id"].tolist()))
    return list(made.image[::2, 0]), list(masks[::2]), parents


def stacks(seed: int, frames: int = 16, shape: tuple[int, ...] = (10, 96, 96)) -> Film:
    """Balls that wander, push each other aside and divide in a stack (simulated); planes are
    three pixels apart."""
    rng = np.random.default_rng(seed)
    step = np.array([3.0, 1.0, 1.0])
    high = (np.array(shape) - 1) * step
    cells = [(k + 1, 0, rng.uniform(4, high - 4), int(rng.integers(12))) for k in range(14)]
    speed = {k[0]: rng.normal(0, 1, 3) for k in cells}
    parents, last = {c[0]: 0 for c in cells}, 14
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) * step
    images, masks = [], []
    for _ in range(frames):
        nearest, owner = np.full(shape, np.inf), np.zeros(shape, np.uint16)
        image = np.full(shape, 20.0)
        for k, _, place, age in cells:
            radius = 5.0 + 1.5 * age / 12
            far = np.linalg.norm(grid - place, axis=-1) / radius
            owner = np.where((far < 1) & (far < nearest), k, owner).astype(np.uint16)
            nearest = np.minimum(nearest, far)
            image += 80 * (1 + (age > 9) * 0.6) / (1 + np.exp(6 * (far - 1)))
        images.append(rng.poisson(image).astype(np.uint16))
        masks.append(owner)
        after = []
        for k, p, place, age in cells:
            speed[k] = 0.7 * speed[k] + rng.normal(0, 2.0, 3)
            moved = np.clip(place + speed[k], 4, high - 4)
            if age < 12:
                after.append((k, p, moved, age + 1))
                continue
            way = rng.normal(size=3)
            for side in (-1, 1):
                last += 1
                parents[last], speed[last] = k, side * 0.5 * way
                after.append((last, k, moved + side * 4 * way / np.linalg.norm(way),
                              int(rng.integers(3))))
        cells = _pushed(after, high)
    return images, masks, parents


def _pushed(cells: list[tuple], high: np.ndarray) -> list[tuple]:  # type: ignore[type-arg]
    places = np.array([c[2] for c in cells])
    for _ in range(20):
        gap = places[:, None] - places[None]
        far = np.linalg.norm(gap, axis=2) + np.eye(len(cells))
        apart = 0.3 * np.clip(10.5 - far, 0, None)
        np.fill_diagonal(apart, 0)
        places = np.clip(places + (gap / far[..., None] * apart[..., None]).sum(axis=1),
                         4, high - 4)
    return [(k, p, place, age) for (k, p, _, age), place in zip(cells, places)]


def bundle(folder: Path, film: Film, *more: object) -> Path:
    """A film as `cell-extract ctc` brings it; labels are drawn anew in every frame."""
    out = folder / "b"
    if out.exists():
        return out
    images, masks, parents = film
    place, truth = folder / "ctc" / "01", folder / "ctc" / "01_GT" / "TRA"
    place.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    there: dict[int, list[int]] = {}
    for t, (image, mask) in enumerate(zip(images, masks)):
        tifffile.imwrite(place / f"t{t:03d}.tif", image)
        tifffile.imwrite(truth / f"man_track{t:03d}.tif", mask.astype(np.uint16))
        for k in np.unique(mask)[1:].tolist():
            there.setdefault(k, []).append(t)
    lines = []
    for k, seen in sorted(there.items()):
        p = parents.get(k, 0)
        while p and (p not in there or there[p][-1] >= seen[0]):
            p = parents.get(p, 0)
        lines.append(f"{k} {seen[0]} {seen[-1]} {p}")
    (truth / "man_track.txt").write_text("\n".join(lines) + "\n")
    run("cell-extract", "ctc", folder / "ctc", "--sequence", "01", *more, "-o", out)
    return out


def tenth(found: Path, out: Path, seed: int = 0) -> float:
    """Whole tracks drawn until they hold a tenth of the centres, as a table; the share drawn."""
    import pyarrow.parquet as pq

    rows = pq.read_table(found / "true.tracks" / "tracks.parquet").to_pylist()
    tracks = sorted({r["track_id"] for r in rows})
    family = {r["track_id"]: r["parent_track_id"] for r in rows}
    rng, kept, count = np.random.default_rng(seed), set(), 0
    for k in rng.permutation(tracks).tolist():
        some = {k} | {c for c, p in family.items() if p == k}  # a track with what comes of it
        size = sum(r["track_id"] in some - kept for r in rows)
        if count + size > TENTH * len(rows) and count:
            continue
        kept |= some
        count += size
    with out.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["t", "z", "y", "x", "track_id", "parent_track_id"])
        for r in rows:
            if r["track_id"] in kept:
                table.writerow([r["Metadata_T"], r.get("z", 0), r["y"], r["x"], r["track_id"],
                                r["parent_track_id"] if r["parent_track_id"] in kept else 0])
    return count / len(rows)


# -- training and testing --------------------------------------------------------------------


def trained(model: Path, *args: object) -> Path:
    """A model, trained unless it is there; goes on where it was cut off."""
    if not model.exists():
        run("cell-train", "tracker", *args, "-o", model, "--resume", "--checkpoint-seconds", 20)
    return model


def tested(found: Path, model: Path | None, name: str) -> dict[str, object]:
    """Figures of embed, or without a model of lap, on a film."""
    out = found.parent / f"{name}.tracks"
    if not out.exists() and model is None:
        run("cell-track", "lap", found / "labels.ome.zarr", "-o", out)
    elif not out.exists():
        run("cell-track", "embed", found / "labels.ome.zarr", "--images", found / "image.ome.zarr",
            "--model", model, "-o", out)
    said = run("cell-track", "score", out, found / "true.tracks")
    return {k: round(float(str(said[k])), 4) for k in FIGURES}


def raw(found: Path, model: Path) -> dict[str, object]:
    """Figures of embed on the images alone, against the truth by mask."""
    out = found.parent / "raw.tracks"
    if not out.exists():
        run("cell-track", "embed", found / "image.ome.zarr", "--model", model, "-o", out)
    said = run("cell-track", "score", out, found / "true.tracks", "--labels",
               out / "labels.ome.zarr", "--truth-labels", found / "labels.ome.zarr")
    return {k: round(float(str(said[k])), 4) for k in ("DET", "SEG", *FIGURES)}


def say(what: str, linker: str, figures: dict[str, object]) -> None:
    print(json.dumps({"film": what, "linker": linker} | figures), flush=True)


def bacteria_model(data: Path, work: Path) -> Path:
    train = bundle(work / "bacteria-train", bacteria(data, range(SPLIT)))
    return trained(work / "bacteria.model", train / "image.ome.zarr", train / "labels.ome.zarr",
                   "--tracks", train / "true.tracks", *TRAIN["bacteria"])


def bacteria_films(data: Path, work: Path) -> Iterable[tuple[str, Path]]:
    for name, frames in (("frames 26 to 40", range(SPLIT, LAST)),
                         ("every second of them", range(SPLIT, LAST, 2))):
        yield name, bundle(work / f"bacteria-{frames.step}", bacteria(data, frames))


def nuclei_model(work: Path) -> Path:
    train = bundle(work / "nuclei-train", nuclei(1))
    return trained(work / "nuclei.model", train / "image.ome.zarr", train / "labels.ome.zarr",
                   "--tracks", train / "true.tracks", *TRAIN["nuclei"])


def run_bacteria(data: Path, work: Path) -> None:
    model = bacteria_model(data, work)
    for name, found in bacteria_films(data, work):
        say(name, "lap", tested(found, None, "lap"))
        say(name, "embed", tested(found, model, "embed"))
    say("frames 26 to 40, raw images", "embed", raw(work / "bacteria-1" / "b", model))
    own_result(data, work)


def own_result(data: Path, work: Path) -> None:
    """The tracker's result that comes with the data, on the same frames."""
    folder, whole = work / "bacteria-1", data / "bacteria_trpL"
    masks = sorted((whole / "01_RES").glob("*.tif"))[SPLIT:LAST]
    table = np.loadtxt(next((whole / "01_RES").glob("*_track.txt")), dtype=int)
    film = (bacteria(data, range(SPLIT, LAST))[0], [tifffile.imread(m) for m in masks],
            {int(k): int(p) for k, _, _, p in table})
    found = bundle(work / "bacteria-own", film)
    said = run("cell-track", "score", found / "true.tracks", folder / "b" / "true.tracks",
               "--labels", found / "labels.ome.zarr", "--truth-labels",
               folder / "b" / "labels.ome.zarr")
    say("frames 26 to 40", "01_RES", {k: round(float(str(said[k])), 4) for k in FIGURES})


def run_sparse(name: str, train: Path, test: Path, work: Path, *more: object) -> None:
    """A tenth of the centres: whole tracks, on the masks, and as points alone."""
    table = work / f"{name}-tenth.csv"
    share = tenth(train, table)
    for kind, inputs in (("masks", (train / "image.ome.zarr", train / "labels.ome.zarr")),
                         ("points", (train / "image.ome.zarr",))):
        extra = ("--share", TENTH, "--radius", RADIUS[name]) if kind == "points" else ()
        model = trained(work / f"{name}-{kind}.model", *inputs, "--tracks", table, *extra,
                        *TRAIN[name], *more)
        say(name, f"embed, {share:.0%} of the centres, {kind}",
            tested(test, model, f"{name}-{kind}"))


def run_nuclei(work: Path) -> None:
    test = bundle(work / "nuclei-test", nuclei(2))
    say("nuclei", "lap", tested(test, None, "lap"))
    say("nuclei", "embed", tested(test, nuclei_model(work), "embed"))
    say("nuclei, raw images", "embed", raw(test, nuclei_model(work)))


def run_stacks(work: Path) -> None:
    more = ("--pixel-size", 1, "--z-step", 3)
    train = bundle(work / "stacks-train", stacks(1), *more)
    test = bundle(work / "stacks-test", stacks(2), *more)
    say("stacks", "lap", tested(test, None, "lap"))
    model = trained(work / "stacks.model", train / "image.ome.zarr", train / "labels.ome.zarr",
                    "--tracks", train / "true.tracks", *TRAIN["stacks"])
    say("stacks", "embed", tested(test, model, "embed"))
    run_sparse("stacks", train, test, work)


def run_cross(data: Path, work: Path) -> None:
    test = bundle(work / "nuclei-test", nuclei(2))
    say("nuclei", "embed, trained on bacteria", tested(test, bacteria_model(data, work), "cross"))
    for name, found in bacteria_films(data, work):
        say(name, "embed, trained on nuclei", tested(found, nuclei_model(work), "cross"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("bacteria", "bacteria-sparse", "nuclei", "stacks",
                                         "cross"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--scratch", type=Path, default=Path(".bench/tracker"))
    given = parser.parse_args()
    given.scratch.mkdir(parents=True, exist_ok=True)
    data, work = given.data, given.scratch
    if given.what == "bacteria":
        run_bacteria(data, work)
    elif given.what == "bacteria-sparse":
        train = bundle(work / "bacteria-train", bacteria(data, range(SPLIT)))
        for name, found in bacteria_films(data, work):
            say(name, "lap", tested(found, None, "lap"))
            run_sparse("bacteria", train, found, work)
    elif given.what == "nuclei":
        run_nuclei(work)
    elif given.what == "stacks":
        run_stacks(work)
    else:
        run_cross(data, work)


if __name__ == "__main__":
    main()
