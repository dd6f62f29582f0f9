"""`make demo`: real images through all eight commands to a report, then rounds and a time-lapse.

Runs the commands as a user would type them, and prints each with what it made and how long it
took. With the shared microscopy the plate is a real 96-well plate; without it, real nuclei that
come with scikit-image stand in for segmentation, and the simulator for everything that needs
wells. Simulated parts say so.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent


class Demo:
    """Runs commands in the demo's folder and keeps account."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows: list[tuple[str, str, float]] = []
        # our own commands first, so that the demo works in a virtual environment not activated
        self._environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

    def run(self, line: str) -> dict[str, object]:
        """Run one command line; returns its last record. Leaves with its code if it fails."""
        print(f"$ {line}", flush=True)
        start = time.perf_counter()
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=self.folder, env=self._environment,
            stdout=subprocess.PIPE, text=True, check=False,
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            sys.exit(done.returncode)
        lines = done.stdout.splitlines()
        record = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        made = _told(record)
        print(f"  {made} ({seconds:.1f} s)\n", flush=True)
        names = [w for w in shlex.split(line) if w.startswith("cell-")] or ["simulator"]
        self.rows.append((" | ".join(names), made, seconds))
        return record

    def title(self, text: str) -> None:
        """A heading."""
        print(f"\n{text}\n{'-' * len(text)}", flush=True)

    def table(self) -> None:
        """What was made by what, and how long it took."""
        self.title("What was made")
        for command, made, seconds in self.rows:
            print(f"{seconds:6.1f} s  {command:<26} {made}")


def _told(record: dict[str, object]) -> str:
    if not record:
        return "done"
    figures = "".join(
        f", {name} {value:.3f}" for name, value in record.items() if isinstance(value, float)
    )
    return f"{record['path']}: {record['schema']}, n = {record['n']}{figures}"


def real_plate(demo: Demo, data: Path) -> None:
    """The 96-well translocation plate: 192 files to a report."""
    demo.title("A real 96-well plate: from 192 microscope files to a report")
    demo.run(
        f"cell-extract images '{data}/images/*.tif' "
        "--pattern 'Channel{channel}-{_}-{row}-{col}.tif' --channel-names 1=GFP,2=DNA "
        f"--layout {data}/1049_Metadata.csv -o plate.ome.zarr"
    )
    analyse(demo, "DNA", "Metadata_SBS_Controls", "--classes=-1,1", 64)


def simulated_plate(demo: Demo) -> None:
    """Real nuclei for segmentation, a simulated plate for wells and classes."""
    demo.title("Real nuclei: stained tissue that comes with scikit-image (no shared images here)")
    demo.run(f"cell-extract images {_tissue()} -o tissue.ome.zarr")
    demo.run("cell-segment threshold tissue.ome.zarr -c R --dark --method adaptive --sigma 2 "
             "--min-area 60 -o tissue.labels.ome.zarr")
    demo.title("A simulated plate: from microscope files to a report")
    demo.run("python -m libcell.simulate plate -o raw --seed 0 --wells 24")
    demo.run(
        "cell-extract images 'raw/images/*.tif' --pattern '{well}_s{site}_{channel}.tif' "
        "--layout raw/layout.csv -o plate.ome.zarr"
    )
    analyse(demo, "DNA", "Metadata_Compound", "", 64, "--simulated")


def _tissue() -> Path:
    """The picture behind `skimage.data.immunohistochemistry`."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "ihc.png"


def analyse(
    demo: Demo, stain: str, target: str, more: str, size: int, more_report: str = ""
) -> None:
    """Segment, crop, measure, learn, explain."""
    demo.run(
        f"cell-segment threshold plate.ome.zarr -c {stain} -o nuclei.labels.ome.zarr "
        "| cell-feat measure - --images plate.ome.zarr -o features.parquet"
    )
    demo.run(f"cell-crop cells nuclei.labels.ome.zarr --images plate.ome.zarr --size {size} "
             "-o nuclei.crops.zarr")
    demo.run(f"cell-train forest features.parquet --target {target} {more} -o class.model")
    demo.run("cell-train predict features.parquet -m class.model -o predictions.parquet")
    demo.run("cell-train score predictions.parquet -o score")
    demo.run("cell-explain importance features.parquet -m class.model -o importance.parquet")
    demo.run(
        "cell-explain report plate.ome.zarr nuclei.labels.ome.zarr nuclei.crops.zarr "
        "features.parquet class.model predictions.parquet score/scores.parquet "
        f"importance.parquet {more_report} -o report.html"
    )


def rounds(demo: Demo) -> None:
    """Two imaging rounds of the same simulated cells, one moved onto the other."""
    demo.title("Two imaging rounds (simulated)")
    demo.run("python -m libcell.simulate rounds -o rounds --seed 0")
    for name in ("round1", "round2"):
        demo.run(
            f"cell-extract images 'rounds/{name}/*.tif' --pattern '{{well}}_s{{site}}_{{channel}}"
            f".tif' -o {name}.ome.zarr"
        )
    demo.run("cell-align rounds round1.ome.zarr --moving round2.ome.zarr -c DNA "
             "-o both.ome.zarr")


def timelapse(demo: Demo) -> None:
    """A simulated time-lapse, tracked through its divisions."""
    demo.title("A time-lapse with divisions (simulated)")
    demo.run("python -m libcell.simulate timelapse -o movie --seed 0")
    demo.run("cell-extract images 'movie/images/*.tif' "
             "--pattern '{well}_s{site}_t{t}_{channel}.tif' -o movie.ome.zarr")
    demo.run("cell-segment threshold movie.ome.zarr -c DNA -o movie.labels.ome.zarr "
             "| cell-track overlap - -o movie.tracks")


def main() -> None:
    """Run everything in a fresh folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the shared microscopy")
    parser.add_argument("--output", type=Path, required=True, help="made anew each time")
    given = parser.parse_args()
    shutil.rmtree(given.output, ignore_errors=True)
    given.output.mkdir(parents=True)
    demo = Demo(given.output)
    plate = given.data.resolve() / "sbs_plate96"
    if plate.exists():
        real_plate(demo, plate)
    else:
        simulated_plate(demo)
    rounds(demo)
    timelapse(demo)
    demo.table()
    print(f"\nThe report: {given.output / 'report.html'}")


if __name__ == "__main__":
    main()
