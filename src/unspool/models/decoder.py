"""Decoders: generate a sequence from a condition, one token after the other."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .. import kernels
from ..cells import Cell, CreateCell, cell_factory, cell_name
from ..cells.base import check_sizes
from ..cells.init import embedding_table, uniform
from ..errors import ConfigError
from ..kernels.masks import live_steps, where_live
from ..products import affine, look_up
from ..unroll import Stack, check_rates, locked_dropout
from .attention import Additive, Memory, Multiplicative

ATTENTIONS = ("luong", "bahdanau", "none")
FIRST = "first"  # the vector is the first input only


class Condition(NamedTuple):
    """What a decoder is conditioned on: a vector per row and, with attention, a memory."""

    vector: Float[Array, "B F"]
    memory: Memory | None


class DecoderState(NamedTuple):
    """The cell states of R = B * K rows, K consecutive ones for each of B conditions."""

    cells: tuple[Any, ...]
    condition: Condition


class Step(NamedTuple):
    """The results of one time step, or of all: states, top outputs, contexts, weights."""

    cells: tuple[Any, ...]
    h: Float[Array, "*N H"]
    context: Float[Array, "*N F"]
    weights: Float[Array, "*N S"] | None


class Decoder(eqx.Module):
    """p(y_t | y_1..y_{t-1}, condition) = softmax(W_out r_t + b_out)

        s_0 = tanh(W_first v + b_first)              h of every layer; an LSTM's c starts at 0
        s_t = f(s_{t-1}, y_{t-1}, c)                 W_c c is added to the first cell's input
        r_t = tanh(W_r [s_t, c_t, y_{t-1}] + b_r)    deep output (Pascanu et al. 2014)

    With "first" in place of an attention there is no c: W_first v + b_first is an input of the
    cells before START, whose state is zero before it (Vinyals et al. 2015, arXiv 1411.4555).

    Otherwise c depends on the attention. "none": the vector v at every step (Cho et al. 2014).
    "bahdanau": c_t, the context of the query s_{t-1} (Bahdanau et al. 2015). "luong": the context
    c_t of the query s_t, for r_t alone; s_t sees no c (Luong et al. 2015 without input feeding), so
    that nothing in the loop waits for attention, and the time loop is that of a language model.

    `w_out` is None if the embedding replaces it (tied weights). If a `key` is given, `dropout` acts
    on embeddings, every layer's outputs and r_t, with one mask for all steps.
    """

    embedding: Float[Array, "V E"]
    cells: tuple[Cell, ...]
    attention: Additive | Multiplicative | None
    w_first: Float[Array, "L*H F"] | Float[Array, "E F"]
    b_first: Float[Array, "L*H"] | Float[Array, "E"]
    w_context: Float[Array, "P F"] | None
    w_readout: Float[Array, "E H+F+E"]
    b_readout: Float[Array, "E"]
    w_out: Float[Array, "V E"] | None
    b_out: Float[Array, "V"]
    dropout: float = eqx.field(static=True, default=0.0)

    def __check_init__(self) -> None:
        check_rates(dropout=self.dropout)

    @classmethod
    def create(
        cls,
        vocab_size: int,
        condition_size: int,
        *,
        cell: str | CreateCell = "gru",
        hidden_size: int = 256,
        num_layers: int = 1,
        embedding_size: int = 256,
        attention: str = "luong",
        tied: bool = True,
        dropout: float = 0.0,
        key: PRNGKeyArray,
    ) -> "Decoder":
        """Create a decoder of conditions of `condition_size` numbers (a vector, and each place of a
        memory).

        Raises ConfigError if an argument is invalid.
        """
        check_sizes(vocab_size=vocab_size, condition_size=condition_size, hidden_size=hidden_size)
        check_sizes(embedding_size=embedding_size, num_layers=num_layers)
        create = cell_factory(cell)
        k_table, k_look, k_first, k_context, k_readout, k_out, *keys = jax.random.split(
            key, 6 + num_layers
        )
        sizes = [embedding_size] + [hidden_size] * (num_layers - 1)
        cells = tuple(create(size, hidden_size, key=k) for size, k in zip(sizes, keys, strict=True))
        is_input = attention == FIRST
        inputs, seen = _projected_size(cells[0], embedding_size), 0 if is_input else condition_size
        width = hidden_size + seen + embedding_size
        firsts = embedding_size if is_input else num_layers * hidden_size
        return cls(
            embedding=embedding_table(k_table, vocab_size, embedding_size),
            cells=cells,
            attention=_attention(attention, hidden_size, condition_size, k_look),
            w_first=uniform(k_first, (firsts, condition_size), condition_size),
            b_first=jnp.zeros(firsts),
            w_context=None
            if attention in ("luong", FIRST)
            else uniform(k_context, (inputs, condition_size), hidden_size),
            w_readout=uniform(k_readout, (embedding_size, width), width),
            b_readout=jnp.zeros(embedding_size),
            w_out=None if tied else uniform(k_out, (vocab_size, embedding_size), embedding_size),
            b_out=jnp.zeros(vocab_size),
            dropout=dropout,
        )

    @property
    def vocab_size(self) -> int:
        return self.b_out.shape[0]

    @property
    def output_weights(self) -> Float[Array, "V E"]:
        return self.embedding if self.w_out is None else self.w_out

    @property
    def is_first(self) -> bool:
        """Say whether the vector is the first input."""
        return self.attention is None and self.w_context is None

    def describe(self) -> dict[str, Any]:
        """Return the arguments of `create` that belong to the decoder."""
        names = {Additive: "bahdanau", Multiplicative: "luong", type(None): "none"}
        return {
            "cell": cell_name(self.cells[0]),
            "hidden_size": self.cells[0].hidden_size,
            "num_layers": len(self.cells),
            "embedding_size": self.embedding.shape[1],
            "attention": FIRST if self.is_first else names[type(self.attention)],
            "tied": self.w_out is None,
            "dropout": self.dropout,
        }

    def start(self, condition: Condition) -> DecoderState:
        """Return the state before START: a row for each row of the condition."""
        first = affine(condition.vector, self.w_first, self.b_first)
        if self.is_first:
            zeros = tuple(cell.initial_state(len(first)) for cell in self.cells)
            state = DecoderState(zeros, condition)
            made = self._advance(self.cells[0].project(first), state)
            return state._replace(cells=made.cells)
        first = jnp.tanh(first)
        parts = jnp.split(first, len(self.cells), axis=-1)
        cells = tuple(cell.starting_state(h) for cell, h in zip(self.cells, parts, strict=True))
        return DecoderState(cells, condition)

    def step(
        self, tokens: Int[Array, "R"], state: DecoderState
    ) -> tuple[Float[Array, "R V"], DecoderState]:
        """Run one time step, for decoding: return logits of the next token, and the next state."""
        x = self.embedding[tokens]
        made = self._advance(self.cells[0].project(x), state)
        return self.logits(self._read_out(made, x)), state._replace(cells=made.cells)

    def __call__(
        self,
        tokens: Int[Array, "B T"],
        condition: Condition,
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, "B T E"]:
        """Return the readouts r_t of given tokens (teacher forcing); pass them to `logits` for
        scores.
        """
        return self.read(tokens, condition, lengths, key)[0]

    def read(
        self,
        tokens: Int[Array, "B T"],
        condition: Condition,
        lengths: Int[Array, "B"] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "B T E"], Float[Array, "B T S"] | None]:
        """Return the readouts, and how much each position of the memory counted for the token after
        each of them; None without attention.
        """
        keys = [None] * (2 + len(self.cells))
        k_in, k_out, *k_layers = keys if key is None else jax.random.split(key, len(keys))
        x = locked_dropout(look_up(self.embedding, tokens.T), self.dropout, k_in)
        made = self._run(self.cells[0].project(x), self.start(condition), lengths, k_layers)
        readouts = locked_dropout(self._read_out(made, x), self.dropout, k_out)
        weights = None if made.weights is None else jnp.swapaxes(made.weights, 0, 1)
        return jnp.swapaxes(readouts, 0, 1), weights

    @property
    def stepped_cells(self) -> tuple[Cell, ...]:
        """Return the cells whose next input depends on their state: all, if attention comes
        first.
        """
        return self.cells if self.looks_first else ()

    @property
    def looks_first(self) -> bool:
        """Say whether a step's input depends on the state before it, as with Bahdanau's
        attention.
        """
        return isinstance(self.attention, Additive)

    def contexts(self, projected: Float[Array, "T B P"], state: DecoderState) -> Array:
        """What each step of given inputs looks at before it, where it `looks_first`."""
        return self._scan(projected, state, None, [None] * len(self.cells)).context

    def logits(self, readouts: Float[Array, "*N E"]) -> Float[Array, "*N V"]:
        """Return W_out r + b_out."""
        return affine(readouts, self.output_weights, self.b_out)

    def _read_out(self, made: Step, x: Float[Array, "*N E"]) -> Float[Array, "*N E"]:
        parts = jnp.concatenate([made.h, made.context, x], axis=-1)
        return jnp.tanh(affine(parts, self.w_readout, self.b_readout))

    def _run(self, projected: Array, state: DecoderState, lengths: Any, keys: list[Any]) -> Step:
        """Run all time steps at once, time-major."""
        if isinstance(self.attention, Additive):
            return self._scan(projected, state, lengths, keys)
        condition = state.condition
        if self.w_context is not None:
            projected = projected + condition.vector @ self.w_context.T
        h, states = projected, []
        for layer, (cell, first, key) in enumerate(zip(self.cells, state.cells, keys, strict=True)):
            inputs = h if layer == 0 else cell.project(h)
            h, last = kernels.run(cell, inputs, first, lengths)
            h = locked_dropout(h, self.dropout, key)
            states.append(last)
        rows = jnp.swapaxes(h, 0, 1).reshape(-1, h.shape[-1])
        context, weights = self._look(rows, condition)
        return Step(tuple(states), h, _time_major(context, h), _time_major(weights, h))

    def _scan(self, projected: Array, state: DecoderState, lengths: Any, keys: list[Any]) -> Step:
        """Run step by step, for steps whose input depends on the state before."""
        ones = [jnp.ones((1, projected.shape[1], cell.hidden_size)) for cell in self.cells]
        masks = [
            None if key is None else locked_dropout(one, self.dropout, key)[0]
            for one, key in zip(ones, keys, strict=True)
        ]

        def step(cells: Any, x: Any) -> tuple[Any, Any]:
            p, live = x
            made = self._advance(p, state._replace(cells=cells), masks)
            return where_live(live, made.cells, cells), made[1:]

        steps = live_steps(lengths, len(projected))
        cells, made = jax.lax.scan(step, state.cells, (projected, steps))
        return Step(cells, *made)

    def _advance(
        self, projected: Array, state: DecoderState, masks: list[Any] | None = None
    ) -> Step:
        """Run one step of all layers, with attention before or after it."""
        context, weights = None, None
        if self.w_context is not None:
            query = self.cells[-1].output(state.cells[-1])
            context, weights = self._look(query, state.condition)
            projected = projected + context @ self.w_context.T
        h, cells = Stack(self.cells).step(projected, state.cells, masks=masks)
        if context is None:
            context, weights = self._look(h, state.condition)
        return Step(cells, h, context, weights)

    def _look(
        self, query: Float[Array, "R H"], condition: Condition
    ) -> tuple[Float[Array, "R F"], Float[Array, "R S"] | None]:
        rows, conditions = len(query), len(condition.vector)
        if self.is_first:
            return jnp.zeros((rows, 0)), None
        if self.attention is None:
            return jnp.repeat(condition.vector, rows // conditions, axis=0), None
        assert condition.memory is not None
        grouped = query.reshape(conditions, rows // conditions, -1)
        context, weights = self.attention(grouped, condition.memory)
        return context.reshape(rows, -1), weights.reshape(rows, -1)


def _projected_size(cell: Cell, input_size: int) -> int:
    """P, the numbers of the cell's input half."""
    inputs = jax.ShapeDtypeStruct((1, input_size), jnp.float32)  # type: ignore[no-untyped-call]
    return jax.eval_shape(cell.project, inputs).shape[-1]


def _time_major(rows: Any, h: Float[Array, "T B H"]) -> Any:
    """Reshape (B * T, ...) to (T, B, ...); None stays None."""
    steps, batch = h.shape[:2]
    return jax.tree.map(lambda x: jnp.swapaxes(x.reshape(batch, steps, -1), 0, 1), rows)


def shifted(ids: Int[Array, "B T"], start: Int[Array, ""] | int) -> Int[Array, "B T"]:
    """Return what a decoder has read before each of these tokens: START, then all but the last."""
    first = jnp.full((ids.shape[0], 1), start, ids.dtype)
    return jnp.concatenate([first, ids[:, :-1]], axis=1)


def _attention(
    name: str, query_size: int, value_size: int, key: PRNGKeyArray
) -> Additive | Multiplicative | None:
    if name in ("none", FIRST):
        return None
    if name not in ATTENTIONS:
        raise ConfigError(f"attention must be one of {', '.join(ATTENTIONS)}, got {name!r}")
    kind = Additive if name == "bahdanau" else Multiplicative
    return kind.create(query_size, value_size, key)
