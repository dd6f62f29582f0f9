"""Fields of view by the thousand, made of a few simulated ones: turned, mirrored, noisier.

Small ones, 128 px and about ten cells, so that what each field costs beside its pixels shows.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tifffile

from libcell.data import tables
from libcell.simulate import simulate_field, simulate_timelapse

EDGE, CELLS, DISTINCT, FRAMES = 128, 10, 8, 3
ROWS, COLUMNS = "ABCDEFGH", 12
COMPOUNDS = {"DMSO": "normal", "drug": "large_nucleus"}
CHANNELS = ("DNA", "Mito")
NOISE = 4.0  # grey levels, sd


def places(n: int) -> Iterator[tuple[int, str, str, str]]:
    """Number, plate, well and compound of `n` fields: one a well, 96 wells a plate."""
    names = tuple(COMPOUNDS)
    for i in range(n):
        plate, well = divmod(i, len(ROWS) * COLUMNS)
        row, column = divmod(well, COLUMNS)
        compound = names[(row + column) % len(names)]
        yield i, f"P{plate + 1:05d}", f"{ROWS[row]}{column + 1:02d}", compound


def write_plates(folder: Path, n: int) -> None:
    """`{plate}/{well}_{channel}.tif` and `layout.csv`."""
    drawn = {compound: [simulate_field(k, (EDGE, EDGE), CELLS, (kind,), channels=CHANNELS).image
                        for k in range(DISTINCT)] for compound, kind in COMPOUNDS.items()}
    layout = []
    for i, plate, well, compound in places(n):
        image = varied(drawn[compound][i // 2 % DISTINCT], i)
        for channel, pixels in zip(CHANNELS, image):
            _write(folder / plate / f"{well}_{channel}.tif", pixels)
        layout.append((plate, well, compound))
    with (folder / "layout.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("Plate", "Well", "Compound"), *layout])


def write_films(folder: Path, n: int) -> None:
    """`{plate}/{well}_t{t}_DNA.tif`, each field a film of three frames."""
    drawn = [simulate_timelapse(k, FRAMES, (EDGE, EDGE), CELLS, channels=CHANNELS[:1]).image[:, 0]
             for k in range(DISTINCT)]
    for i, plate, well, _ in places(n):
        for t, pixels in enumerate(varied(drawn[i % DISTINCT], i)):
            _write(folder / plate / f"{well}_t{t}_DNA.tif", pixels)


def varied(image: np.ndarray, i: int) -> np.ndarray:
    """(...,Y,X) in one of the eight ways to lay a square, with noise of its own."""
    turned = np.rot90(image, i % 4, axes=(-2, -1))
    laid = turned[..., ::-1] if i // 4 % 2 else turned
    noise = np.random.default_rng(i).normal(0, NOISE, laid.shape)
    return (laid + noise).clip(0, np.iinfo(image.dtype).max).astype(image.dtype)


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, photometric="minisblack")


def repeat(source: Path, target: Path, times: int) -> None:
    """A feature table as of `times` as many plates: keys of their own, and values that differ a
    little, since equal rows in two parts of a split are refused."""
    table = pq.read_table(source)
    rng = np.random.default_rng(times)
    tables.write_parts(target, (_as_of_another(table, k, rng) for k in range(times)),
                       table.schema, "features", tables.provenance(table.schema))


def _as_of_another(table: pa.Table, k: int, rng: np.random.Generator) -> pa.Table:
    for place, field in enumerate(table.schema):
        if field.name in ("object_id", "Metadata_Plate", "Metadata_Image"):
            named = pc.binary_join_element_wise(f"r{k}", table.column(field.name), "-")
            table = table.set_column(place, field, named)
        elif pa.types.is_floating(field.type):
            values = table.column(field.name).to_numpy()
            table = table.set_column(place, field, pa.array(
                values * (1 + rng.normal(0, 1e-3, len(values))), field.type))
    return table
