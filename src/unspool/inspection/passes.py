"""Trace every state and gate of every layer in one pass over a sequence."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial, singledispatch
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import kernels, library
from ..bidirectional import Bidirectional
from ..cells import Cell
from ..data.sequences import power_of_two
from ..errors import ConfigError, DataError
from ..models.classifier import Classifier
from ..models.decoder import Decoder, DecoderState
from ..models.generator import Generator
from ..models.glimpse import GlimpseClassifier
from ..models.language import LanguageModel
from ..models.reader import Reader, cells_of
from ..models.tagger import Tagger
from ..models.translator import Translator
from ..products import look_up

BLOCK = 8192  # steps in one call of the compiled program
LEAST = 64

Quantities = dict[str, np.ndarray]


class Block(NamedTuple):
    """A part of a traced sequence.

    `layers[l]["h"]` is a float32 array (T, H); `start` is the place of its first token, `state` the
    model's state after its last one, from which tracing can continue. `cells[l]` is the class of
    the layer's cells, which knows what the quantities are.
    """

    start: int
    layers: list[Quantities]
    state: Any
    cells: tuple[type[Cell], ...]


class _Part(NamedTuple):
    """A block on its way through the layers: the next layer's input, and the results so far."""

    start: int
    length: int
    x: Array
    layers: tuple[dict[str, Array], ...] = ()
    state: tuple[Any, ...] = ()


class _Network(NamedTuple):
    """The cells of a model, a first state for each, and a function from tokens to inputs.

    `inputs` returns the first cell's summed inputs (T, 1, P), or plain ones if it reads in both
    directions. `finish` makes the model's state from the cells' states.
    """

    cells: tuple[Cell | Bidirectional, ...]
    states: tuple[Any, ...]
    inputs: Callable[[np.ndarray], Array]
    finish: Callable[[tuple[Any, ...]], Any] = tuple


def trace_model(
    model: Any, inputs: np.ndarray, *, state: Any = None, block: int = BLOCK
) -> Iterator[Block]:
    """Yield every state and gate of every layer, in blocks of at most `block` steps.

    One sequential pass in float32 with the state carried, batch 1, by the kernels of training
    and without dropout. Quantities: an RNN's h; an LSTM's h, c, i, f, g, o; a GRU's h, r, z, n;
    for a custom cell every array of its state, and its `gates`. `inputs` and `state` are

    - LanguageModel: token ids (T,), and a state as of `initial_state(1)`, the default
    - Generator: the same, but the state is needed: `model.initial_state(jnp.array([label]))`
    - Classifier, Tagger, Reader: ids (T,), bags of ids (T, K) or numbers (T, D); no state
    - Translator: ids (S,) of a sentence, which its encoder reads; no state
    - Decoder: token ids (T,) it reads, START first, and the state of `start(condition)`
    - GlimpseClassifier: an image as (H, W * C); a step is a glimpse

    A layer in both directions has the forward cell's units first; as its second cell starts at the
    end, such a model gives one block. Raises ConfigError if the model cannot be traced, DataError
    if there are no inputs.

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
    raise ConfigError(f"cannot trace a {type(model).__name__}: pass a model or one of its parts")


@_trace.register
def _(model: LanguageModel, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    state = model.initial_state(1) if state is None else state
    network = _Network(model.stack.cells, state, partial(_language_inputs, model))
    return _in_blocks(network, inputs, block)


@_trace.register
def _(model: Generator, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    if state is None:
        raise ConfigError(
            "a Generator starts from a label: pass state=model.initial_state([label])"
        )
    return _trace(model.decoder, inputs, state, block)


@_trace.register(Classifier)
@_trace.register(Tagger)
def _(model: Any, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    return _trace(model.reader, inputs, state, block)


@_trace.register
def _(model: Reader, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    read = partial(_reader_inputs, model)
    if model.is_bidirectional:
        return _at_once(_Network(model.layers, (None,) * len(model.layers), read), inputs)
    first = tuple(cells_of(layer)[0].initial_state(1) for layer in model.layers)
    return _in_blocks(_Network(model.layers, state or first, read), inputs, block)


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
        raise ConfigError("a Decoder starts from a condition: pass state=decoder.start(condition)")
    read = partial(_decoder_inputs, model, state)
    network = _Network(model.cells, state.cells, read, lambda cells: state._replace(cells=cells))
    # With Bahdanau's attention inputs depend on the state, so they are computed for all steps
    # first.
    return _at_once(network, inputs) if model.looks_first else _in_blocks(network, inputs, block)


@_trace.register
def _(model: GlimpseClassifier, inputs: np.ndarray, state: Any, block: int) -> Iterator[Block]:
    first = (model.core.initial_state(1),)
    return _at_once(_Network((model.core,), first, partial(_glimpse_inputs, model)), inputs)


def _in_blocks(network: _Network, inputs: np.ndarray, block: int) -> Iterator[Block]:
    """Yield blocks of one size, so that one program per layer is compiled; the last is padded."""
    size = min(block, max(LEAST, power_of_two(len(inputs))))

    def parts() -> Iterator[_Part]:
        for start in range(0, len(inputs), size):
            part = inputs[start : start + size]
            padded = np.zeros((size, *part.shape[1:]), part.dtype)
            padded[: len(part)] = part
            yield _Part(start, len(part), network.inputs(padded))

    return _through(network, parts())


def _at_once(network: _Network, inputs: np.ndarray) -> Iterator[Block]:
    x = network.inputs(inputs)
    return _through(network, iter([_Part(0, len(x), x)]))


def _through(network: _Network, parts: Iterator[_Part]) -> Iterator[Block]:
    """Run each layer in its own thread: while it reads a block, the layer below reads the next."""
    for i, (cell, state) in enumerate(zip(network.cells, network.states, strict=True)):
        parts = _ahead(_layer(cell, state, i == 0, parts))
    cells = tuple(type(cells_of(layer)[0]) for layer in network.cells)
    for part in parts:
        layers = [
            {name: np.asarray(one[name])[: part.length] for name in _ordered(one, cell)}
            for one, cell in zip(part.layers, cells, strict=True)
        ]
        yield Block(part.start, layers, network.finish(part.state), cells)


def _layer(cell: Any, state: Any, summed: bool, parts: Iterator[_Part]) -> Iterator[_Part]:
    for part in parts:
        x, state, made = _run_layer(cell, part.x, state, np.array([part.length], np.int32), summed)
        jax.block_until_ready(made)  # type: ignore[no-untyped-call]
        yield part._replace(x=x, layers=(*part.layers, made), state=(*part.state, state))


def _ahead(items: Iterator[_Part]) -> Iterator[_Part]:
    """Yield the items of an iterator that computes the next one in a thread while one is in use."""
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield item


def _ordered(layer: Mapping[str, Any], cell: type[Cell]) -> list[str]:
    """The names in the cell's order, others after them; compiled programs sort names."""
    known = [name for name in cell.quantities() if name in layer]
    return known + sorted(layer.keys() - known)


