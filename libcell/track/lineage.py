"""Pictures of tracks: a tree for each founder, and the movie with tails, outlines, divisions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from libcell.run.blocks import Block
from libcell.run.method import Method, Opt

if TYPE_CHECKING:
    import pyarrow as pa

    from libcell.run.inputs import Inputs
    from libcell.run.job import Job


@dataclass(frozen=True)
class Options:
    """What lies under the tracks, and how the film looks."""

    images: Annotated[str | None, Opt("image store to draw on", path=True)] = None
    labels: Annotated[str | None, Opt("label store that was tracked: outlines", path=True)] = None
    stages: Annotated[str | None, Opt("table of predictions, as cell-train predict says the stage "
                                      "of every object: colours are stages", path=True)] = None
    compartment: Annotated[str | None, Opt("label image [the one that was tracked]")] = None
    channel: Annotated[str | None, Opt("channel of the images, by name or number [the first]",
                                       ("-c", "--channel"))] = None
    movie: Annotated[str, Opt("auto: mp4 where imageio-ffmpeg is installed, else gif",
                              choices=("auto", "mp4", "gif", "both", "none"))] = "auto"
    tail: Annotated[int, Opt("frames that a tail reaches back", least=0)] = 10
    fps: Annotated[float, Opt("frames a second", least=0.1, most=100)] = 6.0
    size: Annotated[int, Opt("longest edge of the film, px", least=16)] = 900
    trees: Annotated[int, Opt("founders whose trees are drawn, those with most objects",
                              least=0)] = 100


def run(job: Job, options: Options) -> None:
    """Draw every field of view in a folder of its own; one alone lies in the output itself."""
    from libcell.track.pictures import encode

    if options.movie in ("mp4", "both") and not encode.has_mp4():
        from libcell.errors import Unavailable

        raise Unavailable(encode.EXTRA)
    path, names = _fields(job.inputs)
    job.root.mkdir(exist_ok=True)
    given = {"store": path.name, "options": asdict(options)}
    blocks = [Block(name, given | {"rows": rows, "image": name,
                                   "folder": job.root / (name if len(names) > 1 else "")})
              for name, rows in zip(names, _apart(job.parts, path, names))]
    done = []
    for block, one in job.map("fields", draw, blocks):
        done.append(one)
        if one["left"]:
            job.reporter.warn(f"{block.key}: {one['left']} smaller trees are not drawn (--trees)")
    job.settle()
    job.publish("files", len(done), frames=sum(d["frames"] for d in done),
                tracks=sum(d["tracks"] for d in done), trees=sum(d["trees"] for d in done))


def _fields(inputs: Inputs) -> tuple[Path, list[str]]:
    from libcell.data import tracks
    from libcell.errors import UsageFault

    paths = inputs.paths("tracks")
    if len(paths) != 1:
        raise UsageFault(f"{len(paths)} inputs: give one track store")
    found = tracks.read(paths[0]).column("Metadata_Image").unique().to_pylist()
    return paths[0], sorted(found) or [""]


def _apart(folder: Path, path: Path, names: list[str]) -> list[Path]:
    """The tracks of each field of view in a file of its own, so that none is looked for in all."""
    from libcell.data import tables, tracks
    from libcell.data.grouped import Grouped

    tracked = Grouped(tracks.read(path))
    made = [folder / f"tracks-{number:08d}.arrow" for number in range(len(names))]
    for name, file in zip(names, made):
        tables.write_part(file, tracked.of(name))
    return made


def draw(
    store: str, rows: Path, image: str, options: dict[str, Any], folder: Path
) -> dict[str, int]:
    """Page, trees and film of one field of view, whose tracks are `rows` of a `store`; the frames
    of the movie pass one by one."""
    from libcell.data import tables
    from libcell.data.output import write_file
    from libcell.track.pictures import colours, gather, page, svg, tree

    given = Options(**options)
    table = tables.read_part(rows)
    families = tree.families(table)
    stages, found = _coloured(table, given)
    rgb = colours.palette(bool(found.names))
    folder.mkdir(parents=True, exist_ok=True)
    scene = gather.scene(table, _stores(table, given), found.index, image)
    movies = _films(scene, folder, rgb, given)
    shown = sorted(families, key=lambda f: (-sum(b.rows.size for b in f), f[0].track))
    shown = sorted(shown[: given.trees], key=lambda f: f[0].track)
    (folder / "trees").mkdir(exist_ok=True)
    for family in shown:
        write_file(folder / "trees" / f"track_{family[0].track:05d}.svg",
                   svg.draw(family, found, rgb))
    about = page.Film(image or "tracks", f"{store}, drawn by cell-track lineage",
                      _figures(table, families, scene.shape[0]),
                      movies[0] if movies else None)
    ids = table.column("object_id").to_pylist()
    write_file(folder / "lineage.html",
               page.render(about, shown, found, rgb, ids, stages).encode())
    return {"frames": scene.shape[0], "tracks": sum(map(len, families)), "trees": len(shown),
            "left": len(families) - len(shown)}


def _coloured(table: pa.Table, given: Options) -> tuple[Any, Any]:
    """Stages of the rows, None without; and the rows' colours."""
    from libcell.track.pictures import colours, gather

    if given.stages:
        stages, names = gather.stages_of(table, Path(given.stages))
        return stages, colours.by_stage(stages, names)
    return None, colours.by_track(table.column("track_id").to_numpy())


def _stores(table: pa.Table, given: Options) -> Any:
    from libcell.track.pictures.gather import Stores

    told = "Metadata_Compartment" in table.column_names and table.num_rows
    tracked = str(table.column("Metadata_Compartment")[0].as_py()) if told else None
    images, labels = (Path(p) if p else None for p in (given.images, given.labels))
    return Stores(images, labels, given.compartment or tracked, given.channel)


def _films(scene: Any, folder: Path, rgb: Any, given: Options) -> list[str]:
    """Write the films; returns their names."""
    from libcell.track.pictures import encode, film

    kinds = {"auto": ["mp4" if encode.has_mp4() else "gif"], "both": ["mp4", "gif"],
             "none": []}.get(given.movie, [given.movie])
    size = film.size_of(scene.shape, given.size)
    writers = {"mp4": encode.write_mp4, "gif": encode.write_gif}
    for kind in kinds:
        writers[kind](folder / f"film.{kind}", film.frames(scene, size, given.tail), rgb,
                      given.fps)
    return [f"film.{kind}" for kind in kinds]


def _figures(table: pa.Table, families: list[Any], frames: int) -> dict[str, str]:
    branches = [b for f in families for b in f]
    mothers = {b.parent for b in branches if b.parent}
    return {"frames": f"{frames:,}", "objects": f"{table.num_rows:,}",
            "tracks": f"{len(branches):,}", "founders": f"{len(families):,}",
            "divisions": f"{len(mothers):,}"}


def plan(inputs: Inputs, options: Options) -> dict[str, Any]:
    """What would be read."""
    path, names = _fields(inputs)
    more = [p for p in (options.images, options.labels, options.stages) if p]
    return {"reads": [str(path), *more], "blocks": len(names), "fields": names}


METHOD = Method(
    name="lineage",
    summary="Trees of tracks, and the movie with outlines, tails and divisions drawn on it.",
    run=run,
    options=Options,
    reads=("tracks",),
    writes="files",
    suffix="",
    example="cell-track lineage movie.tracks --images movie.ome.zarr "
            "--labels movie.labels.ome.zarr -o out",
    plan=plan,
)
