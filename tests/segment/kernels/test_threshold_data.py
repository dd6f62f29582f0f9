"""Real nuclei: at least as good as the usual skimage pipeline."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage import feature, filters, measure, segmentation

from libcell.segment.kernels.threshold import ThresholdParams, segment

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("LIBCELL_TEST_DATA", ROOT.parent / "shared" / "data"))


def data(name):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is absent; set LIBCELL_TEST_DATA")
    return DATA / name


def skimage_pipeline(image, bright):
    """Gaussian, Otsu, distance (smoothed), peaks 5 px apart, watershed, 20 px: its best setting."""
    smooth = filters.gaussian(image.astype(np.float32), 1, preserve_range=True)
    threshold = filters.threshold_otsu(smooth)
    mask = ndimage.binary_fill_holes(smooth > threshold if bright else smooth < threshold)
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    peaks = feature.peak_local_max(distance, min_distance=5, labels=measure.label(mask))
    seeds = np.zeros(image.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = segmentation.watershed(-distance, seeds, mask=mask)
    labels[np.bincount(labels.ravel())[labels] < 20] = 0
    return labels


def matches(labels, truth):
    """Objects of IoU > 0.5, found objects, true objects."""
    found, a = np.unique(np.append(0, labels), return_inverse=True)
    true, b = np.unique(np.append(0, truth), return_inverse=True)
    both = np.bincount(a[1:] * true.size + b[1:], minlength=found.size * true.size)
    both = both.reshape(found.size, true.size)
    union = both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both
    hits = (both / np.maximum(union, 1))[1:, 1:] > 0.5
    return np.array([hits.sum(), found.size - 1, true.size - 1])


def f1(counts):
    return 2 * counts[0] / (counts[1] + counts[2])


def nuclei():
    from skimage.io import imread

    for path in sorted((data("dsb2018_nuclei") / "images").glob("*.png")):
        image = imread(path)
        if image.ndim == 3:
            image = image[..., :3].mean(axis=2).astype(np.float32)
        truth = tifffile.imread(data("dsb2018_nuclei") / "labels" / f"{path.stem}.tif")
        yield image, truth, bool(image[truth > 0].mean() > image[truth == 0].mean())
    dense = data("small_samples/stardist_dsb2018_img2d.tif")
    truth = tifffile.imread(data("small_samples/stardist_dsb2018_mask2d.tif"))
    yield tifffile.imread(dense), truth, True


@pytest.mark.data
@pytest.mark.slow
def test_as_good_as_skimage_on_dsb2018():
    ours, theirs = [], []
    for image, truth, bright in nuclei():
        ours.append(matches(segment(image, ThresholdParams(bright=bright)), truth))
        theirs.append(matches(skimage_pipeline(image, bright), truth))
    assert np.mean([f1(c) for c in ours]) > np.mean([f1(c) for c in theirs]) - 0.02
    assert np.mean([f1(c) for c in ours]) > 0.72


@pytest.mark.data
def test_a_well_of_the_sbs_plate_has_a_plausible_number_of_cells():
    for path in sorted(data("sbs_plate96/images").glob("Channel2-*.tif"))[:96:24]:
        labels = segment(tifffile.imread(path))
        area = np.bincount(labels.ravel())[1:]
        assert 100 < labels.max() < 500
        assert 100 < np.median(area) < 400
