"""Sampling by the native kernel against the compiled loop, and weights of fewer bits."""

import threading

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import mostly_slow, needs_library, random_like, slow

from unspool import ConfigError, LanguageModel, sample
from unspool.decoding import LanguageStepper, round_weights, sampling
from unspool.kernels import sampling as kernel
from unspool.kernels.sampling import quantise, round_matrix

MODELS = {
    "rnn": {"cell": "rnn", "hidden_size": 70},
    "gru": {"cell": "gru", "hidden_size": 33, "num_layers": 2},
    "lstm": {"cell": "lstm", "hidden_size": 17, "num_layers": 3},
    "embedding": {"cell": "lstm", "hidden_size": 20, "embedding_size": 9, "num_layers": 2},
    "tied": {"cell": "gru", "hidden_size": 24, "embedding_size": 24, "tied": True},
    "one unit": {"cell": "gru", "hidden_size": 1},
}


def draw_model(name, vocab_size=67):
    """Weights as drawn for training: a network in chaos would magnify the last bit."""
    return LanguageModel.create(vocab_size, **MODELS[name], seed=3)


def steppers(model, weights="float32"):
    """The kernel's and the loop's."""
    stepper = LanguageStepper(model, weights)
    assert stepper.network is not None
    loop = eqx.tree_at(lambda s: s.network, stepper, None, is_leaf=lambda leaf: leaf is None)
    return stepper, loop


def assert_same_text(model, weights="float32", prompt=(1,), **options):
    kernel, loop = steppers(model, weights)
    options = {"max_new_tokens": 50, "seed": 4, **options}
    found = sample(kernel, list(prompt), **options)
    np.testing.assert_array_equal(found, sample(loop, list(prompt), **options))
    return found


@needs_library
@pytest.mark.parametrize("weights", ["float32", *slow("bfloat16", "int8")])
@pytest.mark.parametrize("name", mostly_slow(MODELS, "gru", "embedding"))
def test_the_kernel_writes_what_the_loop_writes(name, weights):
    found = assert_same_text(draw_model(name), weights, count=3)
    assert name == "one unit" or len(np.unique(found)) > 5


@needs_library
@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": 1.5, "top_k": 20, "top_p": 0.8},
        *slow(
            {"do_sample": False, "top_k": 3},
            {"temperature": 0.5},
            {"top_k": 1},
            {"top_k": 5},
            {"top_k": 1000},
            {"top_p": 0.3},
            {"top_p": 1e-9},
        ),
    ],
    ids=str,
)
def test_the_kernel_chooses_as_the_transforms_do(options):
    assert_same_text(draw_model("gru"), count=2, **options)


@needs_library
@pytest.mark.parametrize("vocab_size", [65, *slow(1, 2, 63, 64, 200)])
def test_vocabularies_that_do_not_fill_a_panel(vocab_size):
    assert_same_text(draw_model("rnn", vocab_size), prompt=[0])


@needs_library
@pytest.mark.parametrize("length", [33, *slow(2, 31, 32, 300)])
def test_prompts(length):
    assert_same_text(draw_model("lstm"), prompt=np.arange(length) ** 2 % 67)


@needs_library
def test_equal_logits_go_to_the_first_token():
    model = jax.tree.map(lambda leaf: leaf * 0, draw_model("gru"))
    assert not assert_same_text(model, temperature=0).any()
    assert not assert_same_text(model, top_k=1).any()


@needs_library
def test_a_large_table_is_not_multiplied_ahead(monkeypatch):
    monkeypatch.setattr("unspool.decoding.native.LARGEST_TABLE", 0)
    for name in ("embedding", "tied"):
        assert steppers(draw_model(name))[0].network.sizes[0][0] > 0
        assert_same_text(draw_model(name), "int8", count=3)


@needs_library
def test_the_state_afterwards_is_the_loops():
    model = draw_model("lstm")
    kernel, loop = steppers(model)
    given = np.arange(sampling.BLOCK, dtype=np.int32) % 67
    keys = jax.random.split(jax.random.key(0), 4)
    carry = sampling._Carry(kernel.start(4), jnp.zeros(4, jnp.int32), jnp.int32(0))
    found, _ = sampling._advance(kernel, carry, given, len(given), (), False, keys)
    expected, _ = sampling._advance(loop, carry, given, len(given), (), False, keys)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, expected)


@needs_library
@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_rows_and_threads_change_no_bit(name, monkeypatch):
    """With 5 threads and 13 rows, against each row alone on one thread."""
    network = LanguageStepper(draw_model(name)).network
    model = draw_model(name)
    given = np.arange(20, dtype=np.int32)

    def states(rows, threads):
        monkeypatch.setattr("unspool.kernels.sampling.threads", lambda: threads)
        start = random_like(model.initial_state(13), seed=1, scale=1.0)
        pairs = [(s.h[rows], getattr(s, "c", jnp.zeros((13, 0)))[rows]) for s in start]
        first = jnp.zeros(len(pairs[0][0]), jnp.int32)
        rule = (jnp.float32(1), jnp.int32(9), jnp.float32(1))
        _, new = kernel.sample(network, first, pairs, given, jnp.int32(20), None, rule)
        return jax.tree.map(np.asarray, new)

    whole = states(slice(None), 5)
    for row in (0, 6, 12):
        alone = states(slice(row, row + 1), 1)
        cut = jax.tree.map(lambda leaf, row=row: leaf[row : row + 1], whole)
        jax.tree.map(np.testing.assert_array_equal, alone, cut)


