import numpy as np
import pytest
from valid_labels import assert_valid_labels

from libcell.errors import UsageFault
from libcell.simulate import simulate_plate, simulate_rounds
from libcell.simulate.plate import Place

SMALL = {"shape": (128, 128), "n_cells": 9}


def test_a_field_does_not_depend_on_what_else_is_asked_for():
    many = simulate_plate(4, wells=8, sites=2, plates=2, **SMALL)
    few = simulate_plate(4, wells=["B04"], sites=1, plates=["P1"], **SMALL)
    place = Place("P1", "B04", 1)
    assert many.field(place).image.tobytes() == few.field(place).image.tobytes()
    assert many.condition("P1", "B04") == few.condition("P1", "B04")


def test_fields_differ():
    plate = simulate_plate(4, wells=2, sites=2, plates=2, **SMALL)
    seen = {f.image.tobytes() for _, f in plate}
    assert len(seen) == 8 == len(plate.places())


def test_dose_sets_the_share_of_the_class():
    plate = simulate_plate(0, wells=5, sites=1, shape=(256, 256), n_cells=40)
    shares = {}
    for place, field in plate:
        condition = plate.condition(place.plate, place.well)
        shares[condition.compound, condition.dose_um] = np.mean(
            [c != "normal" for c in field.classes.values()])
    assert shares["DMSO", 0.0] == 0 and len(shares) == 5
    for compound in ("makes_large_nucleus", "makes_bright_mito"):
        assert 0 < shares[compound, 1.0] < shares[compound, 10.0]


def test_plates_differ_by_batch_unless_told_not_to():
    for batch, same in ((1.0, False), (0.0, True)):
        plate = simulate_plate(0, wells=1, plates=2, batch=batch, **SMALL)
        assert (plate.plate_optics("P1") == plate.plate_optics("P2")) is same


def test_layout_has_a_row_per_well():
    layout = simulate_plate(0, wells=3, plates=2).layout()
    assert len(layout) == 6
    assert layout[0] == {"Plate": "P1", "Row": "B", "Column": 2, "Compound": "DMSO",
                         "Dose_uM": 0.0}


@pytest.mark.parametrize("options", [
    {"wells": 0}, {"wells": 400}, {"wells": ["3B"]}, {"wells": ["B03", "B03"]}, {"sites": 0},
    {"plates": []}])
def test_impossible_plates_are_refused(options):
    with pytest.raises(UsageFault):
        simulate_plate(0, **options)


@pytest.mark.parametrize("seed", range(3))
def test_the_shift_between_rounds_can_be_recovered(seed):
    from skimage.registration import phase_cross_correlation

    rounds = simulate_rounds(seed, channels1=("DNA",), channels2=("DNA",))
    a, b = (r.image[0].astype(float) for r in (rounds.round1, rounds.round2))
    back, *_ = phase_cross_correlation(a, b, upsample_factor=20, normalization=None)
    assert np.abs(-back - rounds.shift).max() < 0.3


def test_rounds_share_cells_but_neither_labels_nor_noise():
    rounds = simulate_rounds(1, n_cells=30)
    first, second = rounds.round1, rounds.round2
    assert assert_valid_labels(first.nuclei, first.cells) == 30
    assert assert_valid_labels(second.nuclei, second.cells) == 30 - len(rounds.lost)
    lost = rounds.matches["label_round2"] == 0
    assert tuple(rounds.matches["label_round1"][lost]) == rounds.lost and lost.sum() == 2
    one = rounds.matches["label_round1"][~lost] - 1
    two = rounds.matches["label_round2"][~lost] - 1
    assert (one != two).mean() > 0.5
    for axis, by in zip("yx", rounds.shift):
        np.testing.assert_allclose(second.objects[axis][two] - first.objects[axis][one], by)
    assert (second.objects["class"][two] == first.objects["class"][one]).all()


def test_a_shift_may_be_given_and_nothing_lost():
    rounds = simulate_rounds(0, (128, 128), 6, shift=(2.5, -1.25), lost_fraction=0)
    assert rounds.shift == (2.5, -1.25) and rounds.lost == ()
    again = simulate_rounds(0, (128, 128), 6, shift=(2.5, -1.25), lost_fraction=0)
    assert rounds.round2.image.tobytes() == again.round2.image.tobytes()
