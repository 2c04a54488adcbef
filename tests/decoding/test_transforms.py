"""Temperature, top-k and top-p against enumeration in NumPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unspool import ConfigError
from unspool.decoding import Temperature, TopK, TopP, make_transforms

V = 6
# Few distinct values, so that ties are common; multiples of ln 2 make exact probabilities.
logits = arrays(np.float32, (3, V), elements=st.sampled_from([-2.0, 0.0, 1.0, 1.5])).map(
    lambda exponents: exponents * np.float32(np.log(2))
)
top_k, top_p = jax.jit(lambda x, k: TopK(k)(x)), jax.jit(lambda x, p: TopP(p)(x))
quick = settings(max_examples=100, deadline=None, derandomize=True)


def in_order(row: np.ndarray) -> list[int]:
    """Ids from the largest logit to the smallest; of equal ones the smaller id first."""
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def keep(row: np.ndarray, ids: list[int]) -> np.ndarray:
    return np.array([x if i in ids else -np.inf for i, x in enumerate(row)], np.float32)


def nucleus(row: np.ndarray, p: float) -> list[int]:
    """Ids in order until their probabilities sum to at least p."""
    probabilities = np.exp(row.astype(np.float64))
    probabilities /= probabilities.sum()
    kept: list[int] = []
    for i in in_order(row):
        if probabilities[kept].sum() >= p - 1e-6:
            break
        kept.append(i)
    return kept


@quick
@given(x=logits, k=st.integers(1, V + 2))
def test_top_k_keeps_the_k_largest(x: np.ndarray, k: int):
    expected = np.array([keep(row, in_order(row)[:k]) for row in x])
    np.testing.assert_array_equal(top_k(x, k), expected)


@quick
@given(x=logits, p=st.floats(0.01, 0.999).map(lambda p: p + 1.234e-4))
def test_top_p_keeps_the_smallest_sufficient_set(x: np.ndarray, p: float):
    expected = np.array([keep(row, nucleus(row, p)) for row in x])
    np.testing.assert_array_equal(top_p(x, np.float32(p)), expected)


@pytest.mark.parametrize(("p", "kept"), [(0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (0.76, 4)])
def test_top_p_of_equal_probabilities_keeps_the_smaller_ids(p: float, kept: int):
    found = np.asarray(top_p(np.zeros((1, 4), np.float32), np.float32(p)))
    np.testing.assert_array_equal(np.isfinite(found), [[i < kept for i in range(4)]])


@pytest.mark.parametrize("p", [1e-38, 1e-30, 1e-6])
def test_top_p_always_keeps_a_token(p: float):
    found = np.asarray(TopP(jnp.float32(p))(jnp.array([[0.0, 1.0, 0.5]])))
    np.testing.assert_array_equal(np.isfinite(found), [[False, True, False]])


def test_temperature_divides():
    found = Temperature(jnp.float32(0.5))(jnp.array([[1.0, -2.0]]))
    np.testing.assert_array_equal(found, [[2.0, -4.0]])


def test_transforms_come_in_order_and_only_where_they_change_anything():
    assert [type(t) for t in make_transforms(0.7, 5, 0.9)] == [Temperature, TopK, TopP]
    assert make_transforms(1.0, None, 1.0) == make_transforms(0.0) == ()


def test_a_k_beyond_any_vocabulary_changes_nothing():
    x = np.array([[0.0, 2.0, 1.0]], np.float32)
    for transform in make_transforms(top_k=2**40):
        np.testing.assert_array_equal(transform(x), x)


def test_top_p_counts_the_probabilities_that_top_k_left():
    x = np.log(np.array([[0.4, 0.3, 0.2, 0.1]], np.float32))
    for transform in make_transforms(1.0, 2, 0.55):  # of two: 4/7, 3/7
        x = transform(x)
    np.testing.assert_array_equal(np.isfinite(x), [[True, False, False, False]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature must be at least 0, got -0.1"),
        ({"temperature": float("inf")}, "temperature must be finite, got inf"),
        ({"temperature": float("nan")}, "temperature must be finite, got nan"),
        ({"top_k": 0}, "top_k must be .*at least 1, got 0"),
        ({"top_p": 0}, "top_p must be above 0 and at most 1, got 0"),
        ({"top_p": 1.1}, "top_p must be above 0 and at most 1, got 1.1"),
        ({"top_p": float("nan")}, "top_p must be above 0 and at most 1, got nan"),
    ],
)
def test_arguments_that_break_a_rule_are_named(options: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        make_transforms(**options)
