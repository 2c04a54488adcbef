"""The small CNN: its equations in NumPy, and that it can tell where things are."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tests.support import random_like

from unspool.errors import ConfigError
from unspool.vision.small import SmallCNN


def by_hand(net: SmallCNN, picture: np.ndarray) -> np.ndarray:
    height, width, _ = picture.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    seen = np.concatenate([(picture - 127.0) / 128, y[..., None], x[..., None]], -1)
    for conv, gain, shift in zip(net.convs, net.gains, net.shifts, strict=True):
        h, w = -(-seen.shape[0] // 2), -(-seen.shape[1] // 2)
        before = [
            max((n - 1) * 2 + 3 - m, 0) // 2 for n, m in zip((h, w), seen.shape, strict=False)
        ]
        padded = np.pad(seen, ((before[0], 2), (before[1], 2), (0, 0)))
        linear = np.array(
            [
                [
                    np.einsum("ijc,ijco->o", padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3], conv.w)
                    for j in range(w)
                ]
                for i in range(h)
            ]
        )
        linear = linear + conv.b
        centred = linear - linear.mean(-1, keepdims=True)
        normal = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        seen = np.maximum(gain * normal + shift, 0)
    return seen


def test_equations():
    net = random_like(jax.eval_shape(lambda: SmallCNN.create((3, 4))), seed=1)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 9, 6, 3), np.uint8)
    wanted = np.stack([by_hand(net, picture) for picture in pictures])
    np.testing.assert_allclose(net.features(pictures, "grid"), wanted, rtol=1e-4, atol=1e-4)
    pooled = wanted.mean((1, 2))
    np.testing.assert_allclose(net.features(pictures), pooled, rtol=1e-4, atol=1e-4)


def test_learns_where_a_spot_is_from_the_mean_over_places():
    draw = np.random.default_rng(0)
    pictures = np.full((128, 16, 16, 3), 255, np.uint8)
    rows, columns = draw.integers(1, 15, (2, 128))
    for i, (y, x) in enumerate(zip(rows, columns, strict=True)):
        pictures[i, y - 1 : y + 2, x - 1 : x + 2] = 0
    quarter = 2 * (rows > 7) + (columns > 7)
    model = (SmallCNN.create((8, 16)), jnp.zeros((16, 4)))
    adam = optax.adam(2e-2)

    def loss(model):
        logits = model[0].features(pictures) @ model[1]
        mean = optax.softmax_cross_entropy_with_integer_labels(logits, quarter).mean()
        return mean, jnp.mean(logits.argmax(1) == quarter)

    @eqx.filter_jit
    def step(model, state):
        (_, right), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(model)
        updates, state = adam.update(gradient, state)
        return eqx.apply_updates(model, updates), state, right

    state = adam.init(eqx.filter(model, eqx.is_array))
    for _ in range(60):
        model, state, right = step(model, state)
    assert right > 0.9


@pytest.mark.parametrize("channels", [(), (8, 0)])
def test_channels_are_checked(channels):
    with pytest.raises(ConfigError, match="channels"):
        SmallCNN.create(channels)
