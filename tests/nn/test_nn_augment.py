"""Augmentation on the batch, against scipy where it does the same."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from libcell.nn.augment import Augmentation, Cut, mixed

NOTHING = {"flip": False, "rotate": 0.0, "zoom": 0.0, "shift": 0.0, "intensity": 0.0, "noise": 0.0}


def varied(**more):
    return Augmentation(**(NOTHING | more))


def picture(n=8, channels=3, height=24, width=32):
    smooth = scipy.ndimage.gaussian_filter(
        np.random.default_rng(0).random((n, channels, height, width)), (0, 0, 2, 2))
    return torch.from_numpy(smooth.astype(np.float32))


def test_nothing_asked_for_changes_nothing():
    batch = picture()
    assert varied().geometry(batch) is batch and varied().intensities(batch) is batch


def test_flips_are_exact_and_of_all_channels_alike():
    batch = picture(n=32)
    torch.manual_seed(0)
    made = varied(flip=True).geometry(batch)
    seen = set()
    for one, source in zip(made, batch):
        wanted = {(): source, (1,): source.flip(1), (2,): source.flip(2),
                  (1, 2): source.flip(1, 2)}
        seen.add(next(k for k, v in wanted.items() if torch.equal(one, v)))
    assert len(seen) == 4


@pytest.mark.parametrize("size", [(25, 25), (25, 41)])
def test_a_turn_keeps_its_shape_in_pixels(monkeypatch, size):
    """90 degrees of a picture that is not square: distances in pixels stay what they were."""
    spot = torch.zeros(1, 1, *size)
    spot[0, 0, size[0] // 2, size[1] // 2 + 8] = 1.0
    monkeypatch.setattr(torch, "rand", lambda *n, **_: torch.ones(n))
    made = varied(rotate=90.0, fill="zeros").geometry(spot)[0, 0].numpy()
    y, x = scipy.ndimage.center_of_mass(made)
    assert abs(x - size[1] // 2) < 0.01 and abs(abs(y - size[0] // 2) - 8) < 0.01


def test_zoom_and_shift_move_what_they_say(monkeypatch):
    spot = torch.zeros(1, 1, 41, 41)
    spot[0, 0, 20, 30] = 1.0
    monkeypatch.setattr(torch, "rand", lambda *n, **_: torch.ones(n))
    y, x = scipy.ndimage.center_of_mass(varied(zoom=0.25).geometry(spot)[0, 0].numpy())
    assert abs(y - 20) < 0.2 and abs(x - 20 - 12.5) < 0.2
    moved = scipy.ndimage.center_of_mass(varied(shift=0.1).geometry(spot)[0, 0].numpy())
    np.testing.assert_allclose(moved, (20 - 4.1, 30 - 4.1), atol=0.1)


def test_blur_is_scipys(monkeypatch):
    batch = picture(n=2)
    monkeypatch.setattr(torch, "rand", lambda *n, **_: torch.ones(n))
    made = varied(blur=1.5).intensities(batch)
    wanted = scipy.ndimage.gaussian_filter(
        batch.numpy(), (0, 0, 1.5, 1.5), mode="mirror", radius=(0, 0, 4, 4))
    np.testing.assert_allclose(made.numpy(), wanted, atol=2e-3)


def test_missing_channels_are_never_all():
    torch.manual_seed(0)
    made = varied(drop=0.9).intensities(picture(n=200) + 1)
    present = (made.abs().sum(dim=(2, 3)) > 0).sum(dim=1)
    assert present.min() == 1 and (present == 1).sum() > 100 and present.max() > 1
    one = picture(channels=1)
    assert torch.equal(varied(drop=0.9).intensities(one), one)


def test_intensity_and_noise_differ_per_item_and_channel():
    torch.manual_seed(0)
    batch = picture(n=64)
    made = varied(intensity=0.2).intensities(batch)
    ratio = made.std(dim=(2, 3)) / batch.std(dim=(2, 3))
    assert 0.8 <= ratio.min() < 0.85 and 1.15 < ratio.max() <= 1.2
    assert len(ratio.unique()) > 150
    noisy = varied(noise=0.5).intensities(torch.zeros(64, 2, 16, 16)).std(dim=(2, 3))
    assert noisy.min() < 0.1 and 0.4 < noisy.max() < 0.6


def test_mixup_weighs_two_pictures():
    torch.manual_seed(0)
    batch = picture(n=16)
    made, order, weight = mixed(batch, 0.4)
    share = weight.reshape(-1, 1, 1, 1)
    assert torch.allclose(made, batch * share + batch[order] * (1 - share))
    assert sorted(order.tolist()) == list(range(16)) and 0 <= weight.min() <= weight.max() <= 1


def test_the_seed_decides():
    batch = picture()
    everything = Augmentation(blur=1.0, drop=0.2)
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(everything.intensities(everything.geometry(batch)))
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


# -- parts of pictures ---------------------------------------------------------------------


def whole(size, **more):
    still = {"area": (1.0, 1.0), "aspect": 1.0, "flip": False, "turns": False}
    return Cut(size, **(still | more))


def test_a_cut_of_everything_is_the_picture():
    batch = picture()
    torch.testing.assert_close(whole((24, 32)).take(batch), batch, atol=1e-5, rtol=0)


def test_quarter_turns_and_mirrors_are_exact():
    batch = picture(n=64, height=24, width=24)
    torch.manual_seed(0)
    made = whole((24, 24), flip=True, turns=True).take(batch)
    seen = set()
    for one, source in zip(made, batch):
        wanted = {(k, f): torch.rot90(source.flip(2) if f else source, k, (1, 2))
                  for k in range(4) for f in (False, True)}
        seen.add(next(k for k, v in wanted.items() if torch.allclose(one, v, atol=1e-5)))
    assert len(seen) == 8


def test_a_cut_shows_the_part_that_it_says():
    """On a ramp, what is seen spans the root of the area along each side, and stays inside."""
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    batch = torch.cat([ramp, ramp.mT], dim=1).repeat(256, 1, 1, 1)
    torch.manual_seed(0)
    made = Cut((32, 32), (0.25, 0.25), flip=False, turns=False).take(batch)
    assert made.shape == (256, 2, 32, 32) and made.min() >= 0 and made.max() <= 1
    spans = (made.amax(dim=(2, 3)) - made.amin(dim=(2, 3))) * 63 / 64 * 32 / 31
    torch.testing.assert_close(spans.prod(dim=1), torch.full((256,), 0.25), atol=0.02, rtol=0)
    assert spans.max() < 0.5 * (4 / 3) ** 0.5 + 0.02 and spans.std() > 0.02
    assert made.mean(dim=(1, 2, 3)).std() > 0.05, "parts lie anywhere"


def test_a_turned_cut_keeps_angles_in_pixels():
    """A line in a picture that is not square, turned by a right angle, is as long as it was."""
    line = torch.zeros(1, 1, 33, 65)
    line[0, 0, 16, 28:37] = 1.0
    made = whole((33, 65), turns=True, fill="zeros")
    sizes = set()
    for seed in range(12):
        torch.manual_seed(seed)
        seen = made.take(line)[0, 0] > 0.5
        sizes.add((int(seen.any(1).sum()), int(seen.any(0).sum())))
    assert sizes == {(1, 9), (9, 1)}
