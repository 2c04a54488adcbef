"""The loss of captions, against values that can be worked out by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unspool import CaptionData, Captioner, CaptionTask
from unspool.data import CaptionBatch

PLACES = 4


def test_the_doubly_stochastic_penalty_is_a_caption_s_beside_its_nats():
    """With v = 0 every token looks at all places alike, so sum_t alpha_ts is T / S."""
    grids = np.random.default_rng(0).normal(size=(3, PLACES, 5)).astype(np.float32)
    texts = [["a dog runs"], ["a cat"], ["a"]]
    data = CaptionData.build(grids, texts, grids, texts, min_count=1)
    sizes = {"hidden_size": 4, "embedding_size": 4, "condition_size": 4}
    model = Captioner.create(len(data.sentences.vocab), 5, way="attention", **sizes)
    at = lambda m: m.decoder.attention.v  # noqa: E731
    model = eqx.tree_at(at, model, jnp.zeros_like(at(model)))
    batch = CaptionBatch(grids, np.ones((3, 6), np.int32), np.array([6, 2, 0], np.int32))
    tasks = (CaptionTask(data, batch=3, doubly_stochastic=weight) for weight in (0.0, 0.5))
    losses = (eqx.filter_jit(task.loss)(model, batch, (), jax.random.key(0)) for task in tasks)
    (plain, plain_nats), (weighed, nats) = ((float(x.objective), float(x.nats)) for x in losses)
    # S (1 - T/S)^2 of T = 6 and T = 2 is 1 and 1; the padding row does not count. 8 tokens in all.
    assert weighed - plain == pytest.approx(0.5 * (1 + 1) / 8, rel=1e-4)
    assert plain == pytest.approx(plain_nats, rel=1e-6)
    assert nats == plain_nats
