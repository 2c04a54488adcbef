"""Captioners: their ways in, steps against sequences, and the attention penalty."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.support import KINDS, assert_close, random_like

from unspool import ConfigError
from unspool.models.captioner import WAYS, Captioner

V, B, S, F, T = 7, 3, 4, 5, 6
SMALL = {"hidden_size": 4, "embedding_size": 3, "condition_size": 6, "num_layers": 2}
draw = np.random.default_rng(0)
GRID = draw.normal(size=(B, S, F)).astype(np.float32)
TOKENS = draw.integers(0, V, (B, T))


def make(**options):
    shapes = eqx.filter_eval_shape(Captioner.create, V, F, **SMALL, **options)
    weights, static = eqx.partition(shapes, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
    return eqx.combine(random_like(weights, seed=3), static)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", KINDS)
def test_steps_are_the_sequence(way, cell):
    model = make(way=way, cell=cell)
    readouts, weights = model(jnp.asarray(GRID), jnp.asarray(TOKENS))
    assert (weights is not None) == (way == "attention")
    state = model.decoder.start(model.condition(jnp.asarray(GRID)))
    for t in range(T):
        logits, state = model.decoder.step(jnp.asarray(TOKENS[:, t]), state)
        assert_close(logits, model.logits(readouts[:, t]), rtol=1e-4, atol=1e-5)


def test_the_first_input_is_one_more_step():
    """As a token would be whose embedding is the picture's vector, before all others."""
    model = make(way="first", cell="gru")
    decoder, v = model.decoder, model.condition(jnp.asarray(GRID)).vector
    x = v @ decoder.w_first.T + decoder.b_first
    states = [cell.initial_state(B) for cell in decoder.cells]
    h = x
    for layer, cell in enumerate(decoder.cells):
        states[layer] = cell.step(states[layer], cell.project(h))
        h = cell.output(states[layer])
    assert_close(decoder.start(model.condition(jnp.asarray(GRID))).cells, tuple(states))


@pytest.mark.parametrize("way", WAYS)
def test_config_json_rebuilds_it(way):
    model = make(way=way, dropout=0.2, dropout_features=0.1)
    built = eqx.filter_eval_shape(Captioner.create, **model.describe())
    assert jax.tree.structure(built) == jax.tree.structure(model)
    wanted = [leaf.shape for leaf in jax.tree.leaves(model)]
    assert [leaf.shape for leaf in jax.tree.leaves(built)] == wanted


def test_a_vector_is_a_grid_of_one_place():
    model = make(way="attention")
    one = model.condition(jnp.asarray(GRID[:, 0]))
    assert_close(one, model.condition(jnp.asarray(GRID[:, :1])))
    mean = make(way="every").condition(jnp.asarray(GRID))
    assert_close(mean, make(way="every").condition(jnp.asarray(GRID.mean(axis=1))), atol=1e-5)


def test_an_unknown_way():
    with pytest.raises(ConfigError, match="way must be one of every, first, attention, got 'last'"):
        Captioner.create(V, F, way="last")
