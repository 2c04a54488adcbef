"""The sampling loop: what it draws, what it feeds back, and what it must not depend on."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from tests.support import assert_equal, chi_square_p, random_like, slow

from unspool import ConfigError, LanguageModel, sample, stream
from unspool.decoding import LanguageStepper
from unspool.decoding.sampling import BLOCK

V = 5
TABLE = np.random.default_rng(0).normal(0, 1, (V, V)).astype(np.float32)


class Chain(eqx.Module):
    """A Markov chain: the logits after a token are its row of a table."""

    table: Array
    network = None

    def start(self, condition: int) -> Any:
        return ()

    def step(self, tokens: Any, state: Any) -> Any:
        return self.table[tokens], state


class Counter(eqx.Module):
    """A function of all tokens seen, in order: one lost or doubled token changes the rest."""

    network = None

    def start(self, condition: int) -> Any:
        return jnp.zeros(condition, jnp.int32)

    def step(self, tokens: Any, state: Any) -> Any:
        state = (31 * state + tokens + 1) % 1009
        return jax.nn.one_hot(state % 7, 7), state


CHAIN, COUNTER = Chain(jnp.asarray(TABLE)), Counter()
MODEL = random_like(LanguageModel.create(V, hidden_size=8), seed=4, scale=2.0)
STEPPER = LanguageStepper(MODEL)


def continue_by_hand(prompt: list[int], steps: int) -> list[int]:
    state, tokens = 0, list(prompt)
    for token in prompt[:-1]:
        state = (31 * state + token + 1) % 1009
    for _ in range(steps):
        state = (31 * state + tokens[-1] + 1) % 1009
        tokens.append(state % 7)
    return tokens[len(prompt) :]


# --- distributions ------------------------------------------------------------------------


def distribution(
    logits: np.ndarray, temperature: float = 1.0, top_k: int = V, top_p: float = 1.0
) -> np.ndarray:
    """The probabilities that a row of logits should be sampled with, by enumeration."""
    p = np.exp(logits.astype(np.float64) / temperature)
    order = np.argsort(-p, kind="stable")
    p[order[top_k:]] = 0
    p /= p.sum()
    p[order[np.cumsum(p[order]) - p[order] >= top_p]] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.8, "top_k": 4, "top_p": 0.75},
        *slow({"temperature": 0.6}, {"temperature": 1.7, "top_k": 3}, {"top_p": 0.7}),
    ],
    ids=str,
)
def test_frequencies_are_those_of_the_exact_distribution(options: dict[str, Any]):
    rows = sample(CHAIN, [2], count=1000, max_new_tokens=31, seed=1, **options)
    before = np.concatenate([np.full((1000, 1), 2), rows[:, :-1]], axis=1)
    counts = np.zeros((V, V), int)
    np.add.at(counts, (before, rows), 1)
    assert counts.sum() == 31_000
    for token in np.flatnonzero(counts.sum(1)):
        expected = distribution(TABLE[token], **options)
        assert chi_square_p(counts[token], expected) > 1e-4, token


def test_rows_and_steps_are_drawn_independently():
    same = Chain(jnp.zeros((V, V)))  # every token equally probable after every other
    rows = sample(same, [0], count=200, max_new_tokens=100, seed=0)
    for first, second in [(rows[:, :-1], rows[:, 1:]), (rows[:-1], rows[1:])]:
        pairs = np.bincount((V * first + second).ravel(), minlength=V * V)
        assert chi_square_p(pairs, np.full(V * V, V**-2.0)) > 1e-4


@pytest.mark.parametrize(
    "options", [{"temperature": 0}, {"do_sample": False}, {"do_sample": False, "top_p": 0.5}]
)
def test_the_likeliest_token_without_sampling(options: dict[str, Any]):
    rows = sample(CHAIN, [2], count=2, max_new_tokens=40, **options)
    token = 2
    for t in range(40):
        token = int(np.argmax(TABLE[token]))
        assert (rows[:, t] == token).all()


@pytest.mark.parametrize("temperature", [1e-8, 1e-30, 5e-324])
def test_a_low_temperature_is_the_likeliest_token(temperature: float):
    greedy = sample(CHAIN, [2], max_new_tokens=40, temperature=0)
    cold = sample(CHAIN, [2], max_new_tokens=40, temperature=temperature)
    np.testing.assert_array_equal(cold, greedy)


# --- the prompt, blocks -------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 2, 2 * BLOCK + 6])
def test_every_token_of_the_prompt_is_read_once(length: int):
    prompt = (np.arange(length) ** 2 % 7).tolist()
    found = sample(COUNTER, prompt, count=2, max_new_tokens=45, temperature=0)
    np.testing.assert_array_equal(found, [continue_by_hand(prompt, 45)] * 2)


def test_a_language_model_reads_the_prompt_and_what_it_drew():
    prompt = [1, 4, 0, 2, 2]
    found = sample(STEPPER, prompt, max_new_tokens=40, temperature=0)
    tokens = np.array([[*prompt, *found[0]]])
    logits, _ = MODEL(jnp.asarray(tokens[:, :-1]), MODEL.initial_state(1))
    np.testing.assert_array_equal(jnp.argmax(logits[:, len(prompt) - 1 :], -1), found)
    assert len(np.unique(found)) > 1


@pytest.mark.parametrize("prompt", [[3], [3, 1, 2] * 13])
def test_a_short_continuation_begins_a_long_one(prompt: list[int]):
    long = sample(STEPPER, prompt, count=3, max_new_tokens=70, seed=5)
    assert long.shape == (3, 70)
    for steps in (1, 5, BLOCK, BLOCK + 1):
        short = sample(STEPPER, prompt, count=3, max_new_tokens=steps, seed=5)
        np.testing.assert_array_equal(short, long[:, :steps])


@pytest.mark.parametrize(("length", "steps"), [(1, 70), (1, 32), (31, 3), (33, 1), (40, 64)])
def test_blocks_add_up_and_none_is_empty_or_too_long(length: int, steps: int):
    blocks = list(stream(CHAIN, [1] * length, count=2, max_new_tokens=steps))
    assert all(block.shape[0] == 2 and 0 < block.shape[1] <= BLOCK for block in blocks)
    assert sum(block.shape[1] for block in blocks) == steps


def test_what_is_drawn_does_not_depend_on_where_the_prompt_ends_in_a_block():
    """The n-th draw uses the n-th random number, however long the prompt was."""
    short = sample(CHAIN, [2], max_new_tokens=40, seed=3)
    long = sample(CHAIN, [1] * 50 + [2], max_new_tokens=40, seed=3)
    np.testing.assert_array_equal(short, long)


# --- what it must not depend on -----------------------------------------------------------


@pytest.mark.parametrize("stepper", [CHAIN, STEPPER], ids=["chain", "language model"])
def test_a_row_does_not_depend_on_the_count(stepper: Any):
    rows = sample(stepper, [0], count=3, max_new_tokens=40, seed=7)
    np.testing.assert_array_equal(sample(stepper, [0], max_new_tokens=40, seed=7), rows[:1])
    assert not np.array_equal(rows[0], rows[1])


def test_the_seed_alone_decides():
    first, again, other = (
        sample(CHAIN, [0], count=2, max_new_tokens=40, seed=s) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).all()


def test_streams_do_not_disturb_each_other():
    expected = [sample(STEPPER, [0], count=2, max_new_tokens=70, seed=s) for s in (1, 2)]
    streams = [stream(STEPPER, [0], count=2, max_new_tokens=70, seed=s) for s in (1, 2)]
    found = [np.concatenate(blocks, 1) for blocks in zip(*zip(*streams, strict=True), strict=True)]
    np.testing.assert_array_equal(found, expected)


def test_sampling_changes_nothing_it_was_given():
    prompt, before = np.array([0, 1, 2]), jax.tree.map(np.array, MODEL)
    state_of_numpy = np.random.get_state()[1].copy()
    sample(LanguageStepper(MODEL), prompt, count=2, max_new_tokens=5)
    assert_equal(MODEL, before)
    np.testing.assert_array_equal(prompt, [0, 1, 2])
    np.testing.assert_array_equal(np.random.get_state()[1], state_of_numpy)


def test_another_value_of_an_option_compiles_nothing(caplog: pytest.LogCaptureFixture):
    def draw(temperature: float, top_k: int, top_p: float, steps: int) -> None:
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        sample(CHAIN, [0] * steps, max_new_tokens=steps, seed=steps, **options)

    draw(0.5, 2, 0.9, 3)
    with jax.log_compiles(), caplog.at_level("WARNING"):
        draw(0.6, 3, 0.8, 40)
    assert not [r for r in caplog.records if "Compiling" in r.message and "block" in r.message]


# --- errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count must be a whole number of at least 1, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be a whole number of at least 1, got 0"),
        ({"max_new_tokens": 2.5}, "max_new_tokens must be a whole number of at least 1, got 2.5"),
        ({"prompt": []}, "prompt must have at least one token, got none"),
        ({"prompt": [0, -1, 2]}, "prompt must be one row of token ids of at least 0"),
        ({"prompt": [0.5]}, "prompt must be one row of token ids"),
        ({"prompt": [[1, 2]]}, "prompt must be one row of token ids"),
        ({"temperature": -1}, "temperature must be at least 0, got -1"),
        ({"top_k": 0}, "top_k must be .*at least 1, got 0"),
        ({"top_p": 2}, "top_p must be above 0 and at most 1, got 2"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"seed": 2**32}, "seed must be below 4294967296, got 4294967296"),
    ],
)
def test_arguments_that_break_a_rule_are_named_at_once(options: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        stream(CHAIN, **{"prompt": [0]} | options)  # not yet iterated over
