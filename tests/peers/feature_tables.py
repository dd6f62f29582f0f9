"""Every feature beside the programs that define it, on real images: docs/features-compared.md.

    python -m tests.peers.feature_tables --data DATA > docs/features-compared.md
"""

import argparse
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from centrosome import zernike
from cp_measure.core.measureobjectintensity import get_intensity
from cp_measure.core.measureobjectsizeshape import get_feret, get_sizeshape
from cp_measure.core.measuretexture import get_texture
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label, regionprops_table
from skimage.morphology import remove_small_objects
from skimage.segmentation import relabel_sequential

from libcell.feat import families

CORE = ("shape", "moments", "zernike", "intensity", "texture")
Features = dict[str, np.ndarray]
REASONS = {
    "AreaShape_Zernike": "centrosome loses pixels on the circle to rounding",
    "AreaShape_CentralMoment_0_1": "0 here, rounding there",
    "AreaShape_CentralMoment_1_0": "0 here, rounding there",
    "Texture_InfoMeas2": "the root of what rounding leaves, where it is 0",
}
HEAD = """# Features beside other programs

Made by `python -m tests.peers.feature_tables`; the numbers are of one run on real images. Each row
is the largest difference of any object from the other program's value, relative to that value (or
to 1e-6 of the column's largest, where the value is smaller). How the conventions differ is in the
[page on features](features.md).
"""


def ours(labels: np.ndarray, image: np.ndarray | None) -> Features:
    """All features of the families CORE; those of the mask alone without an image."""
    index = families.ObjectIndex.of(labels)
    found: Features = {}
    for family in map(families.load, CORE):
        if image is not None or not family.PER_CHANNEL:
            found |= family.measure(labels, image, index)
    return found


def theirs(labels: np.ndarray, image: np.ndarray) -> dict[str, Features]:
    """The same by program."""
    dense = relabel_sequential(labels.astype(np.int64))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one-pixel regions and divisions by 0
        shape = get_sizeshape(dense, None) | get_feret(dense, None)
        counts = image.astype(np.float64)
        texture = get_texture(dense, image / np.iinfo(image.dtype).max)
        outer = regionprops_table(dense, properties=["feret_diameter_max"])
        table = regionprops_table(dense, image, properties=["intensity_std", "area"])
        rounded = _zernike(dense, 1.0), _zernike(dense, 1 - 1e-12)
    sample = table["intensity_std"] * np.sqrt(table["area"] / np.maximum(table["area"] - 1, 1))
    return {
        "cp_measure": {f"AreaShape_{k}": v for k, v in shape.items()}
        | get_intensity(dense, counts, legacy=True)
        | {_texture(k): v for k, v in texture.items()},
        "scikit-image": {"AreaShape_OuterFeretDiameter": outer["feret_diameter_max"],
                         "Intensity_SampleStdIntensity": np.where(table["area"] > 1, sample,
                                                                  np.nan)},
        "centrosome": rounded[0],
        "centrosome, its circle 1e-12 wider": rounded[1],
    }


def _zernike(dense: np.ndarray, inside: float) -> Features:
    wanted = zernike.get_zernike_indexes(10)
    centers, radii = zernike.minimum_enclosing_circle(dense, np.arange(1, dense.max() + 1))
    mask = dense > 0
    of = dense[mask] - 1
    y, x = ((p - centers[of, k]) / radii[of] * inside for k, p in enumerate(np.nonzero(mask)))
    made = zernike.construct_zernike_polynomials(x, y, wanted)
    sums = [np.bincount(of, p.real) + 1j * np.bincount(of, p.imag) for p in made.T]
    scores = np.abs(sums) / (np.pi * radii**2)
    return {f"AreaShape_Zernike_{n}_{m}": row for (n, m), row in zip(wanted, scores)}


def _texture(name: str) -> str:
    feature, scale, direction, levels = name.split("_")
    return f"Texture_{feature}_{{channel}}_{scale}_{direction}_{levels}"


