"""Shared by classifiers and taggers: a sequence in, a vector for each step out."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..bidirectional import Bidirectional, run_cell
from ..cells import Cell, CreateCell, cell_factory, cell_name
from ..cells.base import check_sizes
from ..cells.init import embedding_table
from ..errors import ConfigError
from ..products import look_up
from ..unroll import check_batch, check_rates, locked_dropout


class Reader(eqx.Module):
    """Layers of cells over a whole sequence, each in one direction or in both.

    Inputs are token ids, bags of feature ids (whose embeddings are summed), or numbers. If a `key`
    is given, `dropout_tokens` sets whole steps of the input to zero, and `dropout` acts on the
    embeddings and on every layer's outputs, with one mask for all steps.
    """

    embedding: Float[Array, "V E"] | None
    layers: tuple[Cell | Bidirectional, ...]
    input_size: int = eqx.field(static=True)  # of the first layer
    dropout: float = eqx.field(static=True, default=0.0)
    dropout_tokens: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_rates(dropout=self.dropout, dropout_tokens=self.dropout_tokens)

    @classmethod
    def create(
        cls,
        *,
        vocab_size: int | None = None,
        input_size: int | None = None,
        embedding_size: int = 128,
        cell: str | CreateCell = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = True,
        layer_norm: bool = False,
        dropout: float = 0.0,
        dropout_tokens: float = 0.0,
        key: PRNGKeyArray,
    ) -> "Reader":
        """Create a reader of ids below `vocab_size`, or of vectors of `input_size` numbers."""
        if (vocab_size is None) == (input_size is None):
            raise ConfigError("give either vocab_size (ids) or input_size (numbers)")
        check_sizes(hidden_size=hidden_size, num_layers=num_layers, embedding_size=embedding_size)
        create = cell_factory(cell)
        k_embedding, *keys = jax.random.split(key, 1 + num_layers)
        embedding, size = None, input_size
        if vocab_size is not None:
            check_sizes(vocab_size=vocab_size)
            size = embedding_size
            embedding = embedding_table(k_embedding, vocab_size, embedding_size)
        assert size is not None
        layers: list[Cell | Bidirectional] = []
        for k_layer in keys:
            width = hidden_size * (1 + bidirectional) if layers else size
            parts = [
                create(width, hidden_size, layer_norm=layer_norm, key=k)
                for k in jax.random.split(k_layer, 2)[: 1 + bidirectional]
            ]
            layers.append(Bidirectional(*parts) if bidirectional else parts[0])
        return cls(embedding, tuple(layers), size, dropout, dropout_tokens)

    @property
    def output_size(self) -> int:
        """Return the size of each step's output."""
        return sum(cell.hidden_size for cell in cells_of(self.layers[-1]))

    @property
    def is_bidirectional(self) -> bool:
        """Say whether it reads in both directions."""
        return isinstance(self.layers[0], Bidirectional)

    def with_embedding(self, table: Float[Array, "V E"] | None) -> "Reader":
        """Return the reader with another table, which several networks may share."""
        return dataclasses.replace(self, embedding=table)

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the key."""
        cell = cells_of(self.layers[0])[0]
        return {
            "vocab_size": None if self.embedding is None else self.embedding.shape[0],
            "input_size": self.input_size if self.embedding is None else None,
            "embedding_size": 1 if self.embedding is None else self.input_size,
            "cell": cell_name(cell),
            "hidden_size": cell.hidden_size,
            "num_layers": len(self.layers),
            "bidirectional": self.is_bidirectional,
            "layer_norm": cell.has_layer_norm,
            "dropout": self.dropout,
            "dropout_tokens": self.dropout_tokens,
        }

    def __call__(
        self,
        inputs: Int[Array, "B T"] | Int[Array, "B T K"] | Float[Array, "B T D"],
        lengths: Int[Array, "B"],
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "T B F"], Float[Array, "B F"]]:
        """Return the last layer's outputs, time-major and zero in padding, and its last
        output(s).
        """
        check_batch(inputs.shape[0], (), lengths)
        k_tokens, k_inputs, *keys = _split(key, 2 + len(self.layers))
        x = self.embed(jnp.swapaxes(inputs, 0, 1))
        if k_tokens is not None and self.dropout_tokens:
            x = x * jax.random.bernoulli(k_tokens, 1 - self.dropout_tokens, (*x.shape[:2], 1))
        if self.embedding is not None:
            x = locked_dropout(x, self.dropout, k_inputs)
        for layer, k_layer in zip(self.layers, keys, strict=True):
            read = layer if isinstance(layer, Bidirectional) else _Forward(layer)
            x, last = read(x, lengths)
            x = locked_dropout(x, self.dropout, k_layer)
            last = locked_dropout(last[None], self.dropout, k_layer)[0]  # the same mask
        return x, last

    def embed(self, inputs: Array) -> Float[Array, "T B E"]:
        """Return what the first layer reads: embeddings, their sums for bags, or unchanged
        numbers.
        """
        if self.embedding is None:
            return inputs
        x = look_up(self.embedding, inputs)
        return jnp.sum(x, axis=2) if inputs.ndim == 3 else x


class _Forward(eqx.Module):
    cell: Cell

    def __call__(self, xs: Array, lengths: Array) -> tuple[Array, Array]:
        return run_cell(self.cell, xs, lengths)


def cells_of(layer: Cell | Bidirectional) -> tuple[Cell, ...]:
    """Return the one or two cells of a layer."""
    return (layer.forward, layer.backward) if isinstance(layer, Bidirectional) else (layer,)


def live(lengths: Int[Array, "B"], steps: int) -> Bool[Array, "T B"]:
    """Return True where a row's sequence has not ended."""
    return jnp.arange(steps)[:, None] < lengths


def _split(key: PRNGKeyArray | None, count: int) -> list[PRNGKeyArray | None]:
    return [None] * count if key is None else list(jax.random.split(key, count))
