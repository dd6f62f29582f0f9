"""Registration beside scikit-image's phase correlation, and on two real imaging rounds."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from scipy import fft, ndimage
from skimage.registration import phase_cross_correlation
from skimage.transform import warp_polar

from libcell.align.kernels.maps import Kind
from libcell.align.kernels.translation import find_shift
from libcell.align.kernels.turn import rotation_matrix
from libcell.align.kernels.warp import find_warp
from libcell.align.stores.fit import Search, fit
from libcell.data.image import About
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


def bench_align_maps(place: Place) -> Iterator[Row]:
    """Real images turned, stretched and sheared by known amounts; and tissue that really was."""
    random = np.random.default_rng(0)
    errors: dict[Kind, list[float]] = {"rigid": [], "affine": []}
    ours, polar = [], []
    for path in (p for pattern in FILES for p in sorted(place.data.glob(pattern))[:2]):
        image = tifffile.imread(path)
        for kind in errors:
            angle = np.radians(random.uniform(-10, 10))
            linear = rotation_matrix(angle)
            if kind == "affine":
                linear = linear @ (np.eye(2) + random.uniform(-0.02, 0.02, (2, 2)))
            one, two, true = _mapped(image, linear, random.uniform(-8, 8, 2))
            found = find_warp(one, two, kind)
            errors[kind].append(_corner_error(found.matrix - true, two.shape)
                                if found.matched else np.inf)
            if kind == "rigid":
                ours.append(abs(found.rotation_deg - np.degrees(angle)))
                polar.append(abs(_log_polar(one, two) - abs(np.degrees(angle))))
    for kind, found_errors in errors.items():
        yield Row(f"largest error of a corner, known {kind} maps", max(found_errors), 0.02, "px",
                  f"{len(found_errors)} real images, up to 10 degrees"
                  + (" and 2 % of strain" if kind == "affine" else ""))
    yield Row("median error of the angle beside log-polar phase correlation",
              float(np.median(ours) / np.median(polar)), 0.5, "times scikit-image's error",
              f"{np.median(ours):.4f} and {np.median(polar):.3f} degrees")
    fix, moving = (tifffile.imread(place.data / "bigstream_multiround" / f"{n}_highres_mip_mid.tif")
                   for n in ("fix", "mov"))
    after = [find_shift(fix, moving).correlation_after,
             *(find_warp(fix, moving, k).correlation_after for k in errors)]
    yield Row("two rounds of one tissue, affine", 1 - after[2], 0.2, "1 - r",
              "r {:.2f} by translation, {:.2f} rigid, {:.2f} affine".format(*after))


def bench_align_rounds(place: Place) -> Iterator[Row]:
    """Two rounds of cyclic immunofluorescence, whose exact shift nobody knows."""
    panels = [tifffile.imread(place.data / "ibex_cyclic_if" / f"panel{n}_czyx.tif") for n in (1, 2)]
    rows = {name: _fitted(*(p[c] for p, c in zip(panels, channels)))
            for name, channels in IBEX.items()}
    found = {name: (r["dy"] or np.inf, r["dx"] or np.inf) for name, r in rows.items()}
    how = ", ".join(f"{n} ({dy:.2f}, {dx:.2f})" for n, (dy, dx) in found.items())
    yield Row("cyclic immunofluorescence: three pairs of channels from (-15, -15)",
              float(np.abs(np.array(list(found.values())) - EXPECTED).max()), 0.5, "px",
              f"{sum(r['matched'] for r in rows.values())} of 3 matched; {how}")
    cd4 = rows["CD4"]
    yield Row("cyclic immunofluorescence: CD4 in both rounds, by the planes that both have",
              1 - cd4["correlation_after"], 0.3, "1 - r",
              f"r {cd4['correlation_before']:.2f} before, {cd4['correlation_after']:.2f} after")


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


def _mapped(
    image: np.ndarray, linear: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(reference, moving) cut from one image, and the map (2,3) that brings one onto the other."""
    margin = min(image.shape) // 7
    size = tuple(n - 2 * margin for n in image.shape)
    centre = (np.array(size) - 1) / 2
    true = np.column_stack([linear, centre + shift - linear @ centre])
    moving = ndimage.affine_transform(image.astype(np.float64), linear, true[:, 2] + margin,
                                      output_shape=size, order=5)
    return image[margin:-margin, margin:-margin].astype(np.float32), moving, true


def _corner_error(difference: np.ndarray, shape: tuple[int, ...]) -> float:
    y, x = (n - 1 for n in shape)
    corners = np.array([[0, 0, y, y], [0, x, 0, x]], np.float64)
    return float(np.abs(difference[:, :2] @ corners + difference[:, 2:]).max())


def _log_polar(one: np.ndarray, two: np.ndarray) -> float:
    """Degrees without sign, as scikit-image's example of log-polar transforms finds them."""
    side = min(one.shape)
    window = np.outer(np.hanning(side), np.hanning(side))
    spectra = [np.abs(fft.fftshift(fft.fft2((i[:side, :side] - i.mean()) * window)))
               for i in (one, two)]
    polar = [warp_polar(s, radius=side // 4, output_shape=(720, side), scaling="log")[:360]
             for s in spectra]
    with np.errstate(all="ignore"):
        shift, *_ = phase_cross_correlation(*polar, upsample_factor=10, normalization=None)
    return abs(float(shift[0])) / 2


def _fitted(still: np.ndarray, moving: np.ndarray) -> dict[str, Any]:
    """The row of table `transforms` for two stacks (Z,Y,X)."""
    about = About("stack", "", "stack", (1, 1, *still.shape), still.dtype, ("1",))  # type: ignore[arg-type]
    return fit(still, moving, about, Search("translation", 0.0, None), 3).row


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    found = function()
    return found, time.perf_counter() - start