def difference(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Relative differences where both have a value."""
    both = np.isfinite(mine) & np.isfinite(other)
    least = 1e-6 * np.abs(other[both]).max(initial=0) or 1.0
    return np.abs(mine[both] - other[both]) / np.maximum(np.abs(other[both]), least)


def group(name: str) -> str:
    """Columns that differ in numbers alone are one row of a table."""
    short = re.sub(r"_{channel}_3_\d\d_256$", "", name)
    if short in REASONS:
        return short
    return re.sub(r"(Zernike|Moment|Tensor|Eigenvalues)(_\d)+$", r"\1", short)


def rows(scenes: Iterator[tuple[np.ndarray, np.ndarray]]) -> tuple[int, pd.DataFrame]:
    """The number of objects, and the largest difference by program and group of columns."""
    found: dict[tuple[str, str], list[float]] = {}
    objects = 0
    for labels, image in scenes:
        mine = ours(labels, image)
        objects += len(mine["AreaShape_Area"])
        for program, features in theirs(labels, image).items():
            for name in mine.keys() & features.keys():
                other = np.asarray(features[name], np.float64)
                values = difference(mine[name], other)
                if name.endswith("Orientation"):
                    turn = np.abs(mine[name] - other) % 180
                    values = np.minimum(turn, 180 - turn)
                    values = values[mine["AreaShape_Eccentricity"] > 1e-3] / 90
                worst = found.setdefault((group(name), program), [0, 0.0])
                worst[1] = max(worst[1], values.max(initial=0))
    table = pd.DataFrame([(g, p, w[1]) for (g, p), w in sorted(found.items())],
                         columns=["columns", "beside", "largest difference"])
    return objects, table


def tell(title: str, objects: int, table: pd.DataFrame) -> None:
    print(f"\n## {title}\n\n{objects} objects, counted once per channel.\n")
    print("| columns | beside | largest relative difference |\n| --- | --- | --- |")
    for name, program, worst in table.itertuples(index=False):
        reason = REASONS.get(name, "")
        note = f" ({reason})" if worst > 1e-5 else ""
        print(f"| `{name}` | {program} | {worst or 0:{'.0e' if worst else ''}}{note} |")


def fractal(data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """3006 nuclei in each of three channels."""
    folder = data / "fractal_omezarr"
    labels = tifffile.imread(folder / "B03_nuclei_labels_level1.tif").astype(np.uint32)
    for image in tifffile.imread(folder / "B03_mip_level1_czyx_squeezed_cyx.tif"):
        yield labels, image


def plate(data: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The nuclei of a whole plate in both channels."""
    for path in sorted((data / "sbs_plate96" / "images").glob("Channel2-*.tif")):
        labels = _nuclei(tifffile.imread(path))
        for channel in (1, 2):
            yield labels, tifffile.imread(path.with_name(path.name.replace(
                "Channel2", f"Channel{channel}")))


def _nuclei(image: np.ndarray) -> np.ndarray:
    smooth = gaussian(image, 1, preserve_range=True)
    mask = remove_small_objects(smooth > threshold_otsu(smooth), max_size=20)
    return np.asarray(label(mask), np.uint32)


def cellprofiler(data: Path) -> Iterator[tuple[str, Any]]:
    """Nuclei that CellProfiler measured, and whose masks it exported."""
    folder = data / "cellpainting_nf1" / "NF1_cellpainting_data_shrunken"
    cells = pd.read_parquet(folder / "Plate_2_with_image_data_shrunken.parquet")
    for _, cell in cells.sort_values("Image_Metadata_Well_x").iterrows():
        well = cell["Image_Metadata_Well_x"]
        path = next((folder / "Plate_2_masks").glob(f"{well}_*MaskNuclei.tiff"))
        mine = ours(label(tifffile.imread(path) > 0, connectivity=1).astype(np.uint32), None)
        away = np.hypot(*(mine[f"AreaShape_Center_{a}"] - cell[f"Nuclei_AreaShape_Center_{a}"]
                          for a in "XY"))
        k = int(away.argmin())
        both = {n: (v[k], float(cell[f"Nuclei_{n}"])) for n, v in mine.items()
                if f"Nuclei_{n}" in cell}
        yield well, both


def tell_cellprofiler(data: Path) -> None:
    print("\n## CellProfiler's own values\n\nFive nuclei of Schwann cells (NF1), measured by "
          "CellProfiler and exported with masks. Of one the mask is pixel by pixel what was "
          "measured; the others were exported with other pixels, which shows in the area.\n")
    print("| well | area there | area here | columns | equal to 1e-5 | largest difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    for well, both in cellprofiler(data):
        pairs = np.array(list(both.values()))
        values = np.abs(pairs[:, 0] - pairs[:, 1]) / np.maximum(np.abs(pairs[:, 1]), 1e-9)
        area = both["AreaShape_Area"]
        print(f"| {well} | {area[1]:.0f} | {area[0]:.0f} | {len(pairs)} | "
              f"{(values <= 1e-5).sum()} | {values.max():.0e} |")
    print("\nTheir intensities are of an illumination corrected image, which was not exported.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    print(HEAD, end="")
    tell_cellprofiler(data)
    tell("Nuclei in tissue, three channels (1080 x 1280 px)", *rows(fractal(data)))
    tell("A plate of 96 wells, two channels", *rows(plate(data)))


if __name__ == "__main__":
    main()
