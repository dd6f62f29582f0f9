"""Rotations and affine maps: known ones found, unrelated pairs refused, pixels moved by them."""

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from libcell.align.kernels import depth, maps, resample
from libcell.align.kernels.turn import rotation_matrix
from libcell.align.kernels.warp import find_warp

REAL = ("usiigaci_t98g_phase/images/train_set1.tif",
        "bigstream_multiround/fix_highres_mip_mid.tif")


def about_centre(linear, shift, shape):
    """(2,3): `linear` about the centre of `shape`, then `shift`."""
    centre = (np.array(shape) - 1) / 2
    return np.column_stack([linear, centre + shift - linear @ centre])


def warped(image, matrix, margin):
    """(reference, moving) cut from one image; `matrix` brings the second onto the first."""
    size = tuple(n - 2 * margin for n in image.shape)
    moving = ndimage.affine_transform(image.astype(float), matrix[:, :2], matrix[:, 2] + margin,
                                      output_shape=size, order=5)
    return image[margin:-margin, margin:-margin].astype(np.float32), moving.astype(np.float32)


def error(found, true, shape):
    """Largest distance of a corner, px along an axis."""
    y, x = (n - 1 for n in shape)
    corners = np.array([[0, 0, y, y], [0, x, 0, x]], float)
    difference = found - true
    return float(np.abs(difference[:, :2] @ corners + difference[:, 2:]).max())


def blobs(shape, seed=0, number=60):
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 2, shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for cy, cx in rng.uniform(0, 1, (number, 2)) * shape:
        image += 900 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / rng.uniform(10, 40))
    return image


@pytest.mark.parametrize("file", REAL)
@pytest.mark.parametrize(("kind", "degrees", "strain"), [
    ("rigid", 7.3, 0), ("rigid", -3.1, 0), ("affine", -4.4, 0.02)])
def test_known_maps_of_real_images(shared, file, kind, degrees, strain):
    folder, _, name = file.partition("/")
    image = tifffile.imread(shared(folder) / name)
    rng = np.random.default_rng(0)
    strained = np.eye(2) + strain * rng.uniform(-1, 1, (2, 2))
    linear = rotation_matrix(np.radians(degrees)) @ strained
    margin = min(image.shape) // 7
    shape = [n - 2 * margin for n in image.shape]
    true = about_centre(linear, (5.3, -7.7), shape)
    found = find_warp(*warped(image, true, margin), kind)
    assert found.matched and found.correlation_after > 0.99 > found.correlation_before
    assert error(found.matrix, true, shape) < 0.02
    if kind == "rigid":
        assert found.rotation_deg == pytest.approx(degrees, abs=0.005)


def test_any_angle_where_it_is_allowed():
    """Frames that are not square, so that rows taken for columns would show."""
    image = blobs((260, 340))
    for degrees in (92.0, -140.0):
        true = about_centre(rotation_matrix(np.radians(degrees)), (3, 4), (160, 240))
        one, two = warped(image, true, 50)
        found = find_warp(one, two, "rigid", max_rotation_deg=180)
        assert found.matched and found.rotation_deg == pytest.approx(degrees, abs=0.05)
        assert not find_warp(one, two, "rigid", max_rotation_deg=15).matched


def test_cells_that_one_round_lacks_and_another_brightness_do_not_pull():
    image = blobs((300, 320))
    true = about_centre(rotation_matrix(np.radians(4)), (2.5, 3.5), (240, 260))
    one, two = warped(image, true, 30)
    two = 30 + 0.2 * two
    two[:, :60] += 0.2 * (blobs((240, 60), seed=9, number=15) - 100)
    found = find_warp(one, two, "affine")
    assert found.matched and error(found.matrix, true, two.shape) < 0.1


