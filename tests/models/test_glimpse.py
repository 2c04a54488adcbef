"""The glimpse network: its sensor and its equations against plain NumPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.glimpse_reference import linear, naive_glimpse, next_state
from tests.support import random_like, slow

from unspool import ConfigError, GlimpseClassifier
from unspool.models.description import backends, build_model, describe_model
from unspool.models.glimpse import glimpse

rng = np.random.default_rng(0)
SIZES = {"glimpses": 3, "patch": 2, "scales": 2, "hidden_size": 5, "glimpse_size": 4}
PLACES = {
    "centre": (0, 0),
    "upper edge": (-1, 0),
    "right edge": (0, 1),
    "corner": (-1, -1),
    "far corner": (1, 1),
    "between pixels": (0.28125, -0.3125),
}


look = eqx.filter_jit(GlimpseClassifier.look)


def tiny(shape=(6, 4, 1), classes=3, **options):
    make = jax.eval_shape(lambda: GlimpseClassifier.create(classes, shape, **SIZES, **options))
    return random_like(make, seed=1)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("patch", "scales"), [(1, 1), (3, 2), (4, 3)])
def test_the_sensor_is_that_of_plain_numpy(place, patch, scales):
    image = rng.normal(size=(8, 4, 2)).astype(np.float32)
    seen = glimpse(jnp.asarray(image[None]), jnp.array([place], jnp.float32), patch, scales)[0]
    np.testing.assert_allclose(seen, naive_glimpse(image, place, patch, scales), atol=1e-5)


def test_the_sensor_sees_zeros_outside_and_the_whole_inside():
    image = jnp.ones((1, 4, 4, 1))
    whole, wider = glimpse(image, jnp.zeros((1, 2)), 4, 2)[0, ..., 0]
    assert whole.min() == 1
    assert wider.tolist() == np.pad(np.ones((2, 2)), 1).tolist()


def test_the_equations():
    model = tiny(cell="rnn")
    images = rng.normal(size=(2, 6, 4, 1)).astype(np.float32)
    glimpses = look(model, jnp.asarray(images.reshape(2, 6, 4)), jax.random.key(3))
    h, mean = np.zeros((2, 5)), np.zeros((2, 2))
    for t in range(3):
        np.testing.assert_allclose(glimpses.means[t], mean, atol=1e-5)
        np.testing.assert_allclose(
            glimpses.baselines[t], linear(model.baseline, h)[:, 0], atol=1e-5
        )
        places = np.clip(np.asarray(glimpses.locations[t]), -1, 1)
        seen = np.asarray(glimpse(jnp.asarray(images), jnp.asarray(places), 2, 2))
        h = next_state(model, h, seen, places)
        mean = np.tanh(linear(model.locator, h))
    np.testing.assert_allclose(glimpses.logits, linear(model.output, h), atol=1e-5)


@pytest.mark.parametrize("cell", ["gru", *slow("lstm")])
def test_without_a_key_the_means_are_looked_at(cell):
    model, inputs = tiny(cell=cell, dropout=0.5), rng.normal(size=(3, 6, 4)).astype(np.float32)
    glimpses = look(model, inputs)
    assert jnp.array_equal(glimpses.locations, glimpses.means)
    drawn = look(model, inputs, jax.random.key(0))
    assert not jnp.array_equal(drawn.logits, glimpses.logits)


def test_places_have_the_deviation_asked_for():
    model, inputs = tiny(std=0.3), np.zeros((4000, 6, 4), np.float32)
    glimpses = look(model, inputs, jax.random.key(0))
    noise = np.asarray(glimpses.locations - glimpses.means)
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    assert abs(noise.mean()) < 0.01


def test_a_description_builds_the_same_model():
    model = tiny((6, 4, 3), cell="lstm", std=0.1, dropout=0.25, layer_norm=True)
    description = describe_model(model)
    built = jax.eval_shape(lambda: build_model(type(model), description))
    assert describe_model(built) == description
    assert jax.tree.structure(built) == jax.tree.structure(model)
    assert backends(model) == ("scan, automatic gradients (the next input depends on the state)",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"glimpses": 0}, "glimpses must be a whole number of at least 1, got 0"),
        ({"patch": 0}, "patch must be"),
        ({"std": 0.0}, "std must be above 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"cell": "tree"}, "cell must be one of rnn, lstm, gru, got 'tree'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ConfigError) as error:
        GlimpseClassifier.create(3, (6, 4, 1), **{**SIZES, **options})
    assert message in str(error.value)
