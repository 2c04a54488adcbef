"""Attention, decoders and translators: their equations, padding, and steps against sequences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import KINDS, assert_close, mostly_slow, random_like, slow

from unspool import ConfigError, Translator
from unspool.models.attention import Additive, Multiplicative
from unspool.models.decoder import ATTENTIONS, shifted
from unspool.models.description import backends, build_model, describe_model
from unspool.models.softmax import cross_entropy, smoothed_cross_entropy, token_nats

V, B, S, T = 7, 4, 5, 6
SMALL = {"hidden_size": 4, "embedding_size": 3, "num_layers": 2}
draw = np.random.default_rng(0)
SOURCE, TARGET = draw.integers(0, V, (B, S)), draw.integers(0, V, (B, T))
SOURCE_LENGTHS, LENGTHS = np.array([5, 1, 0, 3]), np.array([2, 6, 0, 4])


def make(**options):
    shapes = eqx.filter_eval_shape(Translator.create, V, **SMALL, **options)
    weights, static = eqx.partition(shapes, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
    return eqx.combine(random_like(weights, seed=3), static)


def naive_weights(attention, query, values):
    """One query, one memory, no padding."""
    if isinstance(attention, Additive):
        w_query, w_key, v = attention.w_query, attention.w_key, attention.v
        scores = [v @ np.tanh(w_query @ query + w_key @ x + attention.bias) for x in values]
    else:
        scores = [query @ (attention.w_key @ x) for x in values]
    e = np.exp(scores - np.max(scores))
    return e / e.sum()


@pytest.mark.parametrize("kind", [Additive, Multiplicative])
def test_attention_is_its_equation(kind):
    attention = random_like(kind.create(4, 6, jax.random.key(0)), seed=1)
    values, queries = draw.normal(size=(B, S, 6)), draw.normal(size=(B, 3, 4))
    memory = attention.remember(jnp.asarray(values, jnp.float32), jnp.asarray(SOURCE_LENGTHS))
    contexts, weights = attention(jnp.asarray(queries, jnp.float32), memory)
    for b, n in enumerate(SOURCE_LENGTHS):
        for q in range(3) if n else ():
            wanted = naive_weights(attention, queries[b, q], values[b, :n])
            assert_close(weights[b, q, :n], jnp.asarray(wanted, jnp.float32))
            assert not weights[b, q, n:].any()
            assert_close(contexts[b, q], jnp.asarray(wanted @ values[b, :n], jnp.float32))
    assert np.isfinite(contexts).all()


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("cell", KINDS)
def test_steps_are_the_sequence(cell, attention):
    model = make(cell=cell, attention=attention)
    readouts = model(SOURCE, SOURCE_LENGTHS, TARGET)
    state = model.decoder.start(model.encode(jnp.asarray(SOURCE), jnp.asarray(SOURCE_LENGTHS)))
    for t in range(T):
        logits, state = model.decoder.step(TARGET[:, t], state)
        assert_close(logits, model.logits(readouts[:, t]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention", mostly_slow(ATTENTIONS, "luong"))
@pytest.mark.parametrize("reverse_source", [False, *slow(True)])
def test_padding_changes_nothing(attention, reverse_source):
    model = make(attention=attention, reverse_source=reverse_source)

    def score(model, source, source_lengths, target, lengths):
        readouts = model(source, source_lengths, target, lengths)
        nats = token_nats(model, readouts, target)
        return jnp.sum(jnp.where(jnp.arange(target.shape[1]) < lengths[:, None], nats, 0.0))

    value_and_gradient = eqx.filter_jit(eqx.filter_value_and_grad(score))
    arrays = map(jnp.asarray, (SOURCE, SOURCE_LENGTHS, TARGET, LENGTHS))
    found = value_and_gradient(model, *arrays)
    alone = [
        value_and_gradient(
            model, jnp.asarray(SOURCE[b : b + 1, :s]), SOURCE_LENGTHS[b : b + 1],
            jnp.asarray(TARGET[b : b + 1, :t]), LENGTHS[b : b + 1],
        )
        for b, (s, t) in enumerate(zip(SOURCE_LENGTHS, LENGTHS, strict=True))
        if s
    ]  # fmt: skip
    assert_close(found, jax.tree.map(lambda *parts: sum(parts), *alone), rtol=1e-4, atol=2e-5)


def test_a_reversed_source_is_read_from_its_end():
    model, other = make(reverse_source=True), make()
    turned = np.array(SOURCE)
    for row, n in zip(turned, SOURCE_LENGTHS, strict=True):
        row[:n] = row[:n][::-1].copy()
    a = model.encode(jnp.asarray(SOURCE), jnp.asarray(SOURCE_LENGTHS))
    b = other.encode(jnp.asarray(turned), jnp.asarray(SOURCE_LENGTHS))
    assert_close(a.vector, b.vector)
    for row, n in enumerate(SOURCE_LENGTHS):  # the memory is in the text's order
        assert_close(a.memory.values[row, :n], b.memory.values[row, :n][::-1])


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_rows_of_a_condition_share_it(attention):
    """Three rows a condition, as in a beam, are three batches of one."""
    model = make(attention=attention)
    condition = model.encode(jnp.asarray(SOURCE), jnp.asarray(SOURCE_LENGTHS))
    state = model.decoder.start(condition)
    rows = np.repeat(np.arange(B), 3)
    wide = state._replace(cells=jax.tree.map(lambda leaf: leaf[rows], state.cells))
    tokens = draw.integers(0, V, (B, 3))
    together, _ = model.decoder.step(tokens.reshape(-1), wide)
    for k in range(3):
        alone, _ = model.decoder.step(tokens[:, k], state)
        assert_close(together.reshape(B, 3, V)[:, k], alone)


def test_weights_of_attention():
    model = make(attention="bahdanau")
    condition = model.encode(jnp.asarray(SOURCE), jnp.asarray(SOURCE_LENGTHS))
    weights = np.asarray(model.decoder.read(jnp.asarray(TARGET), condition)[1])
    assert weights.shape == (B, T, S)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)
    assert not weights[1, :, 1:].any()
    plain = make(attention="none")
    condition = plain.encode(jnp.asarray(SOURCE), jnp.asarray(SOURCE_LENGTHS))
    assert plain.decoder.read(jnp.asarray(TARGET), condition)[1] is None


def test_dropout_acts_with_a_key_alone():
    for attention in ATTENTIONS:
        model = make(attention=attention, dropout=0.5)
        arguments = (jnp.asarray(SOURCE), jnp.asarray(SOURCE_LENGTHS), jnp.asarray(TARGET))
        sure = model(*arguments)
        assert_close(sure, make(attention=attention)(*arguments))
        drawn = [model(*arguments, key=jax.random.key(i)) for i in (0, 0, 1)]
        np.testing.assert_array_equal(drawn[0], drawn[1])
        assert np.abs(drawn[0] - drawn[2]).max() > 0.01


@pytest.mark.parametrize(
    "options",
    [{}, {"attention": "bahdanau", "cell": "lstm", "tied": False, "source_vocab_size": 9},
     {"attention": "none", "bidirectional": False, "reverse_source": True, "dropout": 0.1}],
)  # fmt: skip
def test_config_json_rebuilds_it(options):
    model = make(**options)
    built = eqx.filter_eval_shape(build_model, type(model), describe_model(model))
    assert jax.tree.structure(built) == jax.tree.structure(model)
    wanted = [leaf.shape for leaf in jax.tree.leaves(model)]
    assert [leaf.shape for leaf in jax.tree.leaves(built)] == wanted


def test_the_time_loop_says_what_it_waits_for():
    assert all("depends" in name for name in backends(make(attention="bahdanau"))[-2:])
    assert not any("depends" in name for name in backends(make(attention="luong")))


def test_arguments_that_break_a_rule():
    with pytest.raises(ConfigError, match="attention must be one of luong, bahdanau, none"):
        Translator.create(V, **SMALL, attention="soft")
    with pytest.raises(ConfigError, match="cell must be one of"):
        Translator.create(V, **SMALL, cell="tree")


def test_label_smoothing_is_a_mixture_of_targets():
    logits = jnp.asarray(draw.normal(size=(3, V)), jnp.float32)
    targets = np.array([0, 6, 2])
    smooth = 0.3 / V + 0.7 * np.eye(V)[targets]
    wanted = -(smooth * np.asarray(jax.nn.log_softmax(logits))).sum(axis=-1)
    smoothed, nats = smoothed_cross_entropy(logits, targets, 0.3)
    assert_close(smoothed, jnp.asarray(wanted, jnp.float32))
    assert_close(nats, cross_entropy(logits, targets))


def test_shifted():
    assert shifted(jnp.array([[1, 2, 3]]), 9).tolist() == [[9, 1, 2]]
