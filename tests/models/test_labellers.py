"""Classifiers, taggers, generators: padding changes nothing, and config.json rebuilds them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import assert_close, mostly_slow, random_like

from unspool import Classifier, ConfigError, Generator, Tagger
from unspool.models.classifier import POOLINGS
from unspool.models.description import backends, build_model, describe_model

LENGTHS = np.array([5, 2, 0, 3])
IDS = np.random.default_rng(0).integers(0, 7, (4, 5))
SMALL = {"vocab_size": 7, "embedding_size": 3, "hidden_size": 4}


def randomised(model):
    return random_like(eqx.filter(model, eqx.is_array), seed=3), eqx.filter(
        model, eqx.is_array, inverse=True
    )


def drawn(model):
    return eqx.combine(*randomised(model))


@pytest.mark.parametrize("pooling", mostly_slow(POOLINGS, "last", "attention"))
def test_a_classifier_does_not_see_padding(pooling):
    bidirectional = pooling != "last"  # one of them forwards only
    model = drawn(Classifier.create(3, pooling=pooling, **SMALL, bidirectional=bidirectional))

    def score(model, ids, lengths):
        logits = model(jnp.asarray(ids), jnp.asarray(lengths))
        weights = jnp.where((lengths > 0)[:, None], jnp.arange(1.0, 4), 0)
        return jnp.sum(logits * weights), logits

    gradient = eqx.filter_grad(score, has_aux=True)
    padded, logits = gradient(model, IDS, LENGTHS)
    alone = [
        gradient(model, IDS[row : row + 1, :n], LENGTHS[row : row + 1])
        for row, n in enumerate(LENGTHS)
        if n
    ]
    assert_close(logits[np.array([0, 1, 3])], jnp.concatenate([found for _, found in alone]))
    total = jax.tree.map(lambda *parts: sum(parts), *(grads for grads, _ in alone))
    assert_close(padded, total, rtol=1e-4, atol=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(padded))


def test_a_tagger_does_not_see_padding():
    model = drawn(Tagger.create(3, **SMALL))
    logits = model(jnp.asarray(IDS), jnp.asarray(LENGTHS))
    for row, n in enumerate(LENGTHS):
        if n:
            alone = model(jnp.asarray(IDS[row : row + 1, :n]), jnp.asarray(LENGTHS[row : row + 1]))
            assert_close(logits[row : row + 1, :n], alone)


def test_a_causal_tagger_does_not_see_the_future():
    model = drawn(Tagger.create(3, **SMALL, bidirectional=False))
    whole = model(jnp.asarray(IDS[:1]), jnp.array([5]))
    assert_close(whole[:, :2], model(jnp.asarray(IDS[:1, :2]), jnp.array([2])))
    both = drawn(Tagger.create(3, **SMALL))
    seen = both(jnp.asarray(IDS[:1]), jnp.array([5]))[:, :2]
    assert np.abs(seen - both(jnp.asarray(IDS[:1, :2]), jnp.array([2]))).max() > 1e-3


def test_a_bag_of_features_is_the_sum_of_their_embeddings():
    model = drawn(Classifier.create(3, **SMALL))
    bags = np.stack([IDS, (IDS + 1) % 7], axis=-1)
    found = model(jnp.asarray(bags), jnp.asarray(LENGTHS))
    summed = model.reader.embedding + jnp.roll(model.reader.embedding, -1, axis=0)
    single = eqx.tree_at(lambda m: m.reader.embedding, model, summed)
    assert_close(found, single(jnp.asarray(IDS), jnp.asarray(LENGTHS)))


def test_the_pooled_vector_is_mean_or_maximum():
    outputs = {}
    for pooling in ("mean", "max"):
        model = drawn(Classifier.create(3, pooling=pooling, **SMALL))
        steps, _ = model.reader(jnp.asarray(IDS), jnp.asarray(LENGTHS))
        reduce = {"mean": np.mean, "max": np.max}[pooling]
        pooled = reduce(np.asarray(steps)[:2, 1], axis=0)
        outputs[pooling] = model(jnp.asarray(IDS), jnp.asarray(LENGTHS))[1]
        assert_close(outputs[pooling], pooled @ model.w_out.T + model.b_out)


def test_dropout_acts_where_a_key_is_given():
    model = drawn(Classifier.create(3, **SMALL, dropout=0.5, dropout_tokens=0.5))
    ids, lengths = jnp.asarray(IDS), jnp.asarray(LENGTHS)
    keys = jax.random.split(jax.random.key(0), 2)
    plain, first, second = (model(ids, lengths, key) for key in (None, *keys))
    assert_close(plain, model(ids, lengths))
    assert np.abs(first - second).max() > 1e-3


def test_a_generator_s_condition_is_its_first_state():
    model = drawn(Generator.create(2, 7, cell="lstm", hidden_size=4))
    ids = jnp.asarray(IDS[:2])
    logits = model(ids, jnp.array([1, 0]))
    state = jax.tree.map(lambda leaf: leaf[jnp.array([1, 0])], model.states)
    assert_close(logits, model.decoder(ids, state)[0])
    assert np.abs(logits - model(ids, jnp.array([0, 1]))).max() > 1e-3


@pytest.mark.parametrize(
    "model",
    [
        Classifier.create(3, pooling="attention", num_layers=2, dropout=0.1, **SMALL),
        Classifier.create(3, input_size=6, hidden_size=4, bidirectional=False, cell="rnn"),
        Tagger.create(3, layer_norm=True, dropout_tokens=0.2, **SMALL),
        Generator.create(3, 7, hidden_size=4, embedding_size=3, cell="gru"),
    ],
    ids=["classifier", "series", "tagger", "generator"],
)
def test_models_come_back_from_their_description(model):
    again = build_model(type(model), describe_model(model))
    assert jax.tree.structure(again) == jax.tree.structure(model)
    shapes = [[leaf.shape for leaf in jax.tree.leaves(m)] for m in (again, model)]
    assert shapes[0] == shapes[1]
    assert backends(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "min"}, "pooling must be one of last, mean, max, attention, got 'min'"),
        ({"cell": "cnn"}, "cell must be one of rnn, lstm, gru, got 'cnn'"),
        ({"input_size": 3}, "give either vocab_size"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Classifier.create(3, **{**SMALL, **options})
