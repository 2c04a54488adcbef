"""One pass over a sequence that shows every state and gate of every layer."""

from collections.abc import Callable, Iterator
from functools import singledispatch
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import kernels, library
from ..bidirectional import Bidirectional
from ..cells import Cell
from ..errors import ConfigError, DataError
from ..models.attention import Additive
from ..models.classifier import Classifier
from ..models.decoder import Decoder, DecoderState
from ..models.generator import Generator
from ..models.glimpse import GlimpseClassifier
from ..models.language import LanguageModel
from ..models.reader import Reader
from ..models.tagger import Tagger
from ..models.translator import Translator
from ..products import look_up

BLOCK = 8192  # steps in one call of the compiled program
LEAST = 64
ORDER = "hcifgorzn"

Quantities = dict[str, np.ndarray]


class Block(NamedTuple):
    """A stretch of a traced sequence.

    `layers[l]["h"]` is a float32 array (T, H); `start` is the place of its first token, `state`
    the model's state after its last one, from which tracing can go on.
    """

    start: int
    layers: list[Quantities]
    state: Any


class Layers(NamedTuple):
    """The cells of a model, and the first one's summed inputs (T, 1, P), or plain inputs where it
    reads in both directions.
    """

    projected: Array
    cells: tuple[Cell | Bidirectional, ...]
    state: Any  # of the cells, one a layer


Prepare = Callable[[Any, Array, Any], Layers]


def trace_model(
    model: Any, inputs: np.ndarray, *, state: Any = None, block: int = BLOCK
) -> Iterator[Block]:
    """Every state and gate of every layer, step by step, in blocks of at most `block` steps.

    One sequential pass in float32 with the state carried, batch 1, by the kernels of training
    and without dropout. Quantities: an RNN's h; an LSTM's h, c, i, f, g, o; a GRU's h, r, z, n;
    of a cell of your own every array of its state, and its `gates`. `inputs` and `state` are

    - LanguageModel: token ids (T,), and a state as of `initial_state(1)`, the default
    - Generator: the same, but the state is needed: `model.initial_state(jnp.array([label]))`
    - Classifier, Tagger, Reader: ids (T,), bags of ids (T, K) or numbers (T, D); no state
    - Translator: ids (S,) of a sentence, which its encoder reads; no state
    - Decoder: token ids (T,) it reads, START first, and the state of `start(condition)`
    - GlimpseClassifier: an image as (H, W * C); a step is a glimpse

    A layer in both directions has the forward cell's units first; as its second cell starts at
    the end, such a model gives one block. Raises ConfigError, and DataError for no inputs.

        for block in trace_model(run.model, run.vocab.encode(text)):
            print(block.layers[0]["h"].shape)
    """
    inputs = np.asarray(inputs)
    if len(inputs) == 0:
        raise DataError("there is nothing to trace: the text is empty")
    if block < 1:
        raise ConfigError(f"block must be at least 1, got {block}")
    yield from _trace(model, inputs, state, block)


