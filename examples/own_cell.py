"""A cell of your own: three methods, and it trains and samples like the built-in ones."""

import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

import unspool


class LeakyCell(unspool.Cell):
    """h_t = (1 - leak) h_{t-1} + leak tanh(W_in x_t + W_hid h_{t-1})"""

    w_in: Array
    w_hid: Array
    leak: float = eqx.field(static=True)
    hidden_size: int = eqx.field(static=True)

    @classmethod
    def create(cls, input_size, hidden_size, *, key):
        k_in, k_hid = jax.random.split(key)
        w_in = jax.random.normal(k_in, (input_size, hidden_size)) * input_size**-0.5
        w_hid = jax.random.normal(k_hid, (hidden_size, hidden_size)) * hidden_size**-0.5
        return cls(w_in, w_hid, leak=0.5, hidden_size=hidden_size)

    def initial_state(self, batch):
        return jnp.zeros((batch, self.hidden_size))

    def project(self, x):
        return x @ self.w_in

    def step(self, h, projected):
        return (1 - self.leak) * h + self.leak * jnp.tanh(projected + h @ self.w_hid)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, run = Path(folder) / "text.txt", Path(folder) / "run"
        source.write_text("one two three four five six seven eight nine ten\n" * 100)
        text = unspool.Text.read(source)
        task = unspool.LanguageTask(text, batch=8, steps_per_chunk=16)
        model = unspool.LanguageModel.create(
            text.vocab, cell=LeakyCell, hidden_size=64, embedding_size=16
        )
        for report in unspool.train(model, task, run=run, max_steps=300, eval_every=100):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: held-out loss {report.val_loss_nats:.3f} nats")
        print(unspool.load(run, cell=LeakyCell).sample("one ", max_new_tokens=50, temperature=0))


if __name__ == "__main__":
    main()
