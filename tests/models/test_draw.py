"""DRAW: filters, steps and bound against plain NumPy, gradients against finite differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.draw_reference import (
    naive_bound,
    naive_drawing,
    naive_filters,
    naive_read,
    naive_window,
    naive_write,
)
from tests.support import random_like

from unspool import ConfigError, DrawModel
from unspool.models.description import backends, build_model, describe_model
from unspool.models.draw_window import MOST_LOG, filters, read, window, write

rng = np.random.default_rng(0)
SIZES = {"glimpses": 3, "read_size": 2, "write_size": 3, "latent_size": 4, "hidden_size": 5}
SHAPE = (6, 4, 2)
infer, draw = eqx.filter_jit(DrawModel.infer), eqx.filter_jit(DrawModel.draw)


def tiny(shape=SHAPE, seed=1, scale=0.5, **options):
    make = jax.eval_shape(lambda: DrawModel.create(shape, **{**SIZES, "cell": "rnn", **options}))
    return random_like(make, seed, scale)


def zeros_and_ones(count, shape=SHAPE):
    return (rng.random((count, *shape)) < 0.5).astype(np.float32)


def noise(model, batch):
    return rng.normal(size=(model.glimpses, batch, model.latent_size)).astype(np.float32)


@pytest.mark.parametrize(
    ("centre", "stride", "variance"), [(3, 1, 1), (2.3, 0.7, 0.2), (0.5, 3, 4), (8, 0.1, 2)]
)
def test_filters_are_those_of_the_paper(centre, stride, variance):
    found = filters(*(jnp.array([x]) for x in (centre, stride, variance)), size=3, pixels=7)[0]
    np.testing.assert_allclose(
        found, naive_filters(centre, stride, variance, 3, 7), rtol=1e-5, atol=1e-7
    )


def test_a_filter_far_from_the_image_rests_on_its_edge():
    """Every exponential of it is 0 in 32 bits."""
    found = filters(jnp.array([-500.0, 500.0]), jnp.ones(2), jnp.full(2, 0.1), 1, 4)
    assert found[:, 0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


@jax.jit
def through(parameters, images, patches):
    """The windows of images of SHAPE, and what is read and written through them."""
    place = window(parameters, 6, 4, 3)
    return place, read(images, place, 3), write(patches, place, 6, 4)


def test_windows_reading_and_writing_are_those_of_the_paper():
    parameters, images = rng.normal(0, 0.5, (3, 5)), rng.normal(size=(3, *SHAPE))
    patches = rng.normal(size=(3, 3, 3, 2))
    place, seen, written = through(*map(jnp.float32, (parameters, images, patches)))
    for i, given in enumerate(parameters):
        np.testing.assert_allclose(
            [part[i] for part in place], naive_window(given, 6, 4, 3), rtol=1e-5
        )
        np.testing.assert_allclose(seen[i], naive_read(images[i], given, 3), atol=1e-5)
        np.testing.assert_allclose(written[i], naive_write(patches[i], given, 6, 4), atol=1e-5)


def test_no_window_is_infinite():
    """Nor is what is read and written through it."""
    parameters = [[1e4, -1e4, -1e6, 1e6, 1e6], [0, 0, 1e6, -1e6, -1e6], [0, 1e6, -1e6, 0, 0]]
    place, *found = through(jnp.array(parameters), jnp.ones((3, *SHAPE)), jnp.ones((3, 3, 3, 2)))
    assert all(bool(jnp.isfinite(x).all()) for x in (*place, *found))
    assert place.variance[:2].tolist() == pytest.approx(np.exp([-MOST_LOG, MOST_LOG]), rel=1e-5)


def test_gradients_of_the_filters_are_finite_differences(x64):
    """Of a sum of what is read and written, by each parameter and each pixel."""
    image, patch = rng.normal(size=(1, 6, 4, 1)), rng.normal(size=(1, 3, 3, 1))
    shares = rng.normal(size=(1, 3, 3, 1)), rng.normal(size=(1, 6, 4, 1))
    parameters = rng.normal(0, 0.5, (1, 5))

    @jax.jit
    def total(parameters, image, patch):
        place = window(parameters, 6, 4, 3)
        return jnp.sum(shares[0] * read(image, place, 3)) + jnp.sum(
            shares[1] * write(patch, place, 6, 4)
        )

    given = (parameters, image, patch)
    for which, found in enumerate(jax.jit(jax.grad(total, argnums=(0, 1, 2)))(*given)):
        for at in np.ndindex(found.shape):
            step = np.zeros(found.shape)
            step[at] = 1e-6
            ends = [
                float(total(*(x + sign * step if i == which else x for i, x in enumerate(given))))
                for sign in (1, -1)
            ]
            wanted = (ends[0] - ends[1]) / 2e-6
            assert float(found[at]) == pytest.approx(wanted, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    "options", [{"classes": 3, "embedding_size": 2}, {"attention": "none"}], ids=str
)
def test_every_step_is_that_of_plain_numpy(options):
    model, images, labels = tiny(**options), zeros_and_ones(2), np.array([2, 0])
    drawn = noise(model, 2)
    found = infer(model, images, labels, drawn)
    canvases = draw(model, drawn, labels).canvases
    for i, label in enumerate(labels):
        wanted = naive_bound(model, images[i], label, drawn[:, i])
        for part, value in zip(found, wanted, strict=True):
            np.testing.assert_allclose(part[i], value, rtol=1e-4, atol=1e-5)
        naive = naive_drawing(model, label, drawn[:, i])
        np.testing.assert_allclose(canvases[:, i], naive, atol=1e-5)


def test_the_kl_is_the_mean_of_its_log_ratio():
    """With one step it does not depend on z, so that a Monte Carlo mean must come to it."""
    model = tiny((2, 2, 1), glimpses=1, latent_size=2)
    image = np.broadcast_to(zeros_and_ones(1, (2, 2, 1)), (40_000, 2, 2, 1))
    found = infer(model, image, np.zeros(len(image), int), noise(model, len(image)))
    drawn = -np.asarray(found.log_ratio)
    error = drawn.std() / len(drawn) ** 0.5
    assert error < 0.05 * found.kl[0]
    assert abs(drawn.mean() - found.kl[0]) < 4 * error


def test_the_bound_and_importance_weights_against_enumeration():
    """Two steps of one number each: ln p(x) of all 16 images of 2x2 pixels, by summing over z."""
    model = tiny((2, 2, 1), seed=3, scale=1.0, glimpses=2, latent_size=1)
    grid, spacing = np.linspace(-6, 6, 121, retstep=True)
    z = np.stack(np.meshgrid(grid, grid), axis=0).reshape(2, -1, 1)
    p = np.asarray(draw(model, z, np.zeros(z.shape[1], int)).canvases[-1], np.float64)
    prior = np.exp(-0.5 * (z[..., 0] ** 2).sum(axis=0)) / (2 * np.pi) * spacing**2
    images = np.array(list(np.ndindex((2,) * 4)), np.float32).reshape(16, 2, 2, 1)
    likelihood = [np.where(x == 1, p, 1 - p).prod(axis=(1, 2, 3)) for x in images]
    exact = np.array([prior @ one for one in likelihood])
    assert exact.sum() == pytest.approx(1, abs=1e-4)
    draws = 20_000
    for x, probability in zip(images[[0, 6, 13]], exact[[0, 6, 13]], strict=True):
        repeated = np.broadcast_to(x, (draws, *x.shape))
        found = infer(model, repeated, np.zeros(draws, int), noise(model, draws))
        log_weights = np.asarray(found.log_ratio - found.reconstruction, np.float64)
        bound = np.asarray(found.reconstruction + found.kl, np.float64)
        error = np.std(bound) / draws**0.5 + np.std(log_weights) / draws**0.5
        assert abs(bound.mean() + log_weights.mean()) < 4 * error  # one sample: the bound
        by_ten = np.logaddexp.reduce(log_weights.reshape(-1, 10), axis=1) - np.log(10)
        assert -np.log(probability) < -by_ten.mean() < bound.mean()
        weights = np.exp(log_weights)
        assert abs(weights.mean() - probability) < 4 * weights.std() / draws**0.5


def test_a_model_is_rebuilt_from_its_description():
    model = DrawModel.create(SHAPE, **SIZES, classes=3, embedding_size=2, cell="gru", seed=4)
    description = describe_model(model)
    again = jax.eval_shape(lambda: build_model(DrawModel, {**description}))
    assert describe_model(again) == description
    assert [x.shape for x in jax.tree.leaves(again)] == [x.shape for x in jax.tree.leaves(model)]
    assert len(backends(model)) == 2
    assert "next input depends on the state" in backends(model)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"glimpses": 0}, "glimpses must be a whole number of at least 1, got 0"),
        ({"attention": "soft"}, "attention must be one of selective, none, got soft"),
        ({"classes": 2, "embedding_size": 0}, "embedding_size must be a whole number"),
        ({"cell": "elman"}, "cell must be one of"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ConfigError, match=message):
        DrawModel.create(SHAPE, **{**SIZES, **options})
