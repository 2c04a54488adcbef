"""Sample with a compiled loop that feeds every token back to the model."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..cells.base import check_sizes
from ..data.sequences import power_of_two
from ..errors import ConfigError
from .native import sample_block
from .options import Sampling
from .stepper import Stepper
from .transforms import Transform, is_greedy, make_transforms

BLOCK = 32  # tokens per call of the compiled loop; a stream comes in such blocks
LARGE_BLOCK = 256  # used once a block of this size takes under LARGE_BLOCK_S seconds
LARGE_BLOCK_S = 0.064
NOISE_NUMBERS = 2**22  # random numbers for one call of the kernel, about 200 MB


class _Carry(NamedTuple):
    state: Any
    tokens: Int[Array, "B"]  # the last tokens, which the model has not read yet
    chosen: Int[Array, ""]  # number of tokens chosen so far


def stream(
    stepper: Stepper,
    prompt: Any,
    *,
    count: int = 1,
    max_new_tokens: int = 256,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    do_sample: bool = True,
    seed: int = 0,
    rows: Any = None,
) -> Iterator[np.ndarray]:
    """Yield new tokens of `count` texts that begin with `prompt`, in blocks (count, n), n <= 256.

    x_{t+1} ~ softmax(transforms(logits_t)); argmax if `temperature` is 0 or `do_sample` is False.
    The prompt (ids, at least one) runs through the same compiled loop as the sampled tokens. Row r
    depends on `seed` and r alone, not on `count` or earlier calls; `rows` replaces the numbers 0 to
    `count` - 1. Raises ConfigError if an argument is invalid.
    """
    check_sizes(count=count, max_new_tokens=max_new_tokens)
    prompt = _checked_prompt(prompt)
    seed = Sampling(seed=seed).seed
    transforms = make_transforms(temperature, top_k, top_p)
    greedy = is_greedy(temperature, do_sample)
    keys = row_keys(seed, np.arange(count) if rows is None else rows)
    return _blocks(stepper, prompt, max_new_tokens, transforms, greedy, keys)


def sample(stepper: Stepper, prompt: Any, **options: Any) -> np.ndarray:
    """Return all tokens that `stream` yields, as one array (count, max_new_tokens)."""
    return np.concatenate(list(stream(stepper, prompt, **options)), axis=1)


def row_keys(seed: int, rows: Any) -> Array:
    """Return the random key of each of these rows (texts)."""
    rows = jnp.asarray(rows)
    return jax.vmap(lambda row: jax.random.fold_in(jax.random.key(seed), row))(rows)


def choose(
    logits: Float[Array, "B V"],
    transforms: tuple[Transform, ...],
    greedy: bool,
    keys: Array,
    chosen: Int[Array, ""],
) -> Int[Array, "B"]:
    """Choose the next token of each row, after `chosen` ones: sampled from
    softmax(transforms(logits)) with the row's key from `row_keys`, or the likeliest.
    """
    for transform in transforms:
        logits = transform(logits)
    if greedy:
        return jnp.argmax(logits, axis=-1).astype(jnp.int32)

    def sampled(key: Array, row: Array) -> Array:
        return jax.random.categorical(jax.random.fold_in(key, chosen), row)

    return jax.vmap(sampled)(keys, logits).astype(jnp.int32)


def _checked_prompt(prompt: Any) -> np.ndarray:
    ids = np.asarray(prompt)
    if ids.size == 0:
        raise ConfigError("prompt must have at least one token, got none")
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0:
        raise ConfigError(f"prompt must be one row of token ids of at least 0, got {prompt!r}")
    return ids


def _blocks(
    stepper: Stepper,
    prompt: np.ndarray,
    max_new_tokens: int,
    transforms: tuple[Transform, ...],
    greedy: bool,
    keys: Array,
) -> Iterator[np.ndarray]:
    first = jnp.full((len(keys),), int(prompt[0]), jnp.int32)
    carry = _Carry(stepper.start(len(keys)), first, jnp.int32(0))
    rest, done, size = prompt[1:], 0, BLOCK
    most = LARGE_BLOCK if greedy else _most_steps(stepper, len(keys))
    while (steps := min(size, most, len(rest) + max_new_tokens - done)) > 0:
        size = min(size, most)
        given = np.full(size, -1, np.int32)
        part = rest[done : done + size]
        given[: len(part)] = part
        began = time.monotonic()
        carry, tokens = _advance(stepper, carry, given, steps, transforms, greedy, keys)
        new = np.asarray(tokens)[:, len(part) : steps]
        size = _next_size(stepper, size, time.monotonic() - began)
        done += steps
        if new.shape[1]:
            yield new


def _advance(
    stepper: Stepper,
    carry: _Carry,
    given: Any,
    steps: int,
    transforms: Any,
    greedy: bool,
    keys: Any,
) -> tuple[_Carry, Int[Array, "B T"]]:
    network = stepper.network
    if network is None:
        return _block(stepper, carry, given, transforms, greedy, keys)
    rows = len(keys) if greedy else max(NOISE_NUMBERS // network.vocab_size, 1)
    parts = []
    for begin in range(0, len(keys), rows):
        part = slice(begin, begin + rows)
        state = jax.tree.map(lambda array, part=part: array[part], carry.state)
        given_part = state, carry.tokens[part], carry.chosen, given, steps, transforms, keys[part]
        parts.append(sample_block(network, *given_part, greedy=greedy))
    if len(parts) == 1:
        ((state, tokens, chosen, block),) = parts
        return _Carry(state, tokens, chosen), block
    state, tokens, chosen, block = jax.tree.map(lambda *arrays: _end_to_end(arrays), *parts)
    return _Carry(state, tokens, chosen), block


def _end_to_end(arrays: tuple[Array, ...]) -> Array:
    """Concatenate the rows of several arrays; numbers are equal, so return the first."""
    return jnp.concatenate(arrays) if arrays[0].ndim else arrays[0]


def _most_steps(stepper: Stepper, count: int) -> int:
    """Return for how many steps noise may be sampled at once: a power of two, as sizes are
    compiled.
    """
    network = stepper.network
    if network is None:  # the compiled loop samples the noise of one step
        return LARGE_BLOCK
    steps = NOISE_NUMBERS // (count * network.vocab_size)
    return max(1, power_of_two(steps + 1) // 2)


def _next_size(stepper: Stepper, size: int, elapsed_s: float) -> int:
    """Return a larger size for a fast native kernel; the loop would have to be compiled again."""
    if stepper.network is None or elapsed_s * LARGE_BLOCK > LARGE_BLOCK_S * size:
        return size
    return LARGE_BLOCK


@eqx.filter_jit
def _block(
    stepper: Stepper,
    carry: _Carry,
    given: Any,
    transforms: tuple[Transform, ...],
    greedy: bool,
    keys: Array,
) -> tuple[_Carry, Int[Array, "B T"]]:
    """Run T steps; a given token (not -1) replaces a chosen one."""

    def step(carry: _Carry, given: Int[Array, ""]) -> tuple[_Carry, Int[Array, "B"]]:
        logits, state = stepper.step(carry.tokens, carry.state)
        tokens = choose(logits, transforms, greedy, keys, carry.chosen)
        tokens = jnp.where(given >= 0, given, tokens)
        return _Carry(state, tokens, carry.chosen + (given < 0)), tokens

    carry, tokens = jax.lax.scan(step, carry, given)
    return carry, tokens.T
