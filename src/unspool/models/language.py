"""Language models: predict the next token from all tokens before it."""

from collections.abc import Sized
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..cells import Cell, CreateCell, cell_factory, cell_name
from ..cells.base import check_sizes
from ..cells.init import embedding_table, random_key, uniform
from ..errors import ConfigError
from ..products import affine, look_up
from ..unroll import Stack, check_batch, check_rates


class LanguageModel(eqx.Module):
    """p(x_{t+1} | x_1..x_t) = softmax(W_out h_t + b_out), h_t from a stack of cells.

    Without an `embedding`, token ids index the columns of the first cell's input weights, which is
    equivalent to one-hot inputs. With one, they index its rows. `w_out` is None if input and output
    weights are tied (Press and Wolf 2017): the embedding then replaces it.

    `dropout_embedding` drops whole tokens of the vocabulary for a call (Gal and Ghahramani 2016).
    Dropout acts only if `key` is given.
    """

    kind: ClassVar[str] = "language"

    embedding: Float[Array, "V E"] | None
    stack: Stack
    w_out: Float[Array, "V H"] | None
    b_out: Float[Array, "V"]
    dropout_embedding: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_rates(dropout_embedding=self.dropout_embedding)

    @classmethod
    def create(
        cls,
        vocab_size: int | Sized,
        *,
        cell: str | CreateCell = "lstm",
        hidden_size: int = 256,
        num_layers: int = 1,
        embedding_size: int | None = None,
        tied: bool = False,
        layer_norm: bool = False,
        dropout: float = 0.0,
        dropout_embedding: float = 0.0,
        weight_drop: float = 0.0,
        seed: int = 0,
    ) -> "LanguageModel":
        """Create a model for a vocabulary, given itself or by its size.

        `cell` is "rnn", "lstm", "gru", or for a custom cell its class, a function `(input_size,
        hidden_size, *, key) -> Cell`, or "package.module:Class". Without an `embedding_size` a
        custom cell reads one-hot vectors, unless it `takes_token_ids`. Raises ConfigError if an
        argument is invalid.
        """
        if isinstance(vocab_size, Sized):
            vocab_size = len(vocab_size)
        check_sizes(vocab_size=vocab_size, hidden_size=hidden_size, num_layers=num_layers)
        _check_embedding(embedding_size, hidden_size, tied)
        create_cell = cell_factory(cell)
        k_embedding, k_out, *k_cells = jax.random.split(random_key(seed), 2 + num_layers)
        sizes = [embedding_size or vocab_size] + [hidden_size] * (num_layers - 1)
        cells = tuple(
            create_cell(size, hidden_size, layer_norm=layer_norm, key=key)
            for size, key in zip(sizes, k_cells, strict=True)
        )
        if embedding_size is None:
            cells = (_indexed(cells[0], k_embedding), *cells[1:])
        return cls(
            embedding=_embedding(k_embedding, vocab_size, embedding_size),
            stack=Stack(cells, dropout=dropout, weight_drop=weight_drop),
            w_out=None if tied else uniform(k_out, (vocab_size, hidden_size), hidden_size),
            b_out=jnp.zeros(vocab_size),
            dropout_embedding=dropout_embedding,
        )

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` except the seed."""
        cell = self.stack.cells[0]
        return {
            "cell": cell_name(cell),
            "vocab_size": self.vocab_size,
            "hidden_size": cell.hidden_size,
            "num_layers": len(self.stack.cells),
            "embedding_size": None if self.embedding is None else self.embedding.shape[1],
            "tied": self.w_out is None,
            "layer_norm": cell.has_layer_norm,
            "dropout": self.stack.dropout,
            "dropout_embedding": self.dropout_embedding,
            "weight_drop": self.stack.weight_drop,
        }

    @property
    def vocab_size(self) -> int:
        return self.b_out.shape[0]

    @property
    def output_weights(self) -> Float[Array, "V H"]:
        weights = self.embedding if self.w_out is None else self.w_out
        assert weights is not None  # `create` ties weights only to an embedding
        return weights

    def initial_state(self, batch: int) -> Any:
        """Return the state before any input: one state per layer, leaves of shape (B, ...)."""
        check_sizes(batch=batch)
        return self.stack.initial_state(batch)

    def __call__(
        self,
        tokens: Int[Array, "B T"],
        state: Any,
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "B T V"], Any]:
        """Return logits of the next token at every step, and the state after the last one."""
        hidden, state = self.hidden(tokens, state, lengths, key)
        return self.logits(hidden), state

    def hidden(
        self,
        tokens: Int[Array, "B T"],
        state: Any,
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "B T H"], Any]:
        """Return the last layer's outputs at every step, and the state after the last one."""
        check_batch(tokens.shape[0], state, lengths)
        if len(state) != len(self.stack.cells):
            raise ConfigError(
                f"state must have one entry for each of {len(self.stack.cells)} layers, "
                f"got {len(state)}: start from initial_state({tokens.shape[0]})"
            )
        k_embedding, k_stack = (None, None) if key is None else jax.random.split(key)
        projected = self.project(tokens.T, k_embedding)
        outputs, state = self.stack(projected, state, lengths, k_stack)
        return jnp.swapaxes(outputs, 0, 1), state

    def step(self, tokens: Int[Array, "B"], state: Any) -> tuple[Float[Array, "B V"], Any]:
        """Run one time step, for sampling: return logits of the next token and the next state."""
        hidden, state = self.hidden_step(tokens, state)
        return self.logits(hidden), state

    def hidden_step(
        self, tokens: Int[Array, "B"], state: Any, added: Any = None
    ) -> tuple[Float[Array, "B H"], Any]:
        """Return the last layer's output of one time step, and the next state; `added` as in
        `Stack`.
        """
        return self.stack.step(self._project_one(tokens), state, added=added)

    def logits(self, hidden: Float[Array, "*N H"]) -> Float[Array, "*N V"]:
        """Return W_out h + b_out."""
        return affine(hidden, self.output_weights, self.b_out)

    def project(self, tokens: Int[Array, "T B"], key: PRNGKeyArray | None = None) -> Array:
        """Compute the first cell's input half, by indexing a table if that is less work."""
        cell = self.stack.cells[0]
        keep = self._kept_tokens(key)
        if self.embedding is None:
            return _project_tokens(cell, tokens, self.vocab_size, keep)
        embedding = self.embedding if keep is None else self.embedding * keep[:, None]
        if self.vocab_size < tokens.size:
            return look_up(cell.project(embedding), tokens)
        return cell.project(look_up(embedding, tokens))

    def _project_one(self, tokens: Int[Array, "B"]) -> Float[Array, "B P"]:
        cell = self.stack.cells[0]
        if self.embedding is None:
            return _project_tokens(cell, tokens, self.vocab_size)
        return cell.project(self.embedding[tokens])

    def _kept_tokens(self, key: PRNGKeyArray | None) -> Float[Array, "V"] | None:
        if key is None or self.dropout_embedding == 0:
            return None
        keep = 1 - self.dropout_embedding
        return jax.random.bernoulli(key, keep, (self.vocab_size,)) / keep


def _project_tokens(
    cell: Cell, tokens: Int[Array, "*N"], size: int, keep: Float[Array, "V"] | None = None
) -> Float[Array, "*N P"]:
    """The cell's input half of token ids, or of one-hot vectors for a cell that takes no ids.

    Inputs of the token v are multiplied by `keep[v]`.
    """
    if not cell.takes_token_ids:
        if size < tokens.size:
            table = jnp.eye(size) if keep is None else jnp.diag(keep)
            return look_up(cell.project(table), tokens)
        one_hot = jax.nn.one_hot(tokens, size)
        return cell.project(one_hot if keep is None else one_hot * keep)
    if keep is None:
        return cell.project(tokens)
    if not cell.input_weights:
        raise ConfigError(
            "dropout_embedding needs an embedding_size or a cell that says its input_weights, "
            f"got {type(cell).__name__} without an embedding"
        )
    dropped = eqx.tree_at(lambda c: c.input_weights, cell, replace_fn=lambda w: w * keep)
    return dropped.project(tokens)


def _indexed(cell: Cell, key: PRNGKeyArray) -> Cell:
    """Return the cell with input weights in +-1: an id picks one column, so nothing is summed."""
    if not cell.input_weights:
        return cell
    return eqx.tree_at(
        lambda c: c.input_weights, cell, replace_fn=lambda w: uniform(key, w.shape, fan=1)
    )


def _embedding(key: PRNGKeyArray, vocab_size: int, size: int | None) -> Array | None:
    return None if size is None else embedding_table(key, vocab_size, size)


def _check_embedding(embedding_size: int | None, hidden_size: int, tied: bool) -> None:
    if embedding_size is not None:
        check_sizes(embedding_size=embedding_size)
    if tied and embedding_size != hidden_size:
        raise ConfigError(
            f"tied weights need embedding_size equal to hidden_size ({hidden_size}), "
            f"got {embedding_size}"
        )
