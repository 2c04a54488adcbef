"""Attention: a decoder's query against a memory of vectors gives weights and a context."""

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells.init import uniform

_NEVER = -1e30  # a finite score, so that a row without any position gives no NaN


class Memory(NamedTuple):
    """What a decoder looks at: S positions a row, of which the first `lengths` are there."""

    keys: Float[Array, "B S A"]
    values: Float[Array, "B S F"]
    lengths: Int[Array, "B"]


class Attention(eqx.Module):
    """alpha_ts = softmax_s(score(q_t, k_s)),  c_t = sum_s alpha_ts v_s

    Keys need no query, so they are computed once a sequence; the score is the subclass's.
    """

    @abstractmethod
    def keys(self, values: Float[Array, "B S F"]) -> Float[Array, "B S A"]:
        """What queries are compared with."""

    @abstractmethod
    def scores(
        self, queries: Float[Array, "B Q H"], keys: Float[Array, "B S A"]
    ) -> Float[Array, "B Q S"]:
        """How well each position answers each query."""

    def remember(self, values: Float[Array, "B S F"], lengths: Int[Array, "B"]) -> Memory:
        """The memory of some vectors."""
        return Memory(self.keys(values), values, lengths)

    def __call__(
        self, queries: Float[Array, "B Q H"], memory: Memory
    ) -> tuple[Float[Array, "B Q F"], Float[Array, "B Q S"]]:
        """Contexts and weights; weights are zero at positions that are not there."""
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
        """As many units as a query has; uniform weights in +-1/sqrt(inputs)."""
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
        """Uniform weights in +-1/sqrt(F)."""
        return cls(uniform(key, (query_size, value_size), value_size))

    def keys(self, values: Float[Array, "B S F"]) -> Float[Array, "B S H"]:
        return values @ self.w_key.T

    def scores(
        self, queries: Float[Array, "B Q H"], keys: Float[Array, "B S H"]
    ) -> Float[Array, "B Q S"]:
        return jnp.einsum("bqh,bsh->bqs", queries, keys)
