"""Beam search: exhaustive if it is wide enough, greedy with one beam."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from unspool import ConfigError
from unspool.decoding import TopK, beam_search
from unspool.decoding.beam import _top

START, END, V = 0, 2, 4


class Tables(eqx.Module):
    """p(next | the last token, the step, the condition): tables of logits (B, T, V, V)."""

    tables: Array
    network = None

    def start(self, condition):
        rows = len(condition)
        return jnp.arange(rows), jnp.zeros(rows, jnp.int32)

    def step(self, tokens, state):
        condition, t = state
        return self.tables[condition, t, tokens], (condition, t + 1)

    def reorder(self, state, rows):
        return tuple(leaf[rows] for leaf in state)


def tables(conditions=3, steps=4, seed=0, scale=2.0):
    drawn = np.random.default_rng(seed).normal(0, scale, (conditions, steps, V, V))
    return Tables(jnp.asarray(drawn, jnp.float32))


def search(stepper, **options):
    found = beam_search(stepper, np.arange(len(stepper.tables)), start=START, end=END, **options)
    return type(found)(*map(np.asarray, found))


def every_sequence(logits, steps, penalty, form="power"):
    """All sequences with END, and those of full length without: (finished, score, tokens)."""
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    found = []
    for length in range(1, steps + 1):
        for tokens in itertools.product(range(V), repeat=length):
            ended = tokens[-1] == END
            if END in tokens[:-1] or not (ended or length == steps):
                continue
            before = (START, *tokens[:-1])
            total = sum(log_p[t, a, b] for t, (a, b) in enumerate(zip(before, tokens, strict=True)))
            text = tokens[:-1] if ended else tokens
            divisor = length**penalty if form == "power" else ((5 + length) / 6) ** penalty
            found.append((not ended, -total / divisor, text))
    return sorted(found)


@pytest.mark.parametrize("form", ["power", "gnmt"])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.5, -1.0])
def test_a_wide_beam_finds_every_sequence_in_order(penalty, form):
    steps, stepper = 3, tables(steps=3)
    wanted = [every_sequence(np.float64(t), steps, penalty, form) for t in stepper.tables]
    options = {"length_penalty": penalty, "length_penalty_form": form}
    found = search(stepper, num_beams=60, max_new_tokens=steps, **options)
    assert len(wanted[0]) < 60
    for row, sequences in enumerate(wanted):
        for k, (unfinished, score, tokens) in enumerate(sequences):
            assert found.finished[row, k] == (not unfinished)
            np.testing.assert_allclose(found.scores[row, k], -score, rtol=1e-5)
            assert tuple(found.tokens[row, k, : found.lengths[row, k]]) == tokens
            assert (found.tokens[row, k, found.lengths[row, k] :] == END).all()
        rest = slice(len(sequences), None)
        assert (found.scores[row, rest] == -np.inf).all()
        assert not found.lengths[row, rest].any()
        assert not found.finished[row, rest].any()


def greedy(logits, steps):
    last, tokens = START, []
    for t in range(steps):
        last = int(np.argmax(logits[t, last]))
        if last == END:
            return tokens, True
        tokens.append(last)
    return tokens, False


@pytest.mark.parametrize("rounded", [False, True])  # rounded: ties, also of 0.0 and -0.0
def test_one_beam_is_greedy(rounded):
    stepper = tables(conditions=40, steps=6, scale=1.0)
    if rounded:
        stepper = Tables(jnp.round(stepper.tables))
    found = search(stepper, num_beams=1, max_new_tokens=6)
    ended = 0
    for row, logits in enumerate(np.asarray(stepper.tables)):
        tokens, finished = greedy(logits, 6)
        assert found.tokens[row, 0, : found.lengths[row, 0]].tolist() == tokens
        assert found.finished[row, 0] == finished
        ended += finished
    assert 0 < ended < 40


def test_a_condition_does_not_see_the_others():
    stepper = tables(conditions=6, steps=8)
    together = search(stepper, num_beams=3, max_new_tokens=8)
    for row in range(6):
        alone = search(Tables(stepper.tables[row : row + 1]), num_beams=3, max_new_tokens=8)
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[row], b[0], rtol=1e-6)


def test_a_better_sequence_of_less_likely_beginnings_is_found():
    # Greedy takes 1 (0.6), after which everything is unlikely; 3 (0.4) leads to a sure END.
    p = np.full((1, 2, V, V), 0.25)
    p[0, 0, START] = [1e-9, 0.6, 1e-9, 0.4]
    p[0, 1, 3] = [1e-9, 1e-9, 1.0, 1e-9]
    stepper = Tables(jnp.log(jnp.asarray(p, jnp.float32)))
    one, two = (search(stepper, num_beams=k, max_new_tokens=2, length_penalty=0.0) for k in (1, 2))
    assert one.tokens[0, 0, 0] == 1
    assert two.tokens[0, 0].tolist() == [3, END]
    assert two.finished[0, 0]
    np.testing.assert_allclose(two.log_p[0, 0], np.log(0.4), rtol=1e-5)


def test_without_an_end_the_best_unfinished_are_returned():
    stepper = Tables(tables(steps=5).tables.at[..., END].set(-1e9))
    found = search(stepper, num_beams=2, max_new_tokens=5)
    assert not found.finished.any()
    assert (found.lengths == 5).all()
    assert np.isfinite(found.scores).all()
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_what_is_no_number_harms_its_own_condition_alone():
    clean = tables()
    found = search(Tables(clean.tables.at[1].set(jnp.nan)), num_beams=2, max_new_tokens=4)
    wanted = search(clean, num_beams=2, max_new_tokens=4)
    assert (found.scores[1] == -np.inf).all()
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a[[0, 2]], b[[0, 2]])


@pytest.mark.parametrize("size", [4096, 5003, 300])
@pytest.mark.parametrize("rounded", [False, True])  # with ties, also across blocks
def test_the_largest_are_those_of_top_k(size, rounded):
    x = np.random.default_rng(size).normal(0, 3, (2, 3, size)).astype(np.float32)
    x = jnp.asarray(np.round(x) if rounded else x).at[0, 0].set(-jnp.inf)
    plain = jnp.where(x == 0, 0.0, x)  # top_k tells -0.0 from 0.0
    for found, wanted in zip(_top(x, 10), jax.lax.top_k(plain, 10), strict=True):
        np.testing.assert_array_equal(found[0, 1:], wanted[0, 1:])
        np.testing.assert_array_equal(found[1], wanted[1])
    assert (_top(x, 10)[0][0, 0] == -jnp.inf).all()


def test_the_search_ends_where_nothing_is_left_to_continue():
    asked = []

    class Counted(Tables):
        def step(self, tokens, state):
            jax.debug.callback(lambda: asked.append(1))
            return super().step(tokens, state)

    drawn = tables(steps=50).tables.at[1].set(jnp.nan)
    only_end = jnp.full_like(drawn[0, 1:], -jnp.inf).at[..., END].set(0.0)
    search(Counted(drawn.at[::2, 1:].set(only_end)), num_beams=8, max_new_tokens=50)
    jax.effects_barrier()
    assert len(asked) == 2


def test_numbers_of_numpy_are_sizes_too():
    stepper = tables()
    found = search(stepper, num_beams=np.int64(2), max_new_tokens=np.int64(4))
    wanted = search(stepper, num_beams=2, max_new_tokens=4)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_transforms_shape_the_choice():
    stepper = tables(conditions=8, steps=6, scale=1.0)
    wide = {"num_beams": 4, "max_new_tokens": 6, "length_penalty": 0.0}
    kept = search(stepper, **wide, transforms=(TopK(jnp.int32(1)),))
    likeliest = search(stepper, **{**wide, "num_beams": 1})
    for row in range(8):
        assert kept.log_p[row, 0] == 0  # one token has all of the probability
        n = kept.lengths[row, 0]
        assert kept.tokens[row, 0, :n].tolist() == likeliest.tokens[row, 0, :n].tolist()
        assert (kept.scores[row, 1:] == -np.inf).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_beams": 0}, "num_beams must be at least 1, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be a whole number of at least 1, got 0"),
        ({"length_penalty": float("nan")}, "length_penalty must be from -5 to 5, got nan"),
        (
            {"length_penalty_form": "mean"},
            "length_penalty_form must be one of power, gnmt, got 'mean'",
        ),
    ],
)
def test_arguments_that_break_a_rule(options, message):
    with pytest.raises(ConfigError, match=message):
        search(tables(), **options)
