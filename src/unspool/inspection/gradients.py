"""Measure how far back a loss reaches: the norm of its gradient with respect to earlier states."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ..cells.base import check_sizes, state_arrays
from ..errors import ConfigError, DataError
from ..models.language import LanguageModel
from ..models.softmax import cross_entropy

STEPS, ENDS = 100, 64
FAR = 0.01  # a gradient counts as vanished at this share of its last norm


class GradientFlow(NamedTuple):
    """Norms of dL_T/ds_t of one quantity s of one layer, over D = 0..steps-1 steps before T.

    `median`, `low` and `high` (the quartiles) are over the ends T. `factor` is the mean factor per
    step back, from the first and last positive medians; `reach` is how many steps back the median
    falls below 1 % of its first positive value, None if it never does. `underflows` is the share of
    norms that are 0 from there on, `not_finite` of those that are infinite or NaN, which count in
    no median.
    """

    layer: int
    quantity: str
    median: Float[np.ndarray, "D"]
    low: Float[np.ndarray, "D"]
    high: Float[np.ndarray, "D"]
    factor: float
    reach: int | None
    underflows: float
    not_finite: float


def gradient_flow(
    model: LanguageModel, tokens: Any, *, steps: int = STEPS, ends: int = ENDS
) -> list[GradientFlow]:
    """Return ||dL_T/dh_t|| for t = T, T-1, ..., T-steps+1 (for an LSTM also of c), by layer.

    L_T = -ln p(x_{T+1} | x_1..x_T). h_t affects L_T only through the states after it,

        dL_T/dh_t = dL_T/dh_T prod_{k=t+1..T} dh_k/dh_{k-1}

    so that the norm falls or grows by some factor per step: gradients vanish or explode (Hochreiter
    1991; Bengio et al. 1994; Pascanu et al. 2013, arXiv 1211.5063). `ends` positions T are spread
    evenly over the text, and each is read from `2 * steps` tokens before it (or the text's start),
    of which the earlier ones only warm up the state. Exact for every cell: h_t is h_t + e_t with
    e_t = 0, and the gradient is that of e_t. An LSTM's c_t is taken as what is passed on, with h_t
    unchanged: the loss at T itself does not see c_T.

    Raises DataError if the text has fewer than `steps` + 1 tokens, ConfigError if the model is not
    a language model.
    """
    check_sizes(steps=steps, ends=ends)
    if not isinstance(model, LanguageModel):
        raise ConfigError(f"gradients are those of a language model, got {type(model).__name__}")
    ids = np.asarray(tokens)
    if len(ids) < steps + 1:
        raise DataError(
            f"the text has {len(ids)} tokens", f"use at least {steps + 1}", {"steps": "lower {}"}
        )
    first = min(2 * steps, len(ids) - 1)  # leaves enough tokens to warm up the state
    last = np.unique(np.linspace(first, len(ids) - 1, ends).astype(int))  # the places of targets
    before = first - steps
    windows = ids[last[:, None] + np.arange(-steps - before, 1)]
    gradients = _gradients(model, jnp.asarray(windows), steps)
    return [
        _summary(layer, name, np.asarray(values)[::-1])
        for layer, state in enumerate(gradients)
        for name, values in state_arrays(state).items()
    ]


@eqx.filter_jit
def _gradients(model: LanguageModel, windows: Int[Array, "B W"], steps: int) -> Any:
    """Return, for every layer, a state whose leaves are norms (T, B) instead of arrays (T, B,
    H).
    """
    rows = len(windows)
    given, targets = windows[:, :-1].T, windows[:, -1]
    state = model.initial_state(rows)
    if len(given) > steps:
        _, state = model.hidden(given[:-steps].T, state)
    zero = jax.tree.map(lambda leaf: jnp.zeros((steps, *leaf.shape), leaf.dtype), state)

    def loss(added: Any) -> Float[Array, ""]:
        def step(state: Any, x: Any) -> tuple[Any, None]:
            token, more = x
            return model.hidden_step(token, state, more)[1], None

        last, _ = jax.lax.scan(step, state, (given[-steps:], added))
        top = model.stack.cells[-1].output(last[-1])
        return jnp.sum(cross_entropy(model.logits(top), targets))

    return jax.tree.map(lambda g: jnp.linalg.norm(g, axis=-1), jax.grad(loss)(zero))


def _summary(layer: int, quantity: str, norms: Float[np.ndarray, "D B"]) -> GradientFlow:
    finite = np.isfinite(norms)
    known = np.where(finite, norms.astype(np.float64), np.nan)
    with np.errstate(all="ignore"):
        low, median, high = (
            np.zeros(len(norms)) if not finite.any() else np.nanquantile(known, q, axis=1)
            for q in (0.25, 0.5, 0.75)
        )
    positive = np.flatnonzero(median > 0)
    span = positive[-1] - positive[0] if len(positive) else 0
    factor = float((median[positive[-1]] / median[positive[0]]) ** (1 / span)) if span else 1.0
    start = int(positive[0]) if len(positive) else 0
    gone = np.flatnonzero(median[start:] < FAR * median[start])
    return GradientFlow(
        layer, quantity, median, low, high, factor,
        start + int(gone[0]) if len(gone) else None,
        float(np.mean(norms[start:] == 0)), float(np.mean(~finite)),
    )  # fmt: skip
