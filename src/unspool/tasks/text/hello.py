"""The lecture's example: a 3-unit vanilla RNN that learns to spell "hello".

From Stanford's CS231n, lecture 10. The vocabulary is h, e, l, o; after "hel" comes l but
after "hell" comes o, so the input alone is not enough: the hidden state must decide.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ...decoding import LanguageStepper, sample
from ...models.language import LanguageModel
from ...models.softmax import token_nats

VOCABULARY = "helo"
WORD = "hello"


class SpelledStep(NamedTuple):
    """One time step, with all numbers of the forward pass."""

    input: str
    one_hot: Float[Array, "V"]
    hidden: Float[Array, "H"]
    scores: Float[Array, "V"]
    probabilities: Float[Array, "V"]
    target: str


class Hello(NamedTuple):
    """The trained model, its steps over "hell", losses during training, and what it writes
    after h.
    """

    model: LanguageModel
    steps: list[SpelledStep]
    losses: list[tuple[int, float]]
    written: str


def spell_hello(steps: int = 300, seed: int = 0) -> Hello:
    """Train with Adam on one word and return all numbers of the network."""
    model = LanguageModel.create(len(VOCABULARY), cell="rnn", hidden_size=3, seed=seed)
    ids = jnp.array([VOCABULARY.index(c) for c in WORD])
    course, losses = fit_word(model, ids, steps)
    model = after(course, steps)
    (written,) = sample(
        LanguageStepper(model), ids[:1], max_new_tokens=len(WORD) - 1, temperature=0
    )
    marks = [(0, float(losses[0])), (steps // 10, float(losses[steps // 10]))]
    return Hello(
        model=model,
        steps=_read(model, ids),
        losses=[*marks, (steps, float(losses[-1]))],
        written=WORD[0] + "".join(VOCABULARY[i] for i in written),
    )


def fit_word(
    model: LanguageModel, ids: Int[Array, "T+1"], steps: int
) -> tuple[LanguageModel, Float[Array, "steps"]]:
    """Fit a word with Adam; return the model before every step and after the last, and the losses.

    The weights of all `steps` + 1 models are kept, stacked: `after(course, k)` is one of them. The
    loss is the mean nats per character.
    """
    params, static = eqx.partition(model, eqx.is_inexact_array)
    optimizer = optax.adam(0.03)

    def loss(params: LanguageModel) -> Array:
        model = eqx.combine(params, static)
        hidden, _ = model.hidden(ids[None, :-1], model.initial_state(1))
        return jnp.mean(token_nats(model, hidden, ids[None, 1:]))

    def step(carry: tuple, _: None) -> tuple:  # type: ignore[type-arg]
        params, state = carry
        nats, gradients = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(gradients, state)
        return (optax.apply_updates(params, updates), state), (params, nats)

    train = jax.jit(lambda carry: jax.lax.scan(step, carry, None, length=steps))
    (params, _), (before, losses) = train((params, optimizer.init(params)))
    course = jax.tree.map(lambda all, last: jnp.concatenate([all, last[None]]), before, params)
    return eqx.combine(course, static), losses


def after(course: LanguageModel, steps: int) -> LanguageModel:
    """Return the model after `steps` steps of `fit_word`."""
    return jax.tree.map(lambda leaf: leaf[steps] if eqx.is_inexact_array(leaf) else leaf, course)


def _read(model: LanguageModel, ids: Array) -> list[SpelledStep]:
    hidden, _ = model.hidden(ids[None, :-1], model.initial_state(1))
    scores = model.logits(hidden)[0]
    return [
        SpelledStep(
            input=WORD[t],
            one_hot=jax.nn.one_hot(ids[t], len(VOCABULARY)),
            hidden=hidden[0, t],
            scores=scores[t],
            probabilities=jax.nn.softmax(scores[t]),
            target=WORD[t + 1],
        )
        for t in range(len(WORD) - 1)
    ]