@pytest.mark.parametrize("kind", ["rigid", "affine"])
def test_pairs_that_do_not_match_are_flagged(kind):
    one = blobs((150, 170))
    noise = np.random.default_rng(1).normal(0, 1, one.shape)
    for other, said in ((noise, "spreads better"), (blobs((150, 170), 5), "spreads better"),
                        (np.full(one.shape, 3.0), "constant")):
        found = find_warp(one, other, kind)
        assert not found.matched and said in found.reason


def test_a_limit_of_the_shift():
    one, two = warped(blobs((220, 240)), about_centre(np.eye(2), (9, -8), (160, 180)), 30)
    assert find_warp(one, two, "rigid", max_shift_px=10).matched
    assert not find_warp(one, two, "rigid", max_shift_px=4).matched


def test_binned_maps_are_the_same_map():
    matrix = about_centre(rotation_matrix(0.3), (4, 5), (90, 110))
    there = maps.to_binned(matrix, 4)
    np.testing.assert_allclose(maps.from_binned(there, 4), matrix)
    middle = matrix[:, :2] @ np.array([9.5, 13.5]) + matrix[:, 2]  # of bin (2, 3)
    np.testing.assert_allclose(there[:, :2] @ [2, 3] + there[:, 2], (middle - 1.5) / 4)


# -- pixels ------------------------------------------------------------------------------


def reached(matrix, shape, size, edge):
    """Pixels of a frame whose place in the moving image has data, one by one."""
    back = maps.invert(matrix)
    y, x = np.indices(shape)
    at = np.tensordot(back[:, :2], np.stack([y, x]), 1) + back[:, 2][:, None, None]
    limit = np.array(size)[:, None, None] - 1 + edge
    return ((at >= -edge - 1e-9) & (at <= limit + 1e-9)).all(axis=0)


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("degrees", [0.0, 3.0, -20.0, 90.0])
def test_the_rectangle_is_the_largest_that_has_data(order, degrees):
    shape, size = (40, 60), (50, 44)
    matrix = about_centre(rotation_matrix(np.radians(degrees)), (-3.3, 4.2), size)
    region = resample.shared_rectangle(shape, size, matrix, order)
    inside = reached(matrix, shape, size, 0.5 if order == 0 else 0.0)
    assert inside[region].all()
    sums = np.pad(np.cumsum(np.cumsum(~inside, 0), 1), ((1, 0), (1, 0)))
    best = max((b - a) * (d - c)
               for a in range(40) for b in range(a + 1, 41) for c in range(60)
               for d in range(c + 1, 61)
               if sums[b, d] - sums[a, d] - sums[b, c] + sums[a, c] == 0)
    assert inside[region].size == best


def test_labels_keep_their_values_and_large_ids():
    labels = np.zeros((1, 30, 30), np.uint32)
    labels[0, 5:20, 8:25] = 2**32 - 1
    labels[0, 21:28, 3:9] = 7
    moved, region = resample.apply_matrix(
        labels, about_centre(rotation_matrix(0.2), (1, 2), (30, 30)), 0, (30, 30))
    assert set(np.unique(moved)) == {0, 7, 2**32 - 1}
    assert region[0].stop - region[0].start > 15


def test_a_matrix_without_rotation_moves_as_a_shift_does():
    image = blobs((60, 70)).astype(np.uint16)
    for order in (0, 1, 3):
        one, region = resample.apply_shift(image, (3.4, -2.6), order)
        two, other = resample.apply_matrix(
            image, np.array([[1, 0, 3.4], [0, 1, -2.6]]), order, (60, 70))
        assert other == region
        assert np.abs(one[region].astype(int) - two[region]).max() <= (order > 0)


# -- planes ------------------------------------------------------------------------------


@pytest.mark.parametrize("dz", [-3, 0, 2])
def test_planes_of_stacks(dz):
    deep = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (20, 24, 24)), (1, 2, 2))
    still, moving = deep[4:14], deep[4 + dz : 12 + dz]
    assert depth.plane_offset(still, moving) == dz
    ours, theirs = depth.shared_planes(10, 8, dz)
    np.testing.assert_array_equal(still[ours], moving[theirs])
