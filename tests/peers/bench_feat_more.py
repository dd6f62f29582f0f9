"""Families beside cp_measure: same objects, same pixels, same process, one core, CPU time."""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import tifffile

from libcell.feat import families, relations, volumes
from libcell.feat.measure import Frame
from tests.peers.bench import Place, Row

ROUNDS = 3
BOUND = 0.1  # of cp_measure's time


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """CPU time over CPU time, the median of rounds in turn; what is compiled is compiled before."""
    ours()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values that are not defined for some object
        return statistics.median(cpu(ours) / cpu(theirs) for _ in range(ROUNDS))


def field(place: Place) -> tuple[np.ndarray, np.ndarray, str]:
    """Labels (Y,X) and two channels (2,Y,X) of a real field, else of a simulated one; and which."""
    real = place.data / "fractal_omezarr"
    if real.exists():
        labels = tifffile.imread(real / "B03_nuclei_labels_level1.tif").astype(np.uint32)
        image = tifffile.imread(real / "B03_mip_level1_czyx_squeezed_cyx.tif")[:2]
        return labels, image, "3006 real nuclei"
    from libcell.simulate import simulate_field

    made = simulate_field(0, (1024, 1024), 600)
    return made.nuclei, made.image[:2], "600 simulated nuclei"


def scene_of(frame: Frame, image: np.ndarray) -> relations.Scene:
    return relations.Scene(
        image.shape[1:], "nuclei", (), ("A", "B"), lambda name, y, x: frame.labels[y, x],
        lambda name, y, x: image["AB".index(name)][y, x], lambda: [frame])


def bench_relations(place: Place) -> Iterator[Row]:
    """Correlation, granularity and neighbours."""
    from cp_measure.core import measurecolocalization as colocalization
    from cp_measure.core.measuregranularity import get_granularity
    from cp_measure.multimask.measureobjectneighbors import measureobjectneighbors
    from skimage.segmentation import relabel_sequential

    labels, image, which = field(place)
    dense = relabel_sequential(labels.astype(np.int64))[0]
    scaled = image / 65535.0

    def correlate() -> None:
        for name in ("pearson", "manders_fold", "rwc", "overlap"):
            getattr(colocalization, f"get_correlation_{name}")(*scaled, dense)
        colocalization.get_correlation_costes(*image, dense)

    def neighbours() -> None:
        measureobjectneighbors(dense, dense, "Adjacent")
        measureobjectneighbors(dense, dense, "Within a specified distance", 5)

    pairs = {"correlation": correlate, "neighbours": neighbours,
             "granularity": lambda: [get_granularity(dense, one) for one in scaled]}
    def ours(name: str) -> None:
        frame = Frame(labels, (0, 0), (slice(0, labels.shape[0]), slice(0, labels.shape[1])))
        relations.load(name).measure(scene_of(frame, image))

    for name, theirs in pairs.items():
        yield Row(f"cell-feat {name}", ratio(partial(ours, name), theirs), BOUND,
                  "times cp_measure", f"{which}, CPU, median of {ROUNDS}")


def bench_radial(place: Place) -> Iterator[Row]:
    """Rings and radial Zernike features of one channel."""
    from cp_measure.core import measureobjectintensitydistribution as distribution
    from skimage.segmentation import relabel_sequential

    labels, image, which = field(place)
    dense = relabel_sequential(labels.astype(np.int64))[0]
    scaled = image[0] / 65535.0

    def ours(name: str) -> None:
        families.load(name).measure(labels, image[0], families.ObjectIndex.of(labels))

    for name, function in (("radial", distribution.get_radial_distribution),
                           ("radial_zernike", distribution.get_radial_zernikes)):
        yield Row(f"cell-feat {name}", ratio(partial(ours, name), partial(function, dense, scaled)),
                  BOUND, "times cp_measure", f"{which}, CPU, median of {ROUNDS}")


def bench_volumes(place: Place) -> Iterator[Row]:
    """Shape, intensity and texture of a stack."""
    from cp_measure.core.measureobjectintensity import get_intensity
    from cp_measure.core.measureobjectsizeshape import get_sizeshape
    from cp_measure.core.measuretexture import get_texture

    labels, image = stack()
    dense, scaled = labels.astype(np.int64), image / 65535.0

    def ours() -> None:
        index = volumes.VoxelIndex(labels, (2.0, 1.0, 1.0))
        for name in volumes.names():
            volumes.load(name).measure(index, image)

    def theirs() -> None:
        get_sizeshape(dense, None, spacing=(2.0, 1.0, 1.0), calculate_advanced=False)
        get_intensity(dense, scaled)
        get_texture(dense, scaled)

    yield Row("cell-feat measure of a stack", ratio(ours, theirs), BOUND, "times cp_measure",
              f"{labels.max()} simulated nuclei, shape, intensity, texture, CPU, "
              f"median of {ROUNDS}")


def stack() -> tuple[np.ndarray, np.ndarray]:
    """Ellipsoids of about 2000 voxels on a grid, and noise: labels and image (24,300,300)."""
    random = np.random.default_rng(0)
    labels = np.zeros((24, 300, 300), np.uint32)
    z, y, x = np.mgrid[-12:12, -13:13, -13:13]
    for i in range(121):
        r = random.uniform(6, 11, 3)
        top, left = 26 * (i // 11), 26 * (i % 11)
        inside = (z / r[0]) ** 2 + (y / r[1]) ** 2 + (x / r[2]) ** 2 <= 1
        labels[:, top : top + 26, left : left + 26][inside] = i + 1
    return labels, random.integers(1000, 60000, labels.shape).astype(np.uint16)
