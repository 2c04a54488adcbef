"""Attention: weights and a context from a decoder's query and a memory of vectors."""

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells.init import uniform

_NEVER = -1e30  # a finite score, so that a row without positions does not give NaN


class Memory(NamedTuple):
    """What a decoder attends to: S positions per row, of which the first `lengths` are real."""

    keys: Float[Array, "B S A"]
    values: Float[Array, "B S F"]
    lengths: Int[Array, "B"]


class Attention(eqx.Module):
    """alpha_ts = softmax_s(score(q_t, k_s)),  c_t = sum_s alpha_ts v_s

    Keys need no query, so they are computed once per sequence; subclasses define the score.
    """

    @abstractmethod
    def keys(self, values: Float[Array, "B S F"]) -> Float[Array, "B S A"]:
        """Compute the keys that queries are compared with."""

    @abstractmethod
    def scores(
        self, queries: Float[Array, "B Q H"], keys: Float[Array, "B S A"]
    ) -> Float[Array, "B Q S"]:
        """Score each position for each query."""

    def remember(self, values: Float[Array, "B S F"], lengths: Int[Array, "B"]) -> Memory:
        """Make a memory of vectors."""
        return Memory(self.keys(values), values, lengths)

    def __call__(
        self, queries: Float[Array, "B Q H"], memory: Memory
    ) -> tuple[Float[Array, "B Q F"], Float[Array, "B Q S"]]:
        """Return contexts and weights; weights are zero at padded positions."""
        scores = self.scores(queries, memory.keys)
        there = jnp.arange(scores.shape[-1]) < memory.lengths[:, None, None]
        weights = jax.nn.softmax(jnp.where(there, scores, _NEVER), axis=-1)
        return weights @ memory.values, weights


class Additive(Attention):
    """score(q, k_s) = v^T tanh(W_q q + W_k v_s + b)  (Bahdanau et al. 2015, arXiv 1409.0473,
    without b)
    """

    w_query: Float[Array, "A H"]
    w_key: Float[Array, "A F"]
    bias: Float[Array, "A"]
    v: Float[Array, "A"]

    @classmethod
    def create(cls, query_size: int, value_size: int, key: PRNGKeyArray) -> "Additive":
        """Initialise with as many units as a query has; uniform weights in +-1/sqrt(inputs)."""
        k_query, k_key, k_v = jax.random.split(key, 3)
        size = query_size
        return cls(
            w_query=uniform(k_query, (size, query_size), query_size),
            w_key=uniform(k_key, (size, value_size), value_size),
            bias=jnp.zeros(size),
            v=uniform(k_v, (size,), size),
        )

    def keys(self, values: Float[Array, "B S F"]) -> Float[Array, "B S A"]:
        return values @ self.w_key.T + self.bias

    def scores(
        self, queries: Float[Array, "B Q H"], keys: Float[Array, "B S A"]
    ) -> Float[Array, "B Q S"]:
        summed = (queries @ self.w_query.T)[:, :, None] + keys[:, None]
        return jnp.sum(jnp.tanh(summed) * self.v, axis=-1)


class Multiplicative(Attention):
    """score(q, k_s) = q^T W v_s, "general" in Luong et al. 2015 (arXiv 1508.04025)."""

    w_key: Float[Array, "H F"]

    @classmethod
    def create(cls, query_size: int, value_size: int, key: PRNGKeyArray) -> "Multiplicative":
        """Initialise with uniform weights in +-1/sqrt(F)."""
        return cls(uniform(key, (query_size, value_size), value_size))

    def keys(self, values: Float[Array, "B S F"]) -> Float[Array, "B S H"]:
        return values @ self.w_key.T

    def scores(
        self, queries: Float[Array, "B Q H"], keys: Float[Array, "B S H"]
    ) -> Float[Array, "B Q S"]:
        return jnp.einsum("bqh,bsh->bqs", queries, keys)
