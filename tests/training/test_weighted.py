"""Masked sums and means, of which every task's loss is made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unspool.training.task import weighted_mean, weighted_sum

VALUES = jnp.array([[2.0, jnp.nan, 4.0], [jnp.inf, 10.0, -jnp.inf]])
REAL = jnp.array([[True, False, True], [False, True, False]])
WEIGHTS = jnp.array([[0.5, 0.0, 1.0], [0.0, 2.5, 0.0]])


@pytest.mark.parametrize(
    ("weights", "total", "mean"), [(REAL, 16, 16 / 3), (WEIGHTS, 30, 7.5)], ids=["mask", "weights"]
)
def test_what_has_weight_0_counts_nothing(weights, total, mean):
    assert float(weighted_sum(VALUES, weights)) == total
    assert float(weighted_mean(VALUES, weights)) == pytest.approx(mean, rel=1e-6)


def test_sums_along_an_axis():
    np.testing.assert_array_equal(weighted_sum(VALUES, REAL, axis=1), [6, 10])


@pytest.mark.parametrize("weights", [REAL, WEIGHTS], ids=["mask", "weights"])
def test_gradients_are_the_weights_shares_and_0_elsewhere(weights):
    found = jax.grad(weighted_mean)(VALUES, weights)
    np.testing.assert_allclose(found, weights / weights.sum(), rtol=1e-6)