@singledispatch
def _trace(model: Any, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    raise ConfigError(f"cannot trace a {type(model).__name__}: give a model or one of its parts")


@_trace.register
def _(model: LanguageModel, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    state = model.initial_state(1) if state is None else state
    return _in_blocks(_language_layers, model, inputs, state, block)


@_trace.register
def _(model: Generator, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    if state is None:
        raise ConfigError(
            "a Generator starts from a label: give state=model.initial_state([label])"
        )
    return _trace(model.decoder, inputs, state, block)


@_trace.register(Classifier)
@_trace.register(Tagger)
def _(model: Any, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    return _trace(model.reader, inputs, state, block)


@_trace.register
def _(model: Reader, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    if model.is_bidirectional:
        return _at_once(_reader_layers, model, inputs, None)
    first = tuple(cell.initial_state(1) for cell in model.layers)  # type: ignore[union-attr]
    return _in_blocks(_reader_layers, model, inputs, first if state is None else state, block)


@_trace.register
def _(model: Translator, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    encoder = model.encoder
    if encoder.embedding is None:
        encoder = encoder.with_embedding(model.decoder.embedding)
    if not model.reverse_source:
        yield from _trace(encoder, inputs, state, block)
        return
    (whole,) = _trace(encoder, inputs[::-1], state, len(inputs))  # back to the order of the text
    layers = [{name: a[::-1] for name, a in layer.items()} for layer in whole.layers]
    yield whole._replace(layers=layers)


@_trace.register
def _(model: Decoder, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    if not isinstance(state, DecoderState):
        raise ConfigError("a Decoder starts from a condition: give state=decoder.start(condition)")
    return _in_blocks(_decoder_layers, model, inputs, state, block)


@_trace.register
def _(model: GlimpseClassifier, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    return _at_once(_glimpse_layers, model, inputs, model.core.initial_state(1))


def _in_blocks(
    prepare: Prepare, model: Any, inputs: np.ndarray, state: Any, block: int
) -> Iterator[Block]:
    """Blocks of one size, so that one program is compiled; the next runs while one is in use."""
    size = min(block, max(LEAST, 1 << (len(inputs) - 1).bit_length()))
    ahead: tuple[int, int, Any, Any] | None = None
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        padded = np.zeros((size, *part.shape[1:]), part.dtype)
        padded[: len(part)] = part
        made, state = _run_block(prepare, model, padded, state, np.array([len(part)], np.int32))
        if ahead is not None:
            yield _on_host(*ahead)
        ahead = start, len(part), made, state
    assert ahead is not None  # there is at least one input
    yield _on_host(*ahead)


def _at_once(prepare: Prepare, model: Any, inputs: np.ndarray, state: Any) -> Iterator[Block]:
    made, state = _run_block(prepare, model, inputs, state, None)
    yield _on_host(0, len(made[0]["h"]), made, state)


def _on_host(start: int, length: int, made: Any, state: Any) -> Block:
    layers = [{name: np.asarray(a)[:length] for name, a in one.items()} for one in made]
    return Block(start, [dict(sorted(one.items(), key=_place)) for one in layers], state)


def _place(item: tuple[str, Any]) -> tuple[int, str]:
    """States before gates, gates in the cells' order; compiled programs sort names."""
    return ORDER.find(item[0]) % (len(ORDER) + 1), item[0]


def _run_block(prepare: Prepare, model: Any, inputs: Any, state: Any, lengths: Any) -> Any:
    """Layer by layer, each a compiled program of its own: while one reads a block, the layer below
    it reads the next, on another processor.
    """
    projected, cells, states = eqx.filter_jit(prepare)(model, inputs, state)
    x, made, after = projected, [], []
    for layer, cell in enumerate(cells):
        first = None if states is None else states[layer]
        x, last, quantities = _run_layer(cell, x, first, lengths, layer == 0)
        made.append(quantities)
        after.append(last)
    return made, state._replace(cells=tuple(after)) if hasattr(state, "cells") else tuple(after)


@eqx.filter_jit
def _run_layer(cell: Any, x: Array, first: Any, lengths: Any, projected: bool) -> Any:
    # Two threads would meet at every step, which takes longer than half a step of batch 1.
    with library.limited_threads(1):
        if isinstance(cell, Bidirectional):
            x, made = _both_directions(cell, x)
            last = None
        else:
            x, last, made = kernels.record(
                cell, x if projected else cell.project(x), first, lengths
            )
    return x, last, {name: a[:, 0].astype(jnp.float32) for name, a in made.items()}


def _both_directions(layer: Bidirectional, x: Array) -> tuple[Array, dict[str, Array]]:
    """Outputs and quantities, the forward cell's units first; all steps are live."""

    def read(cell: Cell, x: Array) -> tuple[Array, dict[str, Array]]:
        outputs, _, made = kernels.record(cell, cell.project(x), cell.initial_state(1))
        return outputs, made

    ahead = read(layer.forward, x)
    back = jax.tree.map(lambda a: a[::-1], read(layer.backward, x[::-1]))
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=-1), ahead, back)


def _language_layers(model: LanguageModel, tokens: Array, state: Any) -> Layers:
    return Layers(model.project(jnp.asarray(tokens)[:, None]), model.stack.cells, state)


def _reader_layers(model: Reader, inputs: Array, state: Any) -> Layers:
    x, first = model.embed(jnp.asarray(inputs)[:, None]), model.layers[0]
    return Layers(x if isinstance(first, Bidirectional) else first.project(x), model.layers, state)


def _decoder_layers(model: Decoder, tokens: Array, state: DecoderState) -> Layers:
    projected = model.cells[0].project(look_up(model.embedding, jnp.asarray(tokens)[:, None]))
    if model.w_context is not None:
        context = state.condition.vector
        if isinstance(model.attention, Additive):  # each step looks first: run once to see where
            context = model.contexts(projected, state)
        projected = projected + context @ model.w_context.T
    return Layers(projected, model.cells, state.cells)


def _glimpse_layers(model: GlimpseClassifier, image: Array, state: Any) -> Layers:
    inputs = model.seen(jnp.asarray(image)[None])
    return Layers(model.core.project(inputs), (model.core,), (state,))
