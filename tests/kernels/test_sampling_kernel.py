"""The sampling kernel with guard words, against NumPy's network and XLA's choice of a token."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unspool import library
from unspool.decoding import Temperature, TopK, TopP

if library.why_not() is not None:
    pytest.skip(f"no native kernels: {library.why_not()}", allow_module_level=True)

from tests.kernels.native_calls import CELLS, ISAS, LIBRARY
from tests.kernels.sampling_calls import (  # after the skip: it needs the library
    WEIGHTS,
    Rule,
    draw_network,
    near_tie,
    run_naive,
    run_native,
)

MAX_BATCH, MAX_VOCAB = 8, 200


@pytest.fixture(autouse=True)
def automatic_isa():
    yield
    LIBRARY.unspool_force_isa(b"")


rules = st.builds(
    Rule,
    st.sampled_from([0.3, 1.0, 1.7]),
    st.one_of(st.just(2**31 - 1), st.integers(1, 90)),
    st.one_of(st.just(1.0), st.floats(0.01, 0.99).map(lambda p: float(np.float32(p)))),
)


@jax.jit
def transformed_choice(logits, noise, temperature, top_k, top_p):
    for transform in (Temperature(temperature), TopK(top_k), TopP(top_p)):
        logits = transform(logits)
    return jnp.argmax(logits + noise, axis=-1)


def choose(logits, noise, rule):
    """The compiled loop's choice, always of one shape: more rows, and tokens of no probability,
    change nothing.
    """
    if noise is None:
        return np.argmax(logits, axis=-1)
    batch, vocab = logits.shape
    rest = ((0, MAX_BATCH - batch), (0, MAX_VOCAB - vocab))
    top_p = 2.0 if rule.top_p == 1 else rule.top_p  # 1 leaves the transform out
    logits = np.pad(logits.astype(np.float32), rest, constant_values=-np.inf)
    noise = np.pad(noise, rest)
    chosen = transformed_choice(logits, noise, rule.temperature, rule.top_k, top_p)
    return np.asarray(chosen)[:batch]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("cell", CELLS)
@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, MAX_BATCH),
    steps=st.integers(0, 6),
    vocab=st.one_of(st.integers(1, 80), st.sampled_from([63, 64, 65, 128, 129])),
    hiddens=st.lists(st.one_of(st.integers(1, 40), st.just(140)), min_size=1, max_size=3),
    inputs=st.sampled_from([0, 0, 1, 7, 16]),
    rule=rules,
    greedy=st.booleans(),
    threads=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_equations_and_the_loops_choice(
    cell, weights, isa, batch, steps, vocab, hiddens, inputs, rule, greedy, threads, seed
):
    LIBRARY.unspool_force_isa(isa.encode())
    rng = np.random.default_rng(seed)
    network = draw_network(rng, cell, batch, vocab, hiddens, inputs)
    first = rng.integers(0, vocab, batch, np.int32)
    given = np.where(rng.random(steps) < 0.3, rng.integers(0, vocab, steps), -1).astype(np.int32)
    noise = None if greedy else rng.gumbel(size=(steps, batch, vocab)).astype(np.float32)
    tokens, states = run_native(cell, weights, network, first, given, noise, rule, threads)
    assert ((tokens >= 0) & (tokens < vocab)).all()
    fed = np.concatenate([first[:, None], tokens], axis=1)[:, :steps]
    logits, last = run_naive(cell, weights, network, fed)
    assert_states(states, last, 2e-5)
    for t in range(steps):
        if given[t] >= 0:
            assert (tokens[:, t] == given[t]).all()
            continue
        drawn = None if greedy else noise[t]
        expected = choose(logits[:, t], drawn, rule)
        for row in range(batch):
            if not near_tie(logits[row, t], None if greedy else drawn[row], rule, 1e-4):
                assert tokens[row, t] == expected[row], (t, row)


def assert_states(found, expected, tolerance):
    for layer, (arrays, wanted) in enumerate(zip(found, expected, strict=True)):
        for array, reference in zip(arrays, wanted, strict=True):
            np.testing.assert_allclose(
                array, reference, rtol=tolerance, atol=tolerance, err_msg=f"layer {layer}"
            )


def test_most_draws_are_no_near_ties():
    """Else the test above would compare little."""
    rng = np.random.default_rng(0)
    for rule in (Rule(), Rule(0.3, 5, 0.8), Rule(1.7, 80, 0.5)):
        logits, noise = 3 * rng.normal(size=(500, 100)), rng.gumbel(size=(500, 100))
        ties = [near_tie(*pair, rule, 1e-4) for pair in zip(logits, noise, strict=True)]
        assert np.mean(ties) < 0.05


@pytest.mark.parametrize("isa", ISAS)
@settings(max_examples=150, deadline=None)
@given(
    vocab=st.integers(1, MAX_VOCAB),
    values=st.lists(
        st.sampled_from([-1e30, -2.0, -0.0, 0.0, 0.7, 1.5, np.inf, -np.inf, np.nan]),
        min_size=1,
        max_size=4,
    ),
    drawn=st.booleans(),
    equal_noise=st.booleans(),
    rule=rules,
    greedy=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_chooses_what_the_loop_chooses(isa, vocab, values, drawn, equal_noise, rule, greedy, seed):
    """Logits that are the biases to the last bit: with ties, infinity and NaN among them."""
    LIBRARY.unspool_force_isa(isa.encode())
    rng = np.random.default_rng(seed)
    network = draw_network(rng, "rnn", 1, vocab, [3], 0)
    network["w_out"][:] = 0
    if drawn:
        values = np.append(rng.normal(0, 2, 50), values)
    logits = network["b_out"][:] = rng.choice(values, vocab).astype(np.float32)
    noise = None if greedy else rng.gumbel(size=(1, 1, vocab)).astype(np.float32)
    if equal_noise and not greedy:
        noise[:] = rng.integers(0, 3, vocab)
    found = run_choice(network, noise, rule)
    expected = choose(logits[None], None if greedy else noise[0], rule)[0]
    assert found == expected or on_the_edge(logits, rule)


def run_choice(network, noise, rule):
    first, given = np.zeros(1, np.int32), np.full(1, -1, np.int32)
    tokens, _ = run_native("rnn", "float32", network, first, given, noise, rule)
    return tokens[0, 0]


def on_the_edge(logits, rule):
    """Whether rounding decides how many tokens have the probability top_p together."""
    if rule.top_p == 1 or not np.isfinite(logits.max()):
        return False
    ranked = -np.sort(-logits.astype(np.float64))[: rule.top_k] / rule.temperature
    mass = np.cumsum(np.exp(ranked - ranked[0]))
    return np.abs(mass / mass[-1] - rule.top_p).min() < 1e-5


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan, 1e-45])
@pytest.mark.parametrize("top_p", [0.0, -1.0, np.nan, 1e-30])
def test_rules_that_mean_nothing_still_end_in_a_token(temperature, top_p):
    """Users cannot pass most of these; the kernel bears them."""
    network = draw_network(np.random.default_rng(0), "rnn", 1, 70, [3], 0)
    network["b_out"][::3] = np.resize([np.inf, -np.inf, 0], 24)
    noise = np.random.default_rng(1).gumbel(size=(1, 1, 70)).astype(np.float32)
    assert 0 <= run_choice(network, noise, Rule(temperature, 9, top_p)) < 70


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("weights", ["float32", "bfloat16"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["w_ih", "w_hh", "bias", "b_hn", "h0", "c0", "table", "w_out"])
@pytest.mark.parametrize("cell", CELLS)
def test_nan_and_infinity_propagate_as_in_the_equations(cell, where, value, weights, isa):
    LIBRARY.unspool_force_isa(isa.encode())
    rng = np.random.default_rng(5)
    network = draw_network(rng, cell, 3, 70, [19, 18], 5)
    array = network["layers"][1].get(where, network.get(where))
    array[(1,) * array.ndim] = value
    first, given = np.array([1, 0, 2], np.int32), np.full(4, -1, np.int32)
    tokens, states = run_native(cell, weights, network, first, given, None, Rule(), threads=2)
    fed = np.concatenate([first[:, None], tokens[:, :-1]], axis=1)
    logits, last = run_naive(cell, weights, network, fed)
    assert_states(states, last, 1e-4)
    for row, t in np.ndindex(tokens.shape):
        if not near_tie(logits[row, t], None, Rule(), 1e-4):
            assert tokens[row, t] == np.argmax(logits[row, t])


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("cell", CELLS)
def test_threads_and_rows_change_no_bit(cell, weights):
    rng = np.random.default_rng(6)
    network = draw_network(rng, cell, 9, 300, [150, 130], 0)
    first = rng.integers(0, 300, 9, np.int32)
    noise = rng.gumbel(size=(6, 9, 300)).astype(np.float32)
    given = np.full(6, -1, np.int32)
    tokens, states = run_native(cell, weights, network, first, given, noise, Rule(0.9, 40, 0.9))
    for threads in (2, 3, 5):
        again = run_native(cell, weights, network, first, given, noise, Rule(0.9, 40, 0.9), threads)
        np.testing.assert_array_equal(again[0], tokens)
        jax.tree.map(np.testing.assert_array_equal, again[1], states)
    for row in (0, 5, 8):
        one = slice(row, row + 1)
        layers = [layer | {s: layer[s][one] for s in ("h0", "c0")} for layer in network["layers"]]
        alone = run_native(
            cell, weights, network | {"layers": layers}, first[one], given, noise[:, one],
            Rule(0.9, 40, 0.9),
        )  # fmt: skip
        np.testing.assert_array_equal(alone[0], tokens[one])
        jax.tree.map(
            np.testing.assert_array_equal, alone[1], jax.tree.map(lambda a, o=one: a[o], states)
        )
