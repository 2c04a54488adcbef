"""What several test files share: random trees, comparison of trees, chi-square, small cells."""

import inspect
import textwrap
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy.special import chdtrc

import unspool
from unspool import library
from unspool.cells import CELLS, Cell

KINDS = tuple(CELLS)
# Warnings of processes that tests start are errors, as in tests (pyproject.toml).
WARNINGS = ("-W", "error", "-W", "ignore:Error reading persistent compilation cache entry")
needs_library = pytest.mark.skipif(library.why_not() is not None, reason=str(library.why_not()))


def random_like(tree: Any, seed: int, scale: float = 0.5) -> Any:
    """The tree with normal random numbers in place of its arrays (zeros and ones hide errors).

    Shapes are enough: a tree out of `jax.eval_shape` saves the time to compile its creation.
    """
    draw = np.random.default_rng(seed).normal
    # device_put compiles nothing; jnp.asarray compiles a program for every shape.
    return jax.tree.map(
        lambda leaf: jax.device_put(draw(0, scale, leaf.shape).astype(leaf.dtype)), tree
    )


def random_cell(kind: str, inputs: int, hidden: int, *, layer_norm: bool = False) -> Cell:
    """A cell none of whose weights, biases or gains has its initial value."""
    create = partial(CELLS[kind].create, inputs, hidden, layer_norm=layer_norm)
    return random_like(jax.eval_shape(lambda: create(key=jax.random.key(0))), seed=1)


def printed(done: Any) -> list[str]:
    """The lines that a command printed, which went well and complained of nothing."""
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def inner(a: Any, b: Any) -> Array:
    """The sum of all products of matching elements."""
    return sum(jnp.sum(x * y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def assert_close(actual: Any, expected: Any, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Equal structure; every leaf equal within the tolerances, named if it is not."""
    found, structure = jax.tree_util.tree_flatten_with_path(actual)
    assert structure == jax.tree.structure(expected)
    for (path, leaf), wanted in zip(found, jax.tree.leaves(expected), strict=True):
        name = jax.tree_util.keystr(path)
        np.testing.assert_allclose(leaf, wanted, rtol=rtol, atol=atol, err_msg=name)


def assert_equal(actual: Any, expected: Any) -> None:
    """The same bits in every leaf."""
    assert_close(actual, expected, rtol=0, atol=0)


def chi_square_p(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """Pearson's test: how probable counts are that deviate at least as much as these.

    Impossible outcomes must not occur at all, else the answer is 0.
    """
    possible = probabilities > 0
    if counts[~possible].any():
        return 0.0
    expected = counts.sum() * probabilities[possible]
    statistic = np.sum((counts[possible] - expected) ** 2 / expected)
    return float(chdtrc(possible.sum() - 1, statistic))


def docstring_cell() -> type[Cell]:
    """LeakyCell, exactly as the docstring of `Cell` shows it to the reader."""
    lines = inspect.cleandoc(Cell.__doc__).split("\n")  # as Python 3.13 and before keep it
    begin = next(i for i, line in enumerate(lines) if line.lstrip().startswith("class LeakyCell"))
    source = textwrap.dedent("\n".join(lines[begin:]))
    names = {"unspool": unspool, "eqx": eqx, "jnp": jnp, "Array": Array, "__name__": "docstring"}
    exec(source, names)
    return names["LeakyCell"]


LeakyCell = docstring_cell()


def create_leaky(inputs: int, hidden: int, *, layer_norm: bool = False, key: Array) -> Cell:
    """The function by which a model creates a custom cell."""
    k_in, k_hid = jax.random.split(key)
    return LeakyCell(
        w_in=jax.random.normal(k_in, (inputs, hidden)),
        w_hid=0.5 * jax.random.normal(k_hid, (hidden, hidden)),
        leak=0.3,
        hidden_size=hidden,
    )


class OwnCell(LeakyCell):
    """LeakyCell with what draws it, so that it can be named: `tests.support:OwnCell`."""

    @classmethod
    def create(cls, input_size: int, hidden_size: int, *, key: Array) -> Cell:
        leaky = create_leaky(input_size, hidden_size, key=key)
        return cls(leaky.w_in, leaky.w_hid, leaky.leak, leaky.hidden_size)


OWN = "tests.support:OwnCell"


class PlainGRU(Cell):
    """The GRU's equations as somebody would write them: three methods, a state that is an array."""

    w_x: Array
    w_h: Array
    b: Array
    b_n: Array
    hidden_size: int = eqx.field(static=True)

    @classmethod
    def create(cls, input_size: int, hidden_size: int, *, key: Array) -> Cell:
        gru = unspool.GRU.create(input_size, hidden_size, key=key)
        return cls(gru.w_ih, gru.w_hh, gru.bias, gru.b_hn, hidden_size)

    def initial_state(self, batch: int) -> Array:
        return jnp.zeros((batch, self.hidden_size))

    def project(self, x: Array) -> Array:
        return x @ self.w_x.T + self.b

    def step(self, h: Array, projected: Array) -> Array:
        p_r, p_z, p_n = jnp.split(projected, 3, axis=-1)
        a_r, a_z, a_n = jnp.split(h @ self.w_h.T, 3, axis=-1)
        r, z = jax.nn.sigmoid(p_r + a_r), jax.nn.sigmoid(p_z + a_z)
        n = jnp.tanh(p_n + r * (a_n + self.b_n))
        return (1 - z) * n + z * h
