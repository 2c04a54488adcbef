"""The lecture's example: a 3-unit vanilla RNN that learns to spell "hello".

From Stanford's CS231n, lecture 10. The vocabulary is h, e, l, o; after "hel" comes l but
after "hell" comes o, so the input alone does not tell: the hidden state has to.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from ..decoding import LanguageStepper, sample
from ..models.language import LanguageModel
from ..models.softmax import token_nats

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
    """The trained model, its steps over "hell", losses on the way, and what it writes after h."""

    model: LanguageModel
    steps: list[SpelledStep]
    losses: list[tuple[int, float]]
    written: str


def spell_hello(steps: int = 300, seed: int = 0) -> Hello:
    """Train with Adam on one word and read the network's numbers out of it."""
    model = LanguageModel.create(len(VOCABULARY), cell="rnn", hidden_size=3, seed=seed)
    ids = jnp.array([VOCABULARY.index(c) for c in WORD])
    model, losses = _fit(model, ids, steps)
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


def _fit(model: LanguageModel, ids: Array, steps: int) -> tuple[LanguageModel, Array]:
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
        return (optax.apply_updates(params, updates), state), nats

    train = jax.jit(lambda carry: jax.lax.scan(step, carry, None, length=steps))
    (params, _), losses = train((params, optimizer.init(params)))
    return eqx.combine(params, static), losses


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
