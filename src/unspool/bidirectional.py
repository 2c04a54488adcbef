"""Read a sequence in both directions: one cell forwards, another backwards."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from . import kernels
from .cells import Cell, CreateCell, cell_factory


class Bidirectional(eqx.Module):
    """outputs_t = [h_t of the forward cell, h_t of the backward cell]

    The backward cell starts at each row's last step (Schuster and Paliwal 1997), so that a padded
    batch gives the outputs of its rows run alone.
    """

    forward: Cell
    backward: Cell

    @classmethod
    def create(
        cls,
        input_size: int,
        hidden_size: int,
        *,
        cell: str | CreateCell = "lstm",
        layer_norm: bool = False,
        key: PRNGKeyArray,
    ) -> "Bidirectional":
        """Create both cells; `cell` is a name, or a class or function of your own."""
        create = cell_factory(cell)
        k_forward, k_backward = jax.random.split(key)
        return cls(
            create(input_size, hidden_size, layer_norm=layer_norm, key=k_forward),
            create(input_size, hidden_size, layer_norm=layer_norm, key=k_backward),
        )

    def __call__(
        self, xs: Float[Array, "T B D"], lengths: Int[Array, "B"]
    ) -> tuple[Float[Array, "T B 2*H"], Float[Array, "B 2*H"]]:
        """Return time-major outputs, zero in padding, and both last outputs side by side."""
        joined = kernels.join_directions(self.forward, self.backward)
        if joined is not None:
            first = [cell.initial_state(xs.shape[1]) for cell in (self.forward, self.backward)]
            state = jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=-1), *first)
            outputs, last = kernels.run(joined, joined.project(xs), state, lengths)
            return outputs, joined.output(last)
        ahead, h_ahead = run_cell(self.forward, xs, lengths)
        back, h_back = run_cell(self.backward, reverse(xs, lengths), lengths)
        outputs = jnp.concatenate([ahead, reverse(back, lengths)], axis=-1)
        return outputs, jnp.concatenate([h_ahead, h_back], axis=-1)


def run_cell(
    cell: Cell, xs: Float[Array, "T B D"], lengths: Int[Array, "B"]
) -> tuple[Float[Array, "T B H"], Float[Array, "B H"]]:
    """Return the outputs of all steps and the last one, from the initial state."""
    outputs, state = kernels.run(cell, cell.project(xs), cell.initial_state(xs.shape[1]), lengths)
    return outputs, cell.output(state)


@jax.custom_vjp
def reverse(xs: Float[Array, "T B D"], lengths: Int[Array, "B"]) -> Float[Array, "T B D"]:
    """Reverse each row's first `lengths[b]` steps; leave its padding in place."""
    steps, batch, size = xs.shape
    t = jnp.arange(steps)[:, None]
    where = jnp.where(t < lengths, lengths - 1 - t, t) * batch + jnp.arange(batch)
    return xs.reshape(-1, size).at[where].get(mode="promise_in_bounds")


def _reverse_forward(xs: Array, lengths: Array) -> tuple[Array, Array]:
    return reverse(xs, lengths), lengths


def _reverse_backward(lengths: Array, d_xs: Array) -> tuple[Array, None]:
    # Reversing is its own inverse; automatic gradients would scatter, which is several times
    # slower.
    return reverse(d_xs, lengths), None


reverse.defvjp(_reverse_forward, _reverse_backward)
