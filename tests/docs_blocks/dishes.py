"""What pages start from as a lab has it: image files, folders of classes, sequences, tables."""

import csv
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tifffile
from PIL import Image as Pillow
from roifile import ImagejRoi, roiwrite
from skimage.measure import regionprops

from libcell.data import tables
from libcell.simulate import simulate_lines, simulate_plate, write_lines, write_plate

NAMES = {"DNA": ("DNA",), "Actin": ("GFP", "EdU"), "Mito": ("Mito", "BrdU")}  # stains, seen as
WELLS, SHAPE = 16, (160, 160)


def plate(folder: Path) -> None:
    """`raw/`, `layout.csv` and `truth/`: a small plate of four compounds and five channels."""
    made = folder / "simulated"
    write_plate(made, simulate_plate(0, wells=WELLS, sites=1, shape=SHAPE, n_cells=12))
    raw = folder / "raw"
    raw.mkdir()
    for path in sorted((made / "images").iterdir()):
        place, stain = path.stem.rsplit("_", 1)
        for name in NAMES[stain]:
            shutil.copy(path, raw / f"{place}_{name}.tif")
    (made / "truth" / "labels").rename(folder / "truth")
    with (made / "layout.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["Condition"] = "dmso" if row["Compound"] == "DMSO" else "drug"
    write_rows(folder / "layout.csv", rows)
    shutil.rmtree(made)


def masks(folder: Path) -> None:
    """`masks/`: the true nuclei; `two/`, `stage1_train/`, `rois/`: those of two pictures."""
    (folder / "masks").mkdir()
    (folder / "two").mkdir()
    for path in sorted((folder / "truth").glob("*_nuclei.tif")):
        shutil.copy(path, folder / "masks" / path.name.replace("_nuclei", ""))
    for path in sorted((folder / "masks").iterdir())[:2]:
        shutil.copy(path, folder / "two")
        labels = tifffile.imread(path)
        alone = folder / "stage1_train" / path.stem / "masks"
        alone.mkdir(parents=True)
        regions = []
        for label in np.unique(labels)[1:]:
            Pillow.fromarray(np.uint8(255 * (labels == label))).save(alone / f"{label}.png")
            y, x = np.nonzero(labels == label)
            corners = [(x.min(), y.min()), (x.max(), y.min()), (x.max(), y.max()),
                       (x.min(), y.max())]
            regions.append(ImagejRoi.frompoints(np.float32(corners), name=f"n{label}"))
        (folder / "rois").mkdir(exist_ok=True)
        roiwrite(folder / "rois" / f"{path.stem}.zip", regions)


def cellprofiler(folder: Path) -> None:
    """`objects/`, `Nuclei.csv` and `DefaultDB.db` as CellProfiler's modules write them."""
    (folder / "objects").mkdir()
    rows = []
    for number, path in enumerate(sorted((folder / "truth").glob("*_nuclei.tif")), 1):
        place = path.stem.removesuffix("_nuclei")
        labels = tifffile.imread(path).astype(np.uint16)
        tifffile.imwrite(folder / "objects" / f"{place}_Nuclei.tiff", labels)
        image = tifffile.imread(folder / "raw" / f"{place}_DNA.tif") / 65535
        for found in regionprops(labels, image):
            rows.append({
                "ImageNumber": number, "ObjectNumber": found.label,
                "Metadata_Site": place.partition("_s")[2], "Metadata_Well": place[:3],
                "AreaShape_Area": found.area, "AreaShape_Eccentricity": found.eccentricity,
                "AreaShape_Solidity": found.solidity,
                "Intensity_MaxIntensity_DNA": found.intensity_max,
                "Intensity_MeanIntensity_DNA": found.intensity_mean,
                "Location_Center_X": found.centroid[1]})
    write_rows(folder / "Nuclei.csv", rows)
    images = sorted({(r["ImageNumber"], r["Metadata_Well"], r["Metadata_Site"]) for r in rows})
    names = [f"Nuclei_{n}" for n in rows[0] if "_" in n and not n.startswith("Metadata")]
    with closing(sqlite3.connect(folder / "DefaultDB.db")) as database, database:
        database.execute("CREATE TABLE MyExpt_Per_Image (ImageNumber INTEGER, "
                         "Image_Metadata_Well TEXT, Image_Metadata_Site TEXT)")
        database.executemany("INSERT INTO MyExpt_Per_Image VALUES (?, ?, ?)", images)
        database.execute("CREATE TABLE MyExpt_Per_Object (ImageNumber INTEGER, "
                         f"Nuclei_Number_Object_Number INTEGER, {' REAL, '.join(names)} REAL)")
        database.executemany(
            f"INSERT INTO MyExpt_Per_Object VALUES (?, ?{', ?' * len(names)})",
            [(r["ImageNumber"], r["ObjectNumber"], *(r[n.removeprefix("Nuclei_")] for n in names))
             for r in rows])


def pictures(folder: Path) -> None:
    """`pictures/CLASS/*.png` and `index.csv`: 96 blobs, small or large, of four plates."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-16:16, -16:16]
    rows = []
    for name, radius in (("small", 4), ("large", 7)):
        (folder / "pictures" / name).mkdir(parents=True)
        for number in range(48):
            spot = 150 * np.exp(-(x**2 + y**2) / (2 * (radius + rng.normal(0, 0.5)) ** 2))
            file = f"{name}/{number:02d}.png"
            Pillow.fromarray(np.uint8((40 + spot + rng.normal(0, 8, x.shape)).clip(0, 255))).save(
                folder / "pictures" / file)
            rows.append({"file": file, "class": name, "plate": f"P{number % 4}",
                         "well": f"A{number % 8 + 1:02d}"})
    write_rows(folder / "pictures" / "index.csv", rows)
    shutil.copy(folder / "pictures" / "index.csv", folder / "index.csv")


def sequences(folder: Path) -> None:
    """`LSM/`: sequences of a growing blob with a stage a frame, of four plates."""
    stages = [1, 1, 1, 2, 3, 4, 5, 6, 1, 1]
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-16:16, -16:16]
    for number in range(8):
        one = folder / "LSM" / f"P{number % 4}_A0{number // 4 + 1}_1_cell{number}"
        for part in ("Raw", "Mask"):
            (one / part).mkdir(parents=True)
        for t, stage in enumerate(stages):
            disc = x**2 + y**2 <= (3 + stage) ** 2
            Pillow.fromarray(np.uint8(60 + 100 * disc + rng.normal(0, 5, x.shape))).save(
                one / "Raw" / f"f{t:02d}.png")
            Pillow.fromarray(np.uint8(255 * disc)).save(one / "Mask" / f"f{t:02d}.png")
        one.with_name(f"{one.name}_ManualStages.txt").write_text(",".join(map(str, stages)))


def classes(folder: Path) -> None:
    """A class for each crop of `two.crops.zarr`, in its index."""
    path = folder / "two.crops.zarr" / "index.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("Metadata_Class", [["cell"] * table.num_rows]), path)


def stages(folder: Path) -> None:
    """`stages.parquet`: what a network would predict that had trained for longer than one epoch."""
    table = pq.read_table(folder / "guessed.parquet")
    truth = table["target"].to_pylist()
    for at, name in enumerate(table.column_names):
        if name.startswith("p_"):
            sure = [0.95 if f"p_{stage}" == name else 0.01 for stage in truth]
            table = table.set_column(at, name, pa.array(sure))
    at = table.column_names.index("predicted")
    pq.write_table(table.set_column(at, "predicted", table["target"]), folder / "stages.parquet")


def film_stages(folder: Path) -> None:
    """`film_stages.parquet`: a stage of each object of `t.tracks`, by its frame."""
    found = pq.read_table(folder / "t.tracks" / "tracks.parquet")
    late = np.array(found["Metadata_T"]) % 4 > 1
    nothing = pa.nulls(len(late), pa.string())
    columns = {n: found[n] for n in ("object_id", "Metadata_Image", "Metadata_T",
                                     "Metadata_Label")} | {
        "Metadata_Plate": nothing, "Metadata_Well": nothing, "Metadata_Site": nothing,
        "Metadata_Compartment": [o.split(":")[2] for o in found["object_id"].to_pylist()],
        "target": nothing, "split": ["new"] * len(late),
        "predicted": np.where(late, "G2", "G1"), "p_G1": np.where(late, 0.1, 0.9),
        "p_G2": np.where(late, 0.9, 0.1)}
    table = tables.from_columns("predictions", columns)
    provenance = {"command": "a test", "version": "0", "parameters": {}, "inputs": []}
    tables.write_parts(folder / "film_stages.parquet", [table], table.schema, "predictions",
                       provenance)


def lines(folder: Path) -> None:
    """`phase/`: time series of two cell lines in three batches, each of a flask of its own."""
    made = folder / "cultures"
    write_lines(made, simulate_lines(0, 2, 3, 1, 3, shape=(256, 256), n_cells=30))
    (folder / "phase").mkdir()
    for path in sorted((made / "images").glob("*/*/*.tif")):
        line, batch = path.parts[-3], path.parts[-2].removeprefix("batch_")
        time = path.stem.rsplit("_", 1)[1]
        shutil.copy(path, folder / "phase" / f"{line}_{batch}_{line}{batch}_{time}.tif")
    shutil.rmtree(made)


def bags(folder: Path) -> None:
    """`bags.parquet`: the crops of each well as a bag."""
    index = pq.read_table(folder / "c.crops.zarr" / "index.parquet").to_pydict()
    place: dict[str, int] = {}
    positions = []
    for well in index["Metadata_Well"]:
        positions.append(place.get(well, 0))
        place[well] = positions[-1] + 1
    table = tables.from_columns("bags", {
        "bag_id": index["Metadata_Well"], "object_id": index["object_id"],
        "position": np.int32(positions)})
    provenance = {"command": "a test", "version": "0", "parameters": {}, "inputs": []}
    tables.write_parts(folder / "bags.parquet", [table], table.schema, "bags", provenance)


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path())
