"""The contract of a recurrent cell: f_W, one step at a time."""

from abc import abstractmethod
from collections.abc import Mapping
from math import inf
from numbers import Integral
from typing import Any, ClassVar, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..errors import ConfigError
from ..products import affine, look_up

State = Any  # an array or a NamedTuple of arrays, batch first


class Quantity(NamedTuple):
    """A number that every unit has at every step: what it is, and its range."""

    meaning: str
    low: float = -1.0
    high: float = 1.0

    @property
    def is_bounded(self) -> bool:
        """Whether the range is finite; otherwise values are shown by their tanh."""
        return self.high - self.low < inf

    @property
    def shown_range(self) -> tuple[float, float]:
        """The range of what is shown."""
        return (self.low, self.high) if self.is_bounded else (-1.0, 1.0)

    def shown_as(self, name: str) -> str:
        """What is shown of the quantity of this name."""
        return name if self.is_bounded else f"tanh({name})"


class Cell(eqx.Module):
    """h_t = f_W(h_{t-1}, x_t), split into the part without the state and the rest.

    `project` is the input half: it needs no state, so `unroll` computes it for every time step at
    once. `step` is the recurrent half and has the rest of the equations. To add a cell, implement
    three methods; it then works in every model, with automatic gradients. The other members say
    what models and inspection need to know of a cell, and their defaults fit such a cell
    (docs/extending.md):

        class LeakyCell(unspool.Cell):
            w_in: Array
            w_hid: Array
            leak: float = eqx.field(static=True)
            hidden_size: int = eqx.field(static=True)

            def initial_state(self, batch):
                return jnp.zeros((batch, self.hidden_size))

            def project(self, x):
                return x @ self.w_in

            def step(self, h, projected):
                return (1 - self.leak) * h + self.leak * jnp.tanh(projected + h @ self.w_hid)
    """

    # The arrays of the state and what `gates` returns, by name, in the order in which they are
    # shown and in which the rows of weights stand.
    state_names: ClassVar[Mapping[str, Quantity]] = {"h": Quantity("hidden state")}
    gate_names: ClassVar[Mapping[str, Quantity]] = {}
    # Whether `project` takes token ids as well; models give other cells one-hot vectors.
    takes_token_ids: ClassVar[bool] = False

    hidden_size: eqx.AbstractVar[int]

    @classmethod
    def quantities(cls) -> dict[str, Quantity]:
        """What a step leaves, by name: the state, then the gates."""
        return {**cls.state_names, **cls.gate_names}

    @classmethod
    def create(cls, input_size: int, hidden_size: int, *, key: PRNGKeyArray) -> Self:
        """Create a cell with new weights. One with layer norm takes `layer_norm` too."""
        raise ConfigError(
            f"{cls.__name__} has no classmethod create(input_size, hidden_size, *, key)",
            "write one, or give the model such a function instead of the class",
        )

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """Return the state before the first step: leaves of shape (B, ...)."""

    @abstractmethod
    def project(self, x: Array) -> Array:
        """Compute the input half for any leading axes: (..., D) to (..., P); for token ids
        (...).
        """

    @abstractmethod
    def step(self, state: State, projected: Float[Array, "B P"]) -> State:
        """Compute the recurrent half: the state after one step."""

    def gates(self, state: State, projected: Float[Array, "B P"]) -> dict[str, Array]:
        """Return what a step computes besides its state, by name, (B, H) each: for `inspection`."""
        return {}

    def output(self, state: State) -> Float[Array, "B H"]:
        """Return what the next layer sees of a state: the state itself, or its field `h`."""
        return state.h if hasattr(state, "h") else state

    def starting_state(self, h: Float[Array, "B H"]) -> State:
        """The state that a decoder begins with: `h` where `output` reads it, else initial."""
        zero = self.initial_state(len(h))
        if hasattr(zero, "h"):
            return eqx.tree_at(lambda state: state.h, zero, h)
        if eqx.is_array(zero) and zero.shape == h.shape:
            return h
        raise ConfigError(
            f"{type(self).__name__} has a state without h: a decoder needs its starting_state(h)"
        )

    @property
    def has_layer_norm(self) -> bool:
        """Whether it normalises its sums."""
        return False

    @property
    def input_weights(self) -> tuple[Float[Array, "P D"], ...]:
        """The matrices that `project` multiplies inputs by, a column each for token ids."""
        return ()

    @property
    def recurrent_weights(self) -> tuple[Float[Array, "P H"], ...]:
        """The matrices that `step` multiplies the state by: those that `weight_drop` acts on."""
        return ()


class MatrixCell(Cell):
    """A cell with one matrix for its inputs, one for its state, and layer norm if it is given."""

    takes_token_ids: ClassVar[bool] = True

    w_ih: eqx.AbstractVar[Array]
    w_hh: eqx.AbstractVar[Array]
    norm: eqx.AbstractVar[Any]

    @property
    def has_layer_norm(self) -> bool:
        return self.norm is not None

    @property
    def input_weights(self) -> tuple[Float[Array, "P D"], ...]:
        return (self.w_ih,)

    @property
    def recurrent_weights(self) -> tuple[Float[Array, "P H"], ...]:
        return (self.w_hh,)


def state_arrays(state: State) -> dict[str, Array]:
    """The arrays of a state by name: those of its fields, "h" for a state that is one array."""
    named = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator=".") or "h": a for path, a in named}


def project_inputs(
    x: Float[Array, "*N D"] | Int[Array, "*N"],
    w_ih: Float[Array, "P D"],
    bias: Float[Array, "P"] | None = None,
) -> Float[Array, "*N P"]:
    """Return `x @ w_ih.T`, plus `bias`; for token ids the matching columns of `w_ih`, gathered.

    A token id stands for its one-hot vector, and the product of a matrix with a one-hot vector is
    one of its columns: no one-hot vector is formed and nothing is multiplied.
    """
    if not jnp.issubdtype(x.dtype, jnp.integer):
        return x @ w_ih.T if bias is None else affine(x, w_ih, bias)
    if w_ih.shape[1] < x.size:
        return look_up(w_ih.T if bias is None else w_ih.T + bias, x)
    columns = w_ih.T[x]  # if they are few, XLA gathers them without transposing the matrix
    return columns if bias is None else columns + bias


def check_sizes(**sizes: int) -> None:
    """Raise ConfigError unless every size is a whole number from 1 to 2^31 - 1, as in XLA."""
    for name, value in sizes.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{name} must be a whole number of at least 1, got {value!r}")
        if value >= 2**31:
            raise ConfigError(f"{name} must be below {2**31}, got {value}")
