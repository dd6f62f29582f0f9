"""zstd frames made from boxes, and from runs of ones, unpack to what they stand for."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs.zstd import compress, decompress

from libcell.data.frames import boxes, entropy, huffman

KINDS = {
    "noise": lambda r, n: r.integers(0, 256, n),
    "phase": lambda r, n: np.clip(r.normal(128, 9, n), 0, 255),
    "dark": lambda r, n: np.clip(r.normal(0, 0.4, n), 0, 255),
    "zeros": lambda r, n: np.zeros(n),
    "flat": lambda r, n: np.full(n, 201),
    "two": lambda r, n: r.integers(0, 2, n) * 255,
    "long tail": lambda r, n: np.minimum(r.geometric(0.03, n), 255),
    "few": lambda r, n: r.integers(40, 47, n),
}


def random_boxes(random, n, height, width, kind):
    """A window for each of n boxes, (n,H,W), and the boxes: content, first bytes, rows, widths."""
    full = np.zeros((n, height, width), np.uint8)
    content, places, rows, widths = [], [], [], []
    for i in range(n):
        h, w = int(random.integers(1, height + 1)), int(random.integers(1, width + 1))
        if random.random() < 0.3:
            w = max(1, width - int(random.integers(0, 6)))
        y, x = int(random.integers(0, height - h + 1)), int(random.integers(0, width - w + 1))
        pixels = KINDS[kind](random, h * w).astype(np.uint8)
        full[i, y : y + h, x : x + w] = pixels.reshape(h, w)
        content.append(pixels)
        places.append((i * height + y) * width + x)
        rows.append(h)
        widths.append(w)
    return full, (np.concatenate(content), *(np.array(v) for v in (places, rows, widths)))


def packed_boxes(full, content, places, rows, widths):
    room = boxes.room(len(content), len(rows), int(rows.sum()), full.size)
    out = np.full(room, 99, np.uint8)
    size = boxes.pack_boxes(content, places, rows, widths, full.shape[-1], full.size, out)
    assert size <= room
    assert size or full.size < 64 + len(content), "only what the box fills alone"
    return out[:size].tobytes()


def unpacked(frame, shape):
    """By two decoders: numcodecs' and Arrow's."""
    first = decompress(frame)
    size = int(np.prod(shape))
    second = pa.Codec("zstd").decompress(frame, decompressed_size=size)
    assert first == second.to_pybytes() and len(first) == size
    return np.frombuffer(first, np.uint8).reshape(shape)


@given(st.integers(0, 2**32), st.integers(1, 16), st.integers(1, 130), st.integers(1, 300),
       st.sampled_from(sorted(KINDS)))
@settings(max_examples=120, deadline=None)
def test_boxes_in_zeros(seed, n, height, width, kind):
    full, given_as = random_boxes(np.random.default_rng(seed), n, height, width, kind)
    frame = packed_boxes(full, *given_as)
    if frame:
        np.testing.assert_array_equal(unpacked(frame, full.shape), full)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("shape", [(4, 1500, 1100), (2, 3, 120_000), (3, 700, 700)])
def test_boxes_that_take_several_blocks(kind, shape):
    full, given_as = random_boxes(np.random.default_rng(1), *shape, kind)
    np.testing.assert_array_equal(unpacked(packed_boxes(full, *given_as), shape), full)


def test_rows_that_no_block_holds_are_left_to_zstd():
    content = np.ones(2 * boxes.LIMIT, np.uint8)
    one = np.array([1])
    out = np.empty(boxes.room(len(content), 1, 1, len(content)), np.uint8)
    assert boxes.pack_boxes(content, np.array([0]), one, one * len(content), len(content),
                            len(content), out) == 0
    assert boxes.pack_runs(np.array([0]), one * len(content), len(content), out) == 0


def test_noisy_boxes_are_as_small_as_zstd_makes_them():
    full, given_as = random_boxes(np.random.default_rng(2), 16, 90, 200, "phase")
    assert len(packed_boxes(full, *given_as)) < 1.02 * len(compress(full, 1))


@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 400), st.sampled_from(
    [0.02, 0.5, 0.95]), st.sampled_from([1, 5, 30]))
@settings(max_examples=100, deadline=None)
def test_runs_of_ones(seed, height, width, share, coarse):
    random = np.random.default_rng(seed)
    grain = random.random((height // coarse + 1, width // coarse + 1)) < share
    mask = np.kron(grain, np.ones((coarse, coarse), bool))[:height, :width]
    turns = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (y, x), (_, end) = np.nonzero(turns == 1), np.nonzero(turns == -1)
    out = np.full(boxes.room_for_runs(len(y), mask.size), 99, np.uint8)
    size = boxes.pack_runs(y * width + x, end - x, mask.size, out)
    assert size <= len(out) and (size or mask.size < 64)
    if size:
        np.testing.assert_array_equal(unpacked(out[:size].tobytes(), mask.shape), mask)


@given(st.lists(st.integers(0, 10**6), min_size=256, max_size=256), st.integers(0, 250))
@settings(max_examples=150, deadline=None)
def test_codes_fill_their_tree_and_are_nearly_optimal(counts, absent):
    counts = np.array(counts)
    counts[:absent] = 0
    counts[-2:] += 1
    bits = huffman.lengths(counts)
    there = counts > 0
    assert ((bits > 0) == there).all() and bits.max() <= huffman.LONGEST
    assert (2.0 ** -bits[there]).sum() == 1
    share = counts[there] / counts.sum()
    entropy_of = -(share * np.log2(share)).sum()
    assert (share * bits[there]).sum() <= entropy_of + 1


def test_tables_give_every_symbol_a_state():
    for shares in (entropy.LITERALS, entropy.MATCHES, entropy.WEIGHTS):
        assert sum(map(abs, shares)) == entropy.STATES
        made = entropy.table(shares)
        assert sorted(made.state.tolist()) == list(range(entropy.STATES, 2 * entropy.STATES))
