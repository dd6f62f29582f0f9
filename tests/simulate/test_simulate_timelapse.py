import numpy as np
import pytest
from scipy import ndimage
from valid_labels import assert_valid_labels

from libcell.errors import UsageFault
from libcell.simulate import simulate_timelapse
from libcell.simulate.cycle import STAGES


@pytest.fixture(scope="module")
def film():
    return simulate_timelapse(0, frames=20, n_cells=16, channels=("DNA", "Phase"))


def rows_of(film, track):
    mine = film.tracks["track_id"] == track
    return {k: v[mine] for k, v in film.tracks.items()}


def test_same_seed_same_bytes(film):
    again = simulate_timelapse(0, frames=5, n_cells=16, channels=("DNA", "Phase"))
    assert film.image[:5].tobytes() == again.image.tobytes()
    other = simulate_timelapse(1, frames=1, n_cells=16, channels=("DNA", "Phase"))
    assert film.image[:1].tobytes() != other.image.tobytes()


def test_labels_and_table_agree(film):
    assert film.image.shape == (20, 2, 256, 256) and film.nuclei.shape == (20, 256, 256)
    for t in range(20):
        n = assert_valid_labels(film.nuclei[t], film.cells[t])
        here = film.tracks["t"] == t
        assert sorted(film.tracks["label"][here]) == list(range(1, n + 1))
        centres = ndimage.center_of_mass(film.nuclei[t] > 0, film.nuclei[t],
                                         film.tracks["label"][here])
        true = np.stack([film.tracks["y"][here], film.tracks["x"][here]], axis=1)
        assert np.abs(np.array(centres) - true).max() < 1.5


def test_divisions_have_one_parent_and_two_daughters(film):
    assert len(film.divisions["t"]) >= 3
    for parent, *daughters, t in zip(*film.divisions.values()):
        assert rows_of(film, parent)["t"].max() == t - 1
        assert rows_of(film, parent)["stage"][-1] == "anaphase"
        for daughter in daughters:
            born = rows_of(film, daughter)
            assert born["t"].min() == t and born["stage"][0] == "telophase"
            assert (born["parent_track_id"] == parent).all()
    children = film.tracks["parent_track_id"][film.tracks["parent_track_id"] > 0]
    assert set(children) == set(film.divisions["parent_track_id"])


def test_tracks_have_no_gaps_and_stages_keep_their_order(film):
    for track in np.unique(film.tracks["track_id"]):
        rows = rows_of(film, track)
        assert (np.diff(rows["t"]) == 1).all()
        order = [STAGES.index(s) for s in rows["stage"] if s != "telophase"]
        assert order == sorted(order)


def test_labels_say_nothing_about_the_next_frame(film):
    kept = changed = 0
    for track in np.unique(film.tracks["track_id"]):
        labels = rows_of(film, track)["label"]
        kept += int((labels[1:] == labels[:-1]).sum())
        changed += int((labels[1:] != labels[:-1]).sum())
    assert kept < 0.2 * changed


def test_the_nucleus_looks_like_its_stage(film):
    from skimage.measure import regionprops

    looks = {s: [] for s in STAGES}
    for t in range(20):
        here = film.tracks["t"] == t
        stage = dict(zip(film.tracks["label"][here], film.tracks["stage"][here]))
        for found in regionprops(film.nuclei[t], film.image[t, 0]):
            looks[stage[found.label]].append(
                (found.area, found.intensity_max, found.eccentricity))
    area, peak, eccentricity = (
        {s: np.median([v[i] for v in looks[s]]) for s in STAGES} for i in range(3))
    assert peak["metaphase"] > 2 * peak["interphase"]
    assert area["metaphase"] < 0.7 * area["interphase"]
    assert eccentricity["metaphase"] > 0.9 > eccentricity["interphase"]
    assert area["telophase"] < 0.8 * area["interphase"]


def test_anaphase_has_two_masses(film):
    late = film.tracks["track_id"] == film.divisions["parent_track_id"][0]
    t, label = film.tracks["t"][late][-1], film.tracks["label"][late][-1]
    mask = film.nuclei[t] == label
    bright = mask & (film.image[t, 0] > 0.5 * film.image[t, 0][mask].max())
    assert ndimage.label(bright)[1] == 2


def test_phase_is_a_contrast_of_its_own():
    film = simulate_timelapse(0, frames=2, shape=(128, 128), n_cells=4, contrast="phase")
    assert film.channels == ("Phase",)
    inside = film.cells[0] > 0
    assert film.image[0, 0][inside].mean() < film.image[0, 0][~inside].mean()


def test_an_empty_film_has_its_columns(film):
    empty = simulate_timelapse(0, frames=2, shape=(64, 64), n_cells=0)
    assert list(empty.tracks) == list(film.tracks)
    assert list(empty.divisions) == list(film.divisions)
    assert len(empty.tracks["t"]) == 0


@pytest.mark.parametrize("options", [
    {"frames": 0}, {"contrast": "magic"}, {"n_cells": 400}])
def test_impossible_films_are_refused(options):
    with pytest.raises(UsageFault):
        simulate_timelapse(0, **{"frames": 2} | options)
