"""What several test files share: random trees, comparison of trees, chi-square, small cells."""

import inspect
import textwrap
from collections.abc import Iterable
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


def slow(*values: Any) -> list[Any]:
    """The values as parameters whose tests are slow and rarely break: `make test-all` runs them."""
    return [
        pytest.param(*(v if isinstance(v, tuple) else (v,)), marks=pytest.mark.slow) for v in values
    ]


def mostly_slow(values: Iterable[Any], *quick: Any) -> list[Any]:
    """All values as parameters; all tests but those of the `quick` ones are slow."""
    return [value if value in quick else slow(value)[0] for value in values]


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
