import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import regionprops
from valid_labels import assert_valid_labels

from libcell.errors import UsageFault
from libcell.simulate import CLASSES, Optics, simulate_field
from libcell.simulate.render import PHASE
from libcell.simulate.seeds import generator
from libcell.simulate.stains import STAINS

EVERY = (*STAINS, PHASE)


def means(field, channel, labels):
    image = field.image[field.channels.index(channel)].astype(float) - 100
    return ndimage.mean(image, labels, np.arange(1, labels.max() + 1))


def test_same_seed_same_bytes():
    one, two, other = (simulate_field(s, (128, 128), 8) for s in (5, 5, 6))
    assert one.image.tobytes() == two.image.tobytes()
    assert one.cells.tobytes() == two.cells.tobytes()
    assert one.image.tobytes() != other.image.tobytes()
    assert one.cells.tobytes() != other.cells.tobytes()


def test_a_channel_does_not_depend_on_the_others():
    alone = simulate_field(1, (96, 96), 4, channels=("Mito",))
    among = simulate_field(1, (96, 96), 4, channels=EVERY)
    np.testing.assert_array_equal(alone.image[0], among.image[among.channels.index("Mito")])


@pytest.mark.parametrize("seed", range(4))
def test_labels_are_valid(seed):
    field = simulate_field(seed, n_cells=44)
    assert assert_valid_labels(field.nuclei, field.cells) == 44
    np.testing.assert_array_equal(
        field.objects["cell_area_px"], [p.area for p in regionprops(field.cells)])


def test_image_has_what_the_record_says():
    field = simulate_field(0, (100, 140), 9, channels=EVERY)
    assert field.image.shape == (len(EVERY), 100, 140) and field.image.dtype == np.uint16
    assert list(field.classes) == field.objects["label"].tolist() == list(range(1, 10))
    assert list(field.classes.values()) == field.objects["class"].tolist()
    measured = ndimage.center_of_mass(field.nuclei > 0, field.nuclei, range(1, 10))
    true = np.stack([field.objects["y"], field.objects["x"]], axis=1)
    inside = ~field.objects["touches_border"]
    assert np.abs(np.array(measured) - true)[inside].max() < 1.0


def test_an_empty_field_is_data():
    field = simulate_field(0, (64, 64), 0)
    assert not field.cells.any() and field.classes == {}
    assert all(len(v) == 0 for v in field.objects.values())


def test_class_sets_nuclear_size():
    field = simulate_field(3, n_cells=36)
    large = field.objects["class"] == "large_nucleus"
    area = field.objects["nucleus_area_px"]
    assert np.median(area[large]) > 1.4 * np.median(area[~large])


@pytest.mark.parametrize(("name", "channel", "factor"), [
    ("bright_mito", "Mito", 1.5), ("late_S", "EdU", 5), ("early_S", "BrdU", 5)])
def test_class_sets_brightness(name, channel, factor):
    field = simulate_field(3, n_cells=30, classes=("normal", name), channels=(channel,))
    shows = field.objects["class"] == name
    where = field.cells if channel == "Mito" else field.nuclei
    bright = means(field, channel, where)
    assert np.median(bright[shows]) > factor * np.median(bright[~shows])


def test_class_sets_the_ratio_of_nucleus_to_cytoplasm():
    field = simulate_field(3, n_cells=30, classes=("normal", "translocated"), channels=("Marker",))
    rim = np.where(field.nuclei > 0, 0, field.cells)
    ratio = means(field, "Marker", field.nuclei) / means(field, "Marker", rim)
    moved = field.objects["class"] == "translocated"
    assert ratio[moved].min() > ratio[~moved].max()


def test_phase_contrast_is_dark_inside_and_bright_around():
    fluorescent = simulate_field(2, n_cells=15, channels=("Actin",))
    phase = simulate_field(2, n_cells=15, contrast="phase")
    np.testing.assert_array_equal(phase.cells, fluorescent.cells)
    inside = phase.cells > 0
    halo = ndimage.binary_dilation(inside, iterations=3) & ~ndimage.binary_dilation(inside)
    far = ~ndimage.binary_dilation(inside, iterations=15)
    grey = [phase.image[0][m].mean() for m in (inside, far, halo)]
    assert grey[0] < 0.9 * grey[1] and grey[1] < 0.97 * grey[2]
    assert fluorescent.image[0][inside].mean() > 2 * fluorescent.image[0][far].mean()


def test_noise_follows_photon_statistics():
    camera = Optics(gain=0.5, offset=100, read_noise_e=3)
    rng = generator((0, "test"))
    for electrons in (20.0, 200.0, 2000.0):
        counts = camera.expose(np.full((300, 300), electrons), rng).astype(float)
        assert counts.mean() == pytest.approx(100 + 0.5 * electrons, rel=0.01)
        # 1 / 12: rounding to whole counts
        assert counts.var() == pytest.approx(0.25 * (electrons + 9) + 1 / 12, rel=0.03)


def test_illumination_and_saturation():
    uneven = Optics(vignetting=0.4)
    shade = uneven.illumination((101, 101))
    assert shade[50, 50] == 1 and shade[0, 0] == pytest.approx(0.6, abs=0.01)
    field = simulate_field(0, (64, 64), 2, optics=Optics(bits=12, exposure_e=1e5))
    assert field.image.max() == 4095


@pytest.mark.parametrize("options", [
    {"classes": ("nobody",)}, {"classes": ()}, {"channels": ("GFP",)}, {"channels": ()},
    {"contrast": "magic"}, {"mixture": {"nobody": 1.0}}, {"n_cells": 500}, {"shape": (6, 6)}])
def test_impossible_wishes_are_refused(options):
    with pytest.raises(UsageFault):
        simulate_field(0, **options)


def test_every_class_can_be_drawn():
    field = simulate_field(0, n_cells=30, classes=tuple(CLASSES))
    assert set(field.classes.values()) <= set(CLASSES)
