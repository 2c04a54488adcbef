"""Products over all steps: the library's gradients equal XLA's, for drawn shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import needs_library

import unspool
from unspool.products import affine, look_up

sizes = st.integers(1, 70)


def close(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * (np.abs(b).max(initial=0.1)))


def draw(rng, *shape):
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


@needs_library
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), sizes, sizes, st.integers(0, 99))
def test_affine_and_its_gradients(leading, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    x, d = draw(rng, *leading, inputs), draw(rng, *leading, outputs)
    weights, bias = draw(rng, outputs, inputs), draw(rng, outputs)
    y, transpose = jax.vjp(affine, x, weights, bias)
    plain, plain_transpose = jax.vjp(lambda x, w, b: x @ w.T + b, x, weights, bias)
    close(y, plain)
    close(transpose(d), plain_transpose(d))


@needs_library
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=3), sizes, sizes, st.integers(0, 99))
def test_look_up_and_its_gradient(leading, entries, columns, seed):
    rng = np.random.default_rng(seed)
    table, d = draw(rng, entries, columns), draw(rng, *leading, columns)
    ids = jnp.asarray(rng.integers(0, entries, leading))
    rows, transpose = jax.vjp(lambda t: look_up(t, ids), table)
    plain, plain_transpose = jax.vjp(lambda t: t[ids], table)
    np.testing.assert_array_equal(rows, plain)
    close(transpose(d), plain_transpose(d))


@needs_library
def test_large_ones_on_several_threads():
    rng = np.random.default_rng(0)
    x, d = draw(rng, 3000, 130), draw(rng, 3000, 75)
    weights, bias = draw(rng, 75, 130), draw(rng, 75)
    ids = jnp.asarray(rng.integers(0, 40, 3000))
    close(
        jax.vjp(affine, x, weights, bias)[1](d),
        jax.vjp(lambda x, w, b: x @ w.T + b, x, weights, bias)[1](d),
    )
    close(
        jax.vjp(lambda t: look_up(t, ids), d[:40])[1](d),
        jax.vjp(lambda t: t[ids], d[:40])[1](d),
    )


@needs_library
def test_a_few_columns_of_many_need_no_copy_of_the_matrix():
    cell = unspool.LSTM.create(300, 8, key=jax.random.key(0))
    few, many = (str(jax.make_jaxpr(cell.project)(jnp.zeros(n, int))) for n in (299, 301))
    assert "ffi_call" not in few  # its table would be the matrix, transposed in memory
    assert "ffi_call" in many
    ids = jnp.arange(301) % 300
    close(cell.project(ids)[:299], cell.project(ids[:299]))


@needs_library
def test_an_id_outside_of_the_table_reads_nan_and_gives_no_gradient():
    table, ids = jnp.ones((3, 5)), jnp.array([2, 3, -1, 0])
    rows, transpose = jax.vjp(lambda t: look_up(t, ids), table)
    np.testing.assert_array_equal(np.isnan(rows).all(1), [False, True, True, False])
    np.testing.assert_array_equal(transpose(jnp.ones((4, 5)))[0][:, 0], [1, 0, 1])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_other_types_go_to_xla(dtype):
    table, ids = jnp.ones((3, 4), dtype), jnp.array([2, 0])
    assert look_up(table, ids).dtype == dtype
    assert affine(table, table, jnp.zeros(3, dtype)).dtype == dtype


@needs_library
def test_not_a_number_comes_through():
    x = jnp.ones((300, 4)).at[7, 2].set(jnp.nan)
    weights, bias = jnp.ones((3, 4)), jnp.zeros(3)
    _, d_weights, d_bias = jax.vjp(affine, x, weights, bias)[1](jnp.ones((300, 3)))
    assert np.isnan(d_weights[:, 2]).all()
    assert np.isfinite(d_weights[:, [0, 1, 3]]).all()
    assert np.isfinite(d_bias).all()


@needs_library
def test_under_vmap():
    rng = np.random.default_rng(0)
    x, weights, bias = draw(rng, 2, 6, 4), draw(rng, 2, 3, 4), draw(rng, 2, 3)
    gradient = jax.grad(lambda x, w, b: jnp.sum(affine(x, w, b) ** 2), argnums=(0, 1, 2))
    plain = jax.grad(lambda x, w, b: jnp.sum((x @ w.T + b) ** 2), argnums=(0, 1, 2))
    close(jax.vmap(gradient)(x, weights, bias), jax.vmap(plain)(x, weights, bias))