@eqx.filter_jit
def _run_layer(cell: Any, x: Array, first: Any, lengths: Any, summed: bool) -> Any:
    # Two threads would meet at every step, which takes longer than half a step of batch 1.
    with library.limited_threads(1):
        if isinstance(cell, Bidirectional):
            x, made = _both_directions(cell, x)
            last = None
        else:
            x, last, made = kernels.record(cell, x if summed else cell.project(x), first, lengths)
    return x, last, {name: a[:, 0].astype(jnp.float32) for name, a in made.items()}


def _both_directions(layer: Bidirectional, x: Array) -> tuple[Array, dict[str, Array]]:
    """Return outputs and quantities, the forward cell's units first; all steps are live."""

    def read(cell: Cell, x: Array) -> tuple[Array, dict[str, Array]]:
        outputs, _, made = kernels.record(cell, cell.project(x), cell.initial_state(1))
        return outputs, made

    ahead = read(layer.forward, x)
    back = jax.tree.map(lambda a: a[::-1], read(layer.backward, x[::-1]))
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=-1), ahead, back)


@eqx.filter_jit
def _language_inputs(model: LanguageModel, tokens: Any) -> Array:
    return model.project(jnp.asarray(tokens)[:, None])


@eqx.filter_jit
def _reader_inputs(model: Reader, inputs: Any) -> Array:
    x, first = model.embed(jnp.asarray(inputs)[:, None]), model.layers[0]
    return x if isinstance(first, Bidirectional) else first.project(x)


@eqx.filter_jit
def _decoder_inputs(model: Decoder, state: DecoderState, tokens: Any) -> Array:
    projected = model.cells[0].project(look_up(model.embedding, jnp.asarray(tokens)[:, None]))
    if model.w_context is None:
        return projected
    context = model.contexts(projected, state) if model.looks_first else state.condition.vector
    return projected + context @ model.w_context.T


@eqx.filter_jit
def _glimpse_inputs(model: GlimpseClassifier, image: Any) -> Array:
    return model.core.project(model.seen(jnp.asarray(image)[None]))
