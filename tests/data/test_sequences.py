"""Batches of unequal length: every sequence once an epoch, little padding, the same again."""

import itertools

import numpy as np
import pytest

from unspool.data import Buckets, Sequences, bucket_bounds
from unspool.data.sequences import load_sequences, save_sequences
from unspool.errors import ConfigError, RunError

LENGTHS = np.random.default_rng(0).poisson(12, 500) + 1


def padding(lengths, bounds):
    padded = np.asarray(bounds)[np.searchsorted(bounds, lengths)]
    return 1 - lengths.sum() / padded.sum()


def test_every_sequence_comes_once_an_epoch_and_fits():
    buckets = Buckets(LENGTHS, batch=32)
    for epoch in range(3):
        seen = []
        for index in range(buckets.per_epoch):
            rows, steps = buckets.rows(epoch * buckets.per_epoch + index)
            assert len(rows) == 32
            assert LENGTHS[rows[rows >= 0]].max() <= steps
            assert steps in buckets.bounds
            seen += rows[rows >= 0].tolist()
        assert sorted(seen) == list(range(500))


def test_batches_follow_from_seed_and_position_alone():
    there, back = Buckets(LENGTHS, 32, seed=3), Buckets(LENGTHS, 32, seed=3)
    positions = list(range(40))
    found = [there.rows(p)[0] for p in positions]
    again = [back.rows(p)[0] for p in reversed(positions)][::-1]
    assert all(map(np.array_equal, found, again))
    epochs = [np.concatenate(found[i : i + 16]) for i in (0, 16)]
    assert not np.array_equal(*epochs)
    assert not np.array_equal(found[0], Buckets(LENGTHS, 32, seed=4).rows(0)[0])


def test_padding_is_what_batches_have():
    buckets = Buckets(LENGTHS, batch=32)
    steps = sum(buckets.rows(p)[1] for p in range(buckets.per_epoch)) * 32
    assert buckets.padding == pytest.approx(1 - LENGTHS.sum() / steps)
    assert buckets.padding < 0.15


@pytest.mark.parametrize("most", [1, 2, 3])
def test_bounds_have_the_least_padding_of_all(most):
    lengths = np.random.default_rng(most).integers(1, 9, 60)
    unique = np.unique(lengths)
    possible = [
        (*inner, unique[-1]) for inner in itertools.combinations(unique[:-1].tolist(), most - 1)
    ]
    best = min(padding(lengths, bounds) for bounds in possible)
    found = bucket_bounds(lengths, most=most)
    assert len(found) == most
    assert padding(lengths, found) == pytest.approx(best)


def test_there_are_no_more_bounds_than_needed():
    assert bucket_bounds(np.full(9, 7)) == (7,)
    assert bucket_bounds(np.array([7] * 99 + [6])) == (7,)
    assert bucket_bounds(np.array([1, 100])) == (1, 100)


def test_many_distinct_lengths_are_searched_in_steps():
    lengths = np.arange(1, 5001)
    bounds = bucket_bounds(lengths)
    assert bounds[-1] == 5000
    assert padding(lengths, bounds) < 0.11


def test_a_batch_is_at_least_one():
    with pytest.raises(ConfigError, match="batch must be at least 1, got 0"):
        Buckets(LENGTHS, 0)


def test_padded_rows():
    sequences = Sequences.join([np.array([1, 2, 3]), np.array([4])], [7, 8])
    batch = sequences.padded(np.array([1, 0, -1]), steps=4)
    assert batch.inputs.tolist() == [[4, 0, 0, 0], [1, 2, 3, 0], [0, 0, 0, 0]]
    assert batch.targets[:2].tolist() == [8, 7]
    assert batch.lengths.tolist() == [1, 3, 0]


def test_padded_rows_with_a_target_for_each_step():
    rows = [np.ones((2, 3), np.float32), np.full((1, 3), 2, np.float32)]
    sequences = Sequences.join(rows, [np.array([5, 6]), np.array([7])], aligned=True)
    batch = sequences.padded(np.array([0, 1]), steps=2)
    assert batch.inputs.tolist() == [[[1] * 3, [1] * 3], [[2] * 3, [0] * 3]]
    assert batch.targets.tolist() == [[5, 6], [7, 0]]


def test_files_come_back(tmp_path):
    plain = Sequences.join([np.array([1, 2]), np.array([3])], [0, 1])
    aligned = Sequences.join([np.array([1, 2])], [np.array([0, 1])], aligned=True)
    save_sequences(tmp_path / "a.npz", train=plain, val=aligned)
    found = load_sequences(tmp_path / "a.npz")
    assert found["train"].fingerprint() == plain.fingerprint()
    assert found["val"].fingerprint() == aligned.fingerprint()
    assert plain.fingerprint() != plain._replace(targets=plain.targets[::-1]).fingerprint()


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "a.npz"
    save_sequences(path, train=Sequences.join([np.arange(99)], [0]))
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[:-30])
    elif damage == "flip":
        data[200] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
    with pytest.raises(RunError, match=r"a\.npz"):
        load_sequences(path)
