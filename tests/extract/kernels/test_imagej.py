"""ImageJ's regions: which pixels are theirs, on which frame and plane, and what is none."""

from fractions import Fraction

import numpy as np
import pytest
import roifile
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE
from skimage.draw import polygon2mask

from libcell.extract.kernels import imagej

SIZE = (40, 50)


def whole(patch, size=SIZE):
    y, x, mask = patch
    made = np.zeros(size, bool)
    made[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    return made


def drawn(points, size=SIZE):
    """A region through the file format and back."""
    data = roifile.ImagejRoi.frompoints(np.asarray(points, np.float32)).tobytes()
    return whole(imagej.area(imagej.read(data), size), size)


def region(kind, top=0, left=0, bottom=0, right=0, **more):
    found = roifile.ImagejRoi()
    found.roitype, found.version = kind, 227
    found.top, found.left, found.bottom, found.right = top, left, bottom, right
    for name, value in more.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize("seed", range(30))
def test_polygons_as_scikit_image_has_them(seed):
    """Centres at + 0.5; corners beyond the image, and outlines that cross themselves."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-8, 58, (rng.integers(3, 9), 2)).astype(np.float32)
    wanted = polygon2mask(SIZE, points[:, ::-1].astype(float) - 0.5)
    try:
        found = drawn(points)
    except imagej.Unusable:
        found = np.zeros(SIZE, bool)
    np.testing.assert_array_equal(found, wanted)


def test_whole_corners_bound_whole_pixels():
    wanted = np.zeros(SIZE, bool)
    wanted[3:7, 10:15] = True
    np.testing.assert_array_equal(drawn([(10, 3), (15, 3), (15, 7), (10, 7)]), wanted)
    box = imagej.area(region(ROI_TYPE.RECT, 3, 10, 7, 15), SIZE)
    np.testing.assert_array_equal(whole(box), wanted)


def test_neighbours_share_no_pixel_and_leave_none():
    """A diagonal through pixel centres belongs to one side."""
    low = drawn([(0, 0), (10, 10), (0, 10)])
    high = drawn([(0, 0), (10, 0), (10, 10)])
    assert not (low & high).any() and (low | high)[:10, :10].all()


@pytest.mark.parametrize(("a", "b", "h"), [(29, 0, 7), (0, 15, 11), (1, 50, 11), (5, 20, 15)])
def test_slanted_edges_through_centres(a, b, h):
    """A line from (a, 0) to (b, h): a centre on it is left of it, whatever rounding says."""
    size = (h, 60)
    left = whole(imagej.fill([np.array([(0, 0), (a, 0), (b, h), (0, h)], float)], size), size)
    right = whole(imagej.fill([np.array([(60, h), (b, h), (a, 0), (60, 0)], float)], size), size)
    edge = [Fraction(a) + Fraction(2 * k + 1, 2 * h) * (b - a) for k in range(h)]
    wanted = np.array([[Fraction(2 * c + 1, 2) <= x for c in range(60)] for x in edge])
    np.testing.assert_array_equal(left, wanted)
    np.testing.assert_array_equal(right, ~wanted)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 12), (12, 7), (20, 20)])
def test_ovals(height, width):
    found = imagej.area(region(ROI_TYPE.OVAL, 2, 3, 2 + height, 3 + width), SIZE)
    assert found[:2] == (2, 3)
    y, x = np.mgrid[:height, :width] + 0.5
    wanted = ((y / height - 0.5) ** 2 + (x / width - 0.5) ** 2) < 0.25
    np.testing.assert_array_equal(found[2], wanted)
    assert abs(found[2].sum() / (np.pi / 4 * height * width) - 1) < 0.3


def test_rounded_rectangles():
    found = imagej.area(region(ROI_TYPE.RECT, 0, 0, 20, 30, rounded_rect_arc_size=10), SIZE)[2]
    assert not found[0, 0] and found[0, 5:25].all() and found[5:15].all()
    np.testing.assert_array_equal(found, found[::-1, ::-1])
    disc = imagej.area(region(ROI_TYPE.RECT, 0, 0, 9, 9, rounded_rect_arc_size=9), SIZE)[2]
    np.testing.assert_array_equal(disc, imagej.oval(9, 9))


@pytest.mark.parametrize("kind", [ROI_TYPE.RECT, ROI_TYPE.OVAL])
def test_bounds_beyond_the_image(kind):
    found = imagej.area(region(kind, -5, -5, 60, 60), SIZE)
    assert found[2].shape == SIZE
    np.testing.assert_array_equal(
        found[2], imagej.area(region(kind, 0, 0, 65, 65), (70, 70))[2][5:45, 5:55])


def test_composites_have_holes():
    """Two squares, one within the other, and one apart: moves, lines and closings."""
    path = []
    for x, y, edge in ((2, 2, 10), (4, 4, 4), (30, 20, 3)):
        corners = [(x, y), (x + edge, y), (x + edge, y + edge), (x, y + edge)]
        path += [0, *corners[0], *(v for c in corners[1:] for v in (1, *c)), 4]
    shape = np.array(path, np.float32)
    made = region(ROI_TYPE.RECT, 2, 2, 23, 33, shape_roi_size=len(shape), multi_coordinates=shape)
    found = whole(imagej.area(imagej.read(made.tobytes()), SIZE))
    wanted = np.zeros(SIZE, bool)
    wanted[2:12, 2:12] = True
    wanted[4:8, 4:8] = False
    wanted[20:23, 30:33] = True
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(("made", "said"), [
    (region(ROI_TYPE.LINE, x1=1, y1=1, x2=9, y2=9), "has no area: line"),
    (region(ROI_TYPE.RECT, 1, 1, 9, 9, subtype=ROI_SUBTYPE.TEXT), "has no area: text"),
    (region(ROI_TYPE.POINT), "has no area: point"),
    (region(ROI_TYPE.POLYLINE), "has no area: polyline"),
    (region(ROI_TYPE.RECT, 45, 0, 60, 9), "no pixel inside the image"),
    (region(ROI_TYPE.OVAL, 5, 5, 5, 9), "no pixel inside the image"),
    (region(ROI_TYPE.POLYGON, integer_coordinates=np.zeros((0, 2), np.int32)), "no points"),
])
def test_what_is_no_area(made, said):
    with pytest.raises(imagej.Unusable, match=said):
        imagej.area(made, SIZE)


@pytest.mark.parametrize("data", [b"", b"Iout", b"no ROI" * 20,
                                  roifile.ImagejRoi.frompoints(np.ones((9, 2))).tobytes()[:80]])
def test_bytes_that_are_no_region(data):
    with pytest.raises(imagej.Unusable, match="not a readable ImageJ ROI"):
        imagej.read(data)


@pytest.mark.parametrize(("told", "size", "wanted"), [
    ({}, (1, 1), (0, 0)),
    ({"position": 7}, (1, 1), (0, 0)),  # of another stack; there is one plane here
    ({"position": 3}, (4, 1), (2, 0)),
    ({"position": 3}, (1, 4), (0, 2)),
    ({"t_position": 2, "z_position": 3}, (4, 4), (1, 2)),
    ({"t_position": 2, "position": 9}, (4, 1), (1, 0)),
    ({}, (4, 1), "tells no frame of 4"),
    ({"position": 5}, (4, 1), "frame 5 of 4"),
    ({"position": 5}, (4, 4), "tells no frame of 4"),
    ({"t_position": 1}, (4, 4), "tells no plane of 4"),
])
def test_positions(told, size, wanted):
    made = region(ROI_TYPE.RECT, **told)
    if isinstance(wanted, tuple):
        assert imagej.position(made, *size) == wanted
    else:
        with pytest.raises(imagej.Unusable, match=wanted):
            imagej.position(made, *size)


def test_fine_corners_are_kept_by_the_format():
    made = roifile.ImagejRoi.frompoints(np.array([(1.25, 1.5), (8.75, 1.5), (5, 7.25)]))
    assert made.options & ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    np.testing.assert_allclose(imagej.read(made.tobytes()).coordinates()[0], (1.25, 1.5))
