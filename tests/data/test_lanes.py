"""Files of ids, training lanes and evaluation chunks."""

import mmap

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from unspool.data import (
    Lanes,
    build_vocabulary,
    evaluation_chunks,
    evaluation_windows,
    open_tokens,
    write_tokens,
)
from unspool.data.streams import token_dtype
from unspool.errors import ConfigError, DataError, RunError, UnknownTokenError

sizes = {
    "n": st.integers(2, 400),
    "batch": st.integers(1, 9),
    "steps": st.integers(1, 12),
}


@pytest.mark.parametrize(
    ("size", "dtype"),
    [(2, "<u1"), (256, "<u1"), (257, "<u2"), (65_536, "<u2"), (65_537, "<u4")],
)
def test_smallest_type(size, dtype):
    assert token_dtype(size) == np.dtype(dtype)


@pytest.mark.parametrize("count", [3, 300])
def test_written_tokens_are_read_back(tmp_path, count):
    text = "".join(map(chr, range(1000, 1000 + count)))
    vocab = build_vocabulary("char", [text])
    assert write_tokens([text[:2], text[2:]], vocab, tmp_path / "ids") == count
    tokens = open_tokens(tmp_path / "ids", len(vocab))
    assert isinstance(tokens, np.memmap)
    assert tokens.tolist() == list(range(count))
    assert not tokens.flags.writeable


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(UnknownTokenError):
        write_tokens(["ab", "abc"], build_vocabulary("char", ["ab"]), tmp_path / "ids")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"abc"])
def test_damaged_token_file(tmp_path, content):
    if content is not None:
        (tmp_path / "ids").write_bytes(content)
    with pytest.raises(RunError, match="ids"):
        open_tokens(tmp_path / "ids", 1000)


@given(**sizes, seed=st.integers(0, 5))
def test_lanes_are_contiguous_around_the_text_and_cover_all_of_it(n, batch, steps, seed):
    assume(n > batch * steps)
    lanes = Lanes(np.arange(n), batch, steps, seed)
    for epoch in range(3):
        first = epoch * lanes.chunks_per_epoch
        chunks = [lanes.chunk(first + i) for i in range(lanes.chunks_per_epoch)]
        assert [bool(c.is_epoch_start) for c in chunks] == [i == 0 for i in range(len(chunks))]
        inputs = np.concatenate([c.inputs for c in chunks], axis=1)
        targets = np.concatenate([c.targets for c in chunks], axis=1)
        assert inputs.dtype == targets.dtype == np.int32
        assert (targets == inputs + 1).all()
        start = lanes.epoch_start(epoch)
        assert 0 <= start < n - 1
        assert 0 <= lanes.surplus == inputs.size - (n - 1) < batch * steps
        assert inputs.ravel().tolist() == [(start + i) % (n - 1) for i in range(inputs.size)]
        assert set(targets.ravel().tolist()) == set(range(1, n))


def test_all_of_a_short_text_is_trained_on_equally_often():
    """8,000 characters in 64 lanes of 64: 20 of them never were, and half in no epoch."""
    lanes, epochs = Lanes(np.arange(8000), batch=64, steps=64), 2000
    starts = np.array([lanes.epoch_start(epoch) for epoch in range(epochs)])
    chunk = [lanes.chunk(position).targets for position in range(lanes.chunks_per_epoch)]
    assert lanes.chunks_per_epoch == 2
    assert len(set(np.concatenate(chunk).ravel().tolist())) == 7999
    # Of an epoch, the surplus from the start on is read twice.
    twice = np.zeros(7999)
    for start in starts:
        twice[(start + np.arange(lanes.surplus)) % 7999] += 1
    share = lanes.surplus / 7999
    assert np.abs(twice / epochs - share).max() < 5 * np.sqrt(share / epochs)


def test_epochs_follow_from_the_seed():
    lanes = [Lanes(np.arange(999), 10, 30, seed) for seed in (0, 0, 1)]
    starts = [[each.epoch_start(epoch) for epoch in range(6)] for each in lanes]
    assert starts[0] == starts[1] != starts[2]
    # Fixed for all time: a run that was saved yesterday resumes at the same place.
    assert starts[0] == [67, 430, 645, 282, 556, 163]


def test_chunk_does_not_depend_on_what_was_read_before():
    lanes = Lanes(np.arange(999), 10, 30, seed=3)
    in_order = [lanes.chunk(i).inputs for i in range(12)]
    assert (Lanes(np.arange(999), 10, 30, seed=3).chunk(11).inputs == in_order[11]).all()


