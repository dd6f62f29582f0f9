"""The segmentation network: how far it looks, what folding keeps, contrast from histograms."""

import numpy as np
import pytest
import torch

from libcell.nn.segmenter import contrast
from libcell.nn.segmenter.losses import cell_dice, segmentation_loss
from libcell.nn.segmenter.network import Segmenter, Shape, fold, unfold

SHAPES = [Shape(widths=(4, 8)), Shape(channels=2, widths=(4, 6, 8)), Shape(fold=4, widths=(4, 8)),
          Shape(ndim=3, widths=(4, 8))]


def network(shape):
    torch.manual_seed(3)
    made = Segmenter(shape)
    for module in made.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
    return made.eval()


def image(shape, edge, planes=3):
    size = (1, shape.channels, *((planes,) if shape.ndim == 3 else ()), edge, edge)
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_folded_normalisation(shape):
    made, given = network(shape), image(shape, 4 * shape.multiple)
    with torch.no_grad():
        found, fused = made(given), made.fused()(given)
    assert found.shape == (1, 1 + shape.ndim, *given.shape[2:])
    torch.testing.assert_close(found, fused, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nothing_beyond_the_reach_is_looked_at(shape):
    made = network(shape)
    edge = 2 * shape.reach_px + 4 * shape.multiple
    one = image(shape, edge)
    other = one.clone()
    other[..., :, : 2 * shape.multiple] += 5
    with torch.no_grad():
        changed = (made(one) != made(other)).any(dim=1).reshape(-1, edge).any(dim=0)
    assert changed[: 2 * shape.multiple].any()
    assert not changed[2 * shape.multiple + shape.reach_px :].any()


@pytest.mark.parametrize("size", [(2, 3, 8, 12), (2, 3, 5, 8, 12)])
def test_unfolding_is_the_inverse(size):
    given = torch.randn(size)
    assert torch.equal(unfold(fold(given, 4), 4), given)


def test_the_card_makes_the_shape_again():
    shape = Shape(2, 3, 4, (8, 16))
    card = shape.to_card()
    assert Shape(**card | {"widths": tuple(card["widths"])}) == shape


def test_the_loss_counts_what_is_known_and_directions_in_cells_alone():
    target = torch.zeros(1, 3, 8, 8)
    target[:, 0, 2:6, 2:6] = 1
    target[:, 1, 2:6, 2:6] = 1
    valid = torch.ones(1, 8, 8)
    sure = torch.cat([(target[:, :1] - 0.5) * 40, target[:, 1:]], dim=1)
    assert float(segmentation_loss(sure, target, valid)[0]) < 1e-3
    outside = sure.clone()
    outside[:, 1:, 7] = 9
    assert float(segmentation_loss(outside, target, valid)[0]) < 1e-3
    wrong = sure.clone()
    wrong[:, 0, 7] = 20
    assert float(segmentation_loss(wrong, target, valid)[0]) > 1
    valid[:, 7] = 0
    assert float(segmentation_loss(wrong, target, valid)[0]) < 1e-3
    assert float(cell_dice(sure, target, valid)) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, bool])
def test_tiles_add_up_to_the_percentiles_of_the_whole(dtype):
    values = np.random.default_rng(0).gamma(2, 20, (60, 70))
    pixels = values > 40 if dtype is bool else values.astype(dtype)
    parts = [pixels[:33], pixels[33:]]
    over = contrast.merge_ranges([contrast.value_range(p) for p in parts])
    assert over == contrast.value_range(pixels)
    counts = sum(contrast.histogram(p, over) for p in parts)
    np.testing.assert_array_equal(counts, contrast.histogram(pixels, over))
    found = contrast.percentiles(counts, over, 1, 50, 99.8)
    expected = np.percentile(pixels.astype(float), (1, 50, 99.8), method="inverted_cdf")
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_bright_grounds_are_turned_round():
    dark = np.full((20, 20), 10, np.uint8)
    dark[:5] = 200
    for pixels, invert, turned in ((dark, "bright", False), (255 - dark, "bright", True),
                                   (dark, "always", True), (255 - dark, "never", False)):
        over = contrast.value_range(pixels)
        black, white = contrast.levels(contrast.histogram(pixels, over), over, 1, 99, invert)
        assert (black > white) == turned
        stretched = contrast.stretch(pixels, black, white)
        assert stretched.min() == 0 and stretched.max() == 1
    assert not contrast.stretch(dark, 7, 7).any()


def test_no_number_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        contrast.value_range(np.array([1.0, np.nan]))