@needs_library
def test_several_callers_at_once():
    stepper = LanguageStepper(draw_model("lstm"))
    expected = [sample(stepper, [1], max_new_tokens=200, seed=s) for s in range(4)]
    found = {}

    def write(seed):
        found[seed] = sample(stepper, [1], max_new_tokens=200, seed=seed)

    callers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    np.testing.assert_array_equal([found[s] for s in range(4)], expected)


@needs_library
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("options", [{}, *slow({"top_k": 3}, {"top_p": 0.5})], ids=str)
def test_values_that_are_not_finite_end_in_a_token(value, options):
    model = draw_model("gru")
    model = eqx.tree_at(lambda m: m.b_out, model, model.b_out.at[7].set(value))
    found = sample(LanguageStepper(model), [1], max_new_tokens=40, count=2, **options)
    assert ((found >= 0) & (found < 67)).all()
    if value > 0 or np.isnan(value):
        assert (found == 7).all()
    else:
        assert (found != 7).all()


@needs_library
def test_ids_outside_the_vocabulary_are_clamped():
    stepper = LanguageStepper(draw_model("rnn"))
    last = sample(stepper, [66], max_new_tokens=20)
    np.testing.assert_array_equal(sample(stepper, [10**6], max_new_tokens=20), last)


@needs_library
@pytest.mark.parametrize("part", ["table", "w_out", "out_scale"])
def test_arrays_that_do_not_belong_together_are_an_error(part):
    network = LanguageStepper(draw_model("rnn")).network
    wrong = eqx.tree_at(
        lambda n: getattr(n, part), network, jnp.zeros((3, 3)[: 2 - (part != "table")])
    )
    rule = (jnp.float32(1), jnp.int32(9), jnp.float32(1))
    state = [(jnp.zeros((1, 70)), jnp.zeros((1, 0)))]
    with pytest.raises(jax.errors.JaxRuntimeError, match="do not belong together"):
        jax.block_until_ready(
            kernel.sample(
                wrong, jnp.zeros(1, jnp.int32), state, jnp.zeros(4, jnp.int32), jnp.int32(4),
                None, rule,
            )
        )  # fmt: skip


@needs_library
def test_large_blocks_change_no_token(monkeypatch):
    stepper = LanguageStepper(draw_model("gru"))
    monkeypatch.setattr(sampling, "LARGE_BLOCK_S", float("inf"))
    grown = list(sampling.stream(stepper, [1], max_new_tokens=600, seed=2))
    assert max(block.shape[1] for block in grown) == sampling.LARGE_BLOCK
    monkeypatch.setattr(sampling, "LARGE_BLOCK_S", 0)
    small = list(sampling.stream(stepper, [1], max_new_tokens=600, seed=2))
    assert {block.shape[1] for block in small} <= {sampling.BLOCK, 600 % sampling.BLOCK}
    np.testing.assert_array_equal(np.concatenate(grown, 1), np.concatenate(small, 1))


# --- fewer bits ---------------------------------------------------------------------------


def test_int8_rounds_to_half_a_step_of_each_row():
    w = np.random.default_rng(0).normal(0, 1, (7, 40)).astype(np.float32)
    w[3] = 0
    values, scale = quantise(w, "int8")
    assert values.dtype == np.int8
    np.testing.assert_array_equal(np.abs(values).max(axis=1), [127, 127, 127, 0, 127, 127, 127])
    np.testing.assert_allclose(scale, np.where(w.any(1), np.abs(w).max(1) / 127, 1), rtol=1e-6)
    assert (np.abs(values * scale[:, None] - w) <= 0.5001 * scale[:, None]).all()


@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_rounding_twice_is_rounding_once(weights):
    w = np.random.default_rng(1).normal(0, 1, (9, 31))
    once = round_matrix(w, weights)
    assert np.abs(once - w).max() > 0
    np.testing.assert_allclose(round_matrix(once, weights), once, rtol=1e-6)


def test_the_table_of_inputs_keeps_its_bits():
    model = draw_model("lstm")
    rounded = round_weights(model, "int8")
    np.testing.assert_array_equal(rounded.stack.cells[0].w_ih, model.stack.cells[0].w_ih)
    for layer in (1, 2):
        assert (rounded.stack.cells[layer].w_ih != model.stack.cells[layer].w_ih).any()
    assert (rounded.w_out != model.w_out).any()
    assert (
        round_weights(draw_model("tied"), "int8").embedding == draw_model("tied").embedding
    ).all()


@pytest.mark.parametrize("function", [round_weights, LanguageStepper])
def test_an_unknown_type_is_refused(function):
    with pytest.raises(ConfigError, match="weights must be one of float32, bfloat16, int8"):
        function(draw_model("rnn"), "int4")


@needs_library
@pytest.mark.parametrize("numbers", [67 * 2, *slow(1, 67 * 3 * 5)])
def test_bounded_noise_draws_the_same(monkeypatch, numbers):
    model = draw_model("gru")
    options = {"count": 5, "max_new_tokens": 40, "seed": 2, "temperature": 0.8}
    whole = sample(LanguageStepper(model), [1, 2, 3], **options)
    monkeypatch.setattr(sampling, "NOISE_NUMBERS", numbers)
    sizes, sample_block = [], sampling.sample_block

    def watched(network, state, tokens, chosen, given, *rest, **more):
        sizes.append(len(given) * len(tokens) * network.vocab_size)
        return sample_block(network, state, tokens, chosen, given, *rest, **more)

    monkeypatch.setattr(sampling, "sample_block", watched)
    np.testing.assert_array_equal(sample(LanguageStepper(model), [1, 2, 3], **options), whole)
    assert max(sizes) <= max(numbers, 67)
    sizes.clear()
    sample(LanguageStepper(model), [1], count=5, max_new_tokens=40, temperature=0)
    assert len(sizes) == 2  # what needs no noise is drawn in blocks as before