def test_too_short_for_a_chunk():
    Lanes(np.arange(33), batch=4, steps=8)
    message = r"more than batch \* steps = 4 \* 8 tokens, got 32: use a longer text or lower batch"
    with pytest.raises(DataError, match=message):
        Lanes(np.arange(32), batch=4, steps=8)


@pytest.mark.parametrize("bad", [{"batch": 0}, {"steps": 0}, {"seed": -1}])
def test_bad_lanes(bad):
    (name,) = bad
    with pytest.raises(ConfigError, match=f"{name} must be at least"):
        Lanes(np.arange(99), **{"batch": 2, "steps": 2, "seed": 0, **bad})


def test_bad_position():
    with pytest.raises(ConfigError, match="position must be at least 0, got -1"):
        Lanes(np.arange(99), 2, 2).chunk(-1)


@given(**sizes, context=st.integers(0, 40))
def test_evaluation_scores_every_token_once_after_its_context(n, batch, steps, context):
    chunks = list(evaluation_chunks(np.arange(n), batch, steps, context))
    shapes = {array.shape for chunk in chunks for array in chunk}
    assert len(shapes) == 1
    assert shapes.pop() == (min(batch, n - 1), steps)
    inputs, targets, weights = (np.concatenate(a, axis=1) for a in zip(*chunks, strict=True))
    assert (inputs.dtype, targets.dtype, weights.dtype) == (np.int32, np.int32, np.float32)
    assert (targets == inputs + 1).all()
    assert weights.sum() == n - 1
    assert sorted(targets[weights == 1].tolist()) == list(range(1, n))
    for lane in range(len(inputs)):
        scored = np.flatnonzero(weights[lane])
        if len(scored):  # an unbroken stretch of the text, from the lane's first token on
            read = inputs[lane, : scored[-1] + 1]
            assert read.tolist() == list(range(read[0], read[0] + len(read)))
            assert scored.tolist() == list(range(scored[0], scored[-1] + 1))
            assert scored[0] == (0 if lane == 0 else min(context, n - 2))
    assert inputs[0, 0] == 0


def test_evaluation_shares_the_work():
    chunks = list(evaluation_chunks(np.arange(10_001), batch=10, steps=50, context=100))
    assert len(chunks) == (10_000 + 9 * 100) // 10 // 50 + 1


@given(**sizes, window=st.integers(1, 400))
def test_windows_score_every_token_once(n, batch, steps, window):
    passes = [list(chunks) for chunks in evaluation_windows(np.arange(n), window, batch, steps)]
    assert len({array.shape for chunks in passes for chunk in chunks for array in chunk}) == 1
    scored = []
    for chunks in passes:
        inputs, targets, weights = (np.concatenate(a, axis=1) for a in zip(*chunks, strict=True))
        assert (targets == inputs + 1).all()
        for row, weight in zip(inputs, weights, strict=True):
            own = row[weight == 1].tolist()
            scored += own
            if own:
                assert row[0] == own[0]  # nothing is read before it
                assert own[0] % window == 0
                assert len(own) == window or own[-1] == n - 2
    assert scored == list(range(n - 1))


def test_evaluation_needs_two_tokens():
    with pytest.raises(DataError, match="at least 2 tokens, got 1"):
        next(evaluation_chunks(np.arange(1), 2, 2, 0))
    with pytest.raises(DataError, match="at least 2 tokens, got 1"):
        next(evaluation_windows(np.arange(1), 2, 2, 2))


@pytest.mark.parametrize("bad", ["window", "batch", "steps"])
def test_bad_windows(bad):
    with pytest.raises(ConfigError, match=f"{bad} must be at least 1, got 0"):
        next(evaluation_windows(np.arange(9), **{"window": 2, "batch": 2, "steps": 2, bad: 0}))


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="no madvise on this system")
def test_an_epoch_does_not_keep_the_text_in_memory(tmp_path):
    np.zeros(128 << 20, np.uint8).tofile(tmp_path / "ids")
    tokens = open_tokens(tmp_path / "ids", 256)
    lanes = Lanes(tokens, batch=4, steps=4096)
    before = mapped_bytes()
    for position in range(lanes.chunks_per_epoch):
        lanes.chunk(position)
    assert mapped_bytes() - before < 32 << 20  # other files of the process come and go


def mapped_bytes():
    """Pages of files that this process holds in memory."""
    with open("/proc/self/status") as status:
        (kilobytes,) = [line.split()[1] for line in status if line.startswith("RssFile")]
    return int(kilobytes) * 1024
