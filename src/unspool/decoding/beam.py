"""Beam search: find the likeliest complete sequences, in one compiled program."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..cells.base import check_sizes
from .length_penalty import LengthPenalty
from .options import Beam
from .stepper import Stepper
from .transforms import Transform

LARGEST_BLOCK = 80  # tokens per block, of which `_top` first takes the maximum
NONE = -math.inf  # the score of a slot without a hypothesis


class Hypotheses(NamedTuple):
    """K sequences for each of B conditions: finished ones first, each part best first.

    Slots without a hypothesis have score -inf and length 0.
    """

    tokens: Int[Array, "B K T"]  # without END; filled up with END
    lengths: Int[Array, "B K"]
    scores: Float[Array, "B K"]  # log_p, divided by the `LengthPenalty`
    log_p: Float[Array, "B K"]
    finished: Bool[Array, "B K"]  # False: no END within max_new_tokens


class _Search(NamedTuple):
    """The live beams (not ended yet), the best finished hypotheses, and the time."""

    t: Int[Array, ""]
    state: Any
    last: Int[Array, "B K"]
    tokens: Int[Array, "B K T"]
    log_p: Float[Array, "B K"]
    ended: Hypotheses
    endings: Int[Array, "B"]  # how many have ended; the condition is done at K


def beam_search(
    stepper: Stepper,
    condition: Any,
    *,
    start: int,
    end: int,
    num_beams: int = 5,
    max_new_tokens: int = 100,
    length_penalty: float = 1.0,
    length_penalty_form: str = "power",
    transforms: tuple[Transform, ...] = (),
) -> Hypotheses:
    """Find the `num_beams` best sequences of each condition by score

        score(y) = log p(y) / |y|^length_penalty                form "power"
        score(y) = log p(y) / ((5 + |y|) / 6)^length_penalty    form "gnmt"

    |y| counts END (see `LengthPenalty`).

    At every step the K live beams of a condition are continued by every token (Sutskever et al.
    2014). Of the 2K likeliest continuations, those that end (END) and are among the first K become
    finished hypotheses; the best K others live on. A condition is done when K have finished, so
    that one beam is greedy decoding. If no beam ended, the live beams are returned, marked as
    unfinished. Ties go to the better beam, then to the smaller token.

    `transforms` act on the logits in order. Raises ConfigError if an argument is invalid.
    """
    beam = Beam(
        num_beams=num_beams, length_penalty=length_penalty, length_penalty_form=length_penalty_form
    )
    check_sizes(max_new_tokens=max_new_tokens)
    penalty = LengthPenalty.create(beam.length_penalty, beam.length_penalty_form)
    penalty = jax.tree.map(jnp.float32, penalty)
    ends = jnp.int32(start), jnp.int32(end), penalty
    return _beam_search(stepper, condition, *ends, transforms, beam.num_beams, int(max_new_tokens))


@eqx.filter_jit
def _beam_search(
    stepper: Stepper,
    condition: Any,
    start: Array,
    end: Array,
    penalty: LengthPenalty,
    transforms: tuple[Transform, ...],
    beams: int,
    most: int,
) -> Hypotheses:
    first = stepper.start(condition)
    rows = _rows_of(condition)
    state = stepper.reorder(first, jnp.repeat(jnp.arange(rows), beams))
    search = _Search(
        t=jnp.int32(0),
        state=state,
        last=jnp.full((rows, beams), start),
        tokens=jnp.full((rows, beams, most), end),
        log_p=jnp.full((rows, beams), NONE).at[:, 0].set(0.0),  # all beams are the same at first
        ended=_nothing(rows, beams, most, end),
        endings=jnp.zeros(rows, jnp.int32),
    )

    def goes_on(search: _Search) -> Bool[Array, ""]:
        alive = jnp.any(search.log_p > NONE, axis=1)
        return (search.t < most) & jnp.any((search.endings < beams) & alive)

    def step(search: _Search) -> _Search:
        logits, state = stepper.step(search.last.reshape(-1), search.state)
        for transform in transforms:
            logits = transform(logits)
        log_p, beam, token = _candidates(logits.reshape(rows, beams, -1), search.log_p)
        return _advance(stepper, search, state, log_p, beam, token, end, penalty)

    return _ranked(jax.lax.while_loop(goes_on, step, search), penalty)


def _candidates(
    logits: Float[Array, "B K V"], log_p: Float[Array, "B K"]
) -> tuple[Float[Array, "B N"], Int[Array, "B N"], Int[Array, "B N"]]:
    """Return the N = 2K likeliest continuations of a condition's beams: log p, beam and token.

    At most 2K of them continue the same beam, so each beam's 2K best are found first.
    """
    rows, beams, size = logits.shape
    each = min(2 * beams, size)
    best, tokens = _top(logits, each)
    total = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
    # NaN logits have no continuation.
    scores = jnp.nan_to_num(log_p[..., None] + best - total, nan=NONE, neginf=NONE)
    scores, flat = jax.lax.top_k(scores.reshape(rows, -1), min(2 * beams, beams * each))
    return scores, flat // each, jnp.take_along_axis(tokens.reshape(rows, -1), flat, axis=1)


def _top(x: Float[Array, "*N V"], count: int) -> tuple[Float[Array, "*N C"], Int[Array, "*N C"]]:
    """Compute `jax.lax.top_k`, which reads its rows many times over, on fewer numbers: the `count`
    largest are in the `count` blocks with the largest maxima. Of equal numbers the smaller index
    wins.
    """
    size = x.shape[-1]
    if size < 2 * LARGEST_BLOCK * count:
        return jax.lax.top_k(_unsigned_zeros(x), count)
    fitting = (n for n in range(LARGEST_BLOCK, LARGEST_BLOCK // 4, -1) if size % n == 0)
    length = next(fitting, LARGEST_BLOCK)  # if no length divides the row, pad a copy
    padding = [(0, 0)] * (x.ndim - 1) + [(0, -size % length)]
    blocks = jnp.pad(x, padding, constant_values=NONE).reshape(*x.shape[:-1], -1, length)
    largest = _unsigned_zeros(jnp.max(blocks, axis=-1))
    chosen = jnp.sort(jax.lax.top_k(largest, count)[1], axis=-1)
    within = _unsigned_zeros(jnp.take_along_axis(blocks, chosen[..., None], axis=-2))
    best, flat = jax.lax.top_k(within.reshape(*x.shape[:-1], -1), count)
    block = jnp.take_along_axis(chosen, flat // length, axis=-1)
    return best, block * length + flat % length


def _unsigned_zeros(x: Array) -> Array:
    """Replace -0.0 by 0.0: `top_k` ranks it lower, but for `argmax` they are equal."""
    return jnp.where(x == 0, 0.0, x)


def _advance(
    stepper: Stepper,
    search: _Search,
    state: Any,
    log_p: Float[Array, "B N"],
    beam: Int[Array, "B N"],
    token: Int[Array, "B N"],
    end: Array,
    penalty: LengthPenalty,
) -> _Search:
    """Advance the search by one step; conditions that are done stay unchanged."""
    rows, beams = search.log_p.shape
    is_end = token == end
    going = search.endings < beams
    ending = is_end[:, :beams] & (log_p[:, :beams] > NONE) & going[:, None]
    ended = _add_ended(search, ending, log_p[:, :beams], beam[:, :beams], penalty)
    alive, chosen = jax.lax.top_k(jnp.where(is_end, NONE, log_p), beams)
    parent, new = (jnp.take_along_axis(x, chosen, axis=1) for x in (beam, token))
    tokens = jnp.take_along_axis(search.tokens, parent[..., None], axis=1)
    tokens = jax.lax.dynamic_update_index_in_dim(tokens, new, search.t, axis=2)
    moved = (jnp.arange(rows)[:, None] * beams + parent).reshape(-1)
    return _Search(
        search.t + 1,
        stepper.reorder(state, moved),
        new,
        jnp.where(going[:, None, None], tokens, search.tokens),
        jnp.where(going[:, None], alive, search.log_p),
        ended,
        search.endings + jnp.sum(ending, axis=1),
    )


def _add_ended(
    search: _Search,
    ending: Bool[Array, "B K"],
    log_p: Float[Array, "B K"],
    beam: Int[Array, "B K"],
    penalty: LengthPenalty,
) -> Hypotheses:
    """Keep the K best of the hypotheses that had ended and those that end now."""
    old, beams = search.ended, search.log_p.shape[1]
    scores = jnp.where(ending, penalty.score(log_p, search.t + 1), NONE)
    new = Hypotheses(
        jnp.take_along_axis(search.tokens, beam[..., None], axis=1),
        jnp.where(ending, search.t, 0),
        scores,
        jnp.where(ending, log_p, NONE),
        ending,
    )
    both = [jnp.concatenate(pair, axis=1) for pair in zip(old, new, strict=True)]
    _, order = jax.lax.top_k(both[2], beams)
    return Hypotheses(*(_taken(x, order) for x in both))


def _ranked(search: _Search, penalty: LengthPenalty) -> Hypotheses:
    """Return finished hypotheses, followed by live beams."""
    ended, beams = search.ended, search.log_p.shape[1]
    none = search.log_p == NONE
    steps = jnp.broadcast_to(jnp.where(search.endings < beams, search.t, 0)[:, None], none.shape)
    live = Hypotheses(
        search.tokens,
        jnp.where(none, 0, steps),
        jnp.where(none, NONE, penalty.score(search.log_p, search.t)),
        search.log_p,
        jnp.zeros_like(none),
    )
    both = [jnp.concatenate(pair, axis=1) for pair in zip(ended, live, strict=True)]
    # Finished, unfinished, empty: a stable sort by score within each.
    kind = jnp.where(both[4], 0, jnp.where(both[2] > NONE, 1, 2))
    order = jnp.lexsort((-both[2], kind), axis=-1)[:, :beams]
    return Hypotheses(*(_taken(x, order) for x in both))


def _taken(x: Array, order: Int[Array, "B K"]) -> Array:
    return jnp.take_along_axis(x, order.reshape(*order.shape, *(1,) * (x.ndim - 2)), axis=1)


def _nothing(rows: int, beams: int, most: int, end: Array) -> Hypotheses:
    shape = (rows, beams)
    none = jnp.full(shape, NONE)
    tokens = jnp.full((*shape, most), end)
    return Hypotheses(tokens, jnp.zeros(shape, jnp.int32), none, none, jnp.zeros(shape, bool))


def _rows_of(condition: Any) -> int:
    """Return the number of conditions: a given number, or the rows of their arrays."""
    if isinstance(condition, int):
        return condition
    return int(jax.tree.leaves(condition)[0].shape[0])
