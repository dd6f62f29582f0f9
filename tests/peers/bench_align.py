"""Registration beside scikit-image's phase correlation, and on two real imaging rounds."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from scipy import fft
from skimage.registration import phase_cross_correlation

from libcell.align.kernels.translation import find_shift
from tests.peers.bench import Place, Row
from tests.peers.processes import BIN, peak_gb, remove, seconds

MARGIN = 24
SHIFTS = 4
FILES = (
    "bacteria_trpL/01/t000000.tif", "bacteria_trpL/01/t000020.tif",
    "usiigaci_t98g_phase/images/*.tif", "bigstream_multiround/fix_highres_mip_mid.tif",
    "cellpainting_nf1/*/Plate_2_images/D6_*.tif",
)
IBEX = {"CD8 and F480": (1, 1), "CD4": (3, 6), "JOJO": (4, 4)}  # channels of panels 1 and 2
EXPECTED = (-15.0, -15.0)


def bench_align_shifts(place: Place) -> Iterator[Row]:
    """Crops of real images, shifted by known fractions of pixels through their spectrum."""
    random = np.random.default_rng(0)
    images = [p for pattern in FILES for p in sorted(place.data.glob(pattern))]
    errors, peer, ours, theirs = [], 0.0, 0.0, 0.0
    for path in images:
        image = tifffile.imread(path)
        for shift in random.uniform(-8, 8, (SHIFTS, 2)):
            pair = _pair(image, shift)
            found, took = _timed(lambda pair=pair: find_shift(*pair))
            with np.errstate(over="ignore"):  # of its figure of the error, which nobody reads
                (other, *_), also = _timed(
                    lambda pair=pair: phase_cross_correlation(*pair, upsample_factor=10))
            errors.append(float(np.abs(np.array([found.dy, found.dx]) - shift).max())
                          if found.matched else np.inf)
            peer = max(peer, float(np.abs(other - shift).max()))
            ours, theirs = ours + took, theirs + also
    how = f"{len(images)} real images x {SHIFTS} shifts"
    yield Row("largest error of known subpixel shifts", max(errors), 0.02, "px",
              f"{how}; phase_cross_correlation, upsampled 10 times: {peer:.3f}")
    yield Row("registration beside phase_cross_correlation, upsampled 10 times", ours / theirs, 1.0,
              "times its time", f"{how}; {ours / len(errors):.3f} and {theirs / len(errors):.3f} s")


def bench_align_rounds(place: Place) -> Iterator[Row]:
    """Two rounds of cyclic immunofluorescence, whose exact shift nobody knows."""
    panels = [tifffile.imread(place.data / "ibex_cyclic_if" / f"panel{n}_czyx.tif") for n in (1, 2)]
    found = {name: find_shift(*(p[c].max(axis=0) for p, c in zip(panels, channels)))
             for name, channels in IBEX.items()}
    shifts = np.array([(s.dy, s.dx) for s in found.values()])
    matched = sum(s.matched for s in found.values())
    how = ", ".join(f"{n} ({s.dy:.2f}, {s.dx:.2f})" for n, s in found.items())
    yield Row("cyclic immunofluorescence: three pairs of channels from (-15, -15)",
              float(np.abs(shifts - EXPECTED).max()), 0.5, "px", f"{matched} of 3 matched; {how}")
    one, two = (p[c].mean(axis=0) for p, c in zip(panels, IBEX["CD4"]))
    cd4 = find_shift(one, two)
    # of planes by their maximum, noisier, no translation within 1 px has more than 0.67
    yield Row("cyclic immunofluorescence: CD4 in both rounds, means of the planes",
              1 - cd4.correlation_after, 0.3, "1 - r",
              f"r {cd4.correlation_before:.2f} before, {cd4.correlation_after:.2f} after; planes "
              f"by their maximum {found['CD4'].correlation_after:.2f}")


def bench_align_film(place: Place) -> Iterator[Row]:
    """A film of bacteria whose stage jumps; five times the frames, and the time per frame."""
    found = {n: _film(place, n) for n in (8, 40)}
    peaks = {n: peak_gb(_drift(film)) for n, film in found.items()}
    took = seconds(_drift(found[40])) / 40
    yield Row("cell-align drift, five times the frames", peaks[40] / peaks[8], 1.25,
              "times the peak memory", f"{peaks[8]:.2f} and {peaks[40]:.2f} GB; {took:.3f} s per "
              "frame of 1305 x 1009 px, one worker, start included")


def _drift(film: Path) -> list[object]:
    target = film.with_name(f"{film.name}-still.ome.zarr")
    remove(target)
    return [BIN / "cell-align", "drift", film / "image.ome.zarr", "--reference", "previous",
            "-o", target, "-j", 1, "-q"]


def _film(place: Place, frames: int) -> Path:
    """The first frames of a film, as a bundle in the scratch folder."""
    made = place.scratch / f"film{frames}"
    if not made.exists():
        folder = place.scratch / f"film{frames}-raw" / "01"
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted((place.data / "bacteria_trpL" / "01").glob("*.tif"))[:frames]:
            shutil.copy(path, folder / path.name)
        seconds([BIN / "cell-extract", "ctc", folder.parent, "-o", made, "-q"])
    return made


def _pair(image: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(reference, moving) float32: moving is to be moved by `shift`; the crop hides the seam."""
    y, x = fft.fftfreq(image.shape[0])[:, None], fft.rfftfreq(image.shape[1])
    waves = np.exp(2j * np.pi * (y * shift[0] + x * shift[1]))
    moving = fft.irfft2(fft.rfft2(image.astype(np.float64)) * waves, image.shape)
    inner = slice(MARGIN, -MARGIN)
    one, two = (i[inner, inner].astype(np.float32) for i in (image, moving))
    return one, two


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    found = function()
    return found, time.perf_counter() - start
