"""A plain tile loop with retry, as the streaming layer does it, and images that are hard on it."""

from itertools import product

import numpy as np
from scipy import ndimage

from libcell.segment.kernels import threshold as t


def tiled(image, params, tile, halo=None):
    """Labels of `image` from tiles of `tile` pixels; returns them and the number of retries."""
    cores = [
        tuple(slice(s, min(s + tile, n)) for s, n in zip(start, image.shape))
        for start in product(*(range(0, n, tile) for n in image.shape))
    ]
    margin = t.signal_margin(params, image.ndim)
    signals = [_signal(image, core, margin, params) for core in cores]
    ranges = [t.value_range(s) for s in signals]
    lo, hi = min(r[0] for r in ranges), max(r[1] for r in ranges)
    counts = sum(t.histogram(s, lo, hi) for s in signals)
    threshold = t.global_threshold(counts, lo, hi, params)
    first = halo or t.halo_shape(params, image.ndim)
    found = [_certain_roots(image, core, params, threshold, first) for core in cores]
    parts = [
        t.count_roots(roots, [s.start for s in core], image.shape)
        for core, (roots, _) in zip(cores, found)
    ]
    kept = t.final_ids(t.merge_counts(parts), params)
    labels = np.zeros(image.shape, np.uint32)
    for core, (roots, _) in zip(cores, found):
        labels[core] = t.relabel(roots, kept)
    return labels, sum(tries for _, tries in found)


def window_of(image, core, halo):
    """The window around `core` (slices), its origin, and the core within it."""
    start = [max(s.start - h, 0) for s, h in zip(core, halo)]
    stop = [min(s.stop + h, n) for s, h, n in zip(core, halo, image.shape)]
    inside = tuple(slice(s.start - a, s.stop - a) for s, a in zip(core, start))
    return image[tuple(map(slice, start, stop))], start, inside


def _signal(image, core, margin, params):
    window, _, inside = window_of(image, core, margin)
    return t.signal(window, params)[inside]


def _certain_roots(image, core, params, threshold, halo):
    for tries in range(20):
        window, start, inside = window_of(image, core, [h << tries for h in halo])
        roots, certain = t.tile_roots(window, start, image.shape, inside, params, threshold)
        if certain:
            return roots, tries
    raise AssertionError("never certain, not even with the whole image")


def blobs(shape, radii, density, seed):
    """Random disks or balls, often touching, blurred, with noise: float32."""
    rng = np.random.default_rng(seed)
    image = np.zeros(shape, np.float32)
    number = int(density * np.prod(shape) / np.mean([r ** len(shape) for r in radii]))
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    for _ in range(number):
        centre, radius = [rng.integers(n) for n in shape], rng.choice(radii)
        far = sum((g - c) ** 2 for g, c in zip(grid, centre))
        image[far <= radius**2] = rng.uniform(80, 120)
    return ndimage.gaussian_filter(image, 0.7) + rng.normal(0, 6, shape).astype(np.float32)


def ridges(shape, seed):
    """Long stripes, straight and bent, with holes: seeds are far apart, plateaus long."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    wave = np.abs((y + 8 * np.sin(x / 17 + seed)) % 29 - 14) < 5
    image = (wave | (np.abs(x - shape[1] // 2) < 4)) * np.float32(100)
    image[rng.random(shape) < 0.01] = 0
    return image
