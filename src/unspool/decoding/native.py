"""Sample with the native kernel: pack a language model, and sample a block of tokens."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ..cells import GRU, LSTM, RNN, Cell
from ..kernels import NATIVE, backend_of
from ..kernels import sampling as kernel
from ..models.language import LanguageModel
from .transforms import Temperature, TopK, TopP, Transform

KNOWN: tuple[type[Cell], ...] = (RNN, GRU, LSTM)  # to native/sampling.cc, by number of gates
LARGEST_TABLE = 2**22  # numbers; for larger tables, embeddings are multiplied at every step


def why_not(model: LanguageModel) -> str | None:
    """Say why the kernel cannot run the model; None if it can."""
    kinds: set[type] = {type(cell) for cell in model.stack.cells}
    if len(kinds) > 1:
        return "layers of different cells"
    backends = [backend_of(cell) for cell in model.stack.cells]
    reasons = [backend.reason for backend in backends if backend.name != NATIVE]
    if not reasons and kinds.isdisjoint(KNOWN):
        return "a cell that the kernel does not know"
    return next(iter(reasons), None)


def pack_model(model: LanguageModel, weights: str) -> kernel.Network:
    """Pack the model for the kernel, with matrices stored as `weights`."""
    cells: Any = model.stack.cells
    gates = len(cells[0].w_hh) // cells[0].hidden_size
    table, is_projected = _table(model, weights)
    sizes = [(cell.w_ih.shape[1], cell.hidden_size) for cell in cells]
    if is_projected:
        sizes[0] = (0, sizes[0][1])
    w_out, out_scale = kernel.pack_matrix(model.output_weights, 1, weights)
    return kernel.Network(
        table=table,
        layers=tuple(
            _pack_layer(cell, gates, weights, inputs > 0)
            for cell, (inputs, _) in zip(cells, sizes, strict=True)
        ),
        w_out=w_out,
        out_scale=out_scale,
        b_out=model.b_out,
        gates=gates,
        sizes=tuple(sizes),
    )


def _table(model: LanguageModel, weights: str) -> tuple[Array, bool]:
    """Return the first cell's projected input for every token, or its embedding if that is too
    much.
    """
    cell: Any = model.stack.cells[0]
    if model.embedding is None:
        return jnp.asarray(np.asarray(cell.w_ih).T + np.asarray(cell.bias)), True
    if model.vocab_size * len(cell.bias) > LARGEST_TABLE:
        return model.embedding, False
    w_ih = np.asarray(kernel.round_matrix(cell.w_ih, weights))
    return jnp.asarray(np.asarray(model.embedding) @ w_ih.T + np.asarray(cell.bias)), True


def _pack_layer(cell: Any, gates: int, weights: str, has_inputs: bool) -> kernel.Layer:
    none = jnp.zeros(0)
    w_hh, hh_scale = kernel.pack_matrix(cell.w_hh, gates, weights)
    w_ih, ih_scale, bias = none.astype(w_hh.dtype), none, none
    if has_inputs:
        w_ih, ih_scale = kernel.pack_matrix(cell.w_ih, gates, weights)
        bias = cell.bias
    return kernel.Layer(w_ih, ih_scale, bias, w_hh, hh_scale, getattr(cell, "b_hn", none))


@partial(jax.jit, static_argnames="greedy")
def sample_block(
    network: kernel.Network,
    state: tuple[Any, ...],
    tokens: Int[Array, "B"],
    chosen: Int[Array, ""],
    given: Int[Array, "T"],
    steps: Int[Array, ""],
    transforms: tuple[Transform, ...],
    keys: Array,
    *,
    greedy: bool,
) -> tuple[Any, Int[Array, "B"], Int[Array, ""], Int[Array, "B T"]]:
    """Sample `steps` tokens as the compiled loop would: the same choices, from the same noise."""
    is_chosen = (given < 0).astype(jnp.int32)
    noise = None
    if not greedy:
        numbers = chosen + jnp.cumsum(is_chosen) - is_chosen
        noise = _gumbel(keys, numbers, network.b_out.shape[0])
    states = [(s.h, getattr(s, "c", jnp.zeros((len(tokens), 0)))) for s in state]
    block, new = kernel.sample(network, tokens, states, given, steps, noise, _rule(transforms))
    state = tuple(
        type(s)(h, c) if hasattr(s, "c") else type(s)(h)
        for s, (h, c) in zip(state, new, strict=True)
    )
    live = jnp.arange(len(given)) < steps
    return state, block[:, steps - 1], chosen + jnp.sum(is_chosen * live), block


def _gumbel(keys: Array, numbers: Int[Array, "T"], vocab_size: int) -> Array:
    """Return what jax.random.categorical adds to the logits, for each token number and row."""

    def one(number: Array, key: Array) -> Array:
        return jax.random.gumbel(jax.random.fold_in(key, number), (vocab_size,))

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(numbers, keys)


def _rule(transforms: tuple[Transform, ...]) -> kernel.Rule:
    """Convert the transforms of `make_transforms` to numbers."""
    rule = kernel.Rule(jnp.float32(1), jnp.int32(2**31 - 1), jnp.float32(1))
    for transform in transforms:
        if isinstance(transform, Temperature):
            rule = rule._replace(temperature=transform.temperature)
        elif isinstance(transform, TopK):
            rule = rule._replace(top_k=transform.k)
        elif isinstance(transform, TopP):
            rule = rule._replace(top_p=transform.p)
    return rule
