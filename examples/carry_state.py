"""Hold the state yourself: read a stream in pieces, fork it, go back to an earlier point."""

import jax
import jax.numpy as jnp

import unspool


def main() -> None:
    model = unspool.LanguageModel.create(50, cell="lstm", hidden_size=32, num_layers=2, seed=0)
    tokens = jax.random.randint(jax.random.key(1), (1, 12), 0, 50)

    whole, _ = model(tokens, model.initial_state(batch=1))

    # The same in two pieces: the state is all that crosses the cut.
    first, middle = model(tokens[:, :5], model.initial_state(batch=1))
    second, end = model(tokens[:, 5:], middle)
    pieces = jnp.concatenate([first, second], axis=1)
    print("split equals whole:", bool(jnp.allclose(whole, pieces, atol=1e-6)))

    # A state is a value: fork it by using it twice, rewind by using an older one.
    likely, _ = model(jnp.array([[7]]), middle)
    other, _ = model(jnp.array([[8]]), middle)
    print("two futures of one past differ:", not bool(jnp.allclose(likely, other)))

    # Two layers of LSTM: a tuple of LSTMState(h, c), each (batch, hidden).
    print("state:", [(layer.h.shape, layer.c.shape) for layer in end])


if __name__ == "__main__":
    main()
