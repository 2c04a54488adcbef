"""The native kernels called directly, each array between guard words, and a scan to compare with.

The kernels are called through their C entry points, so that no shape needs compiling. The scan is
compiled once for each cell, at the largest shape: smaller ones are padded with rows of length 0,
steps past the lengths and units of weight 0, none of which changes the rest.
"""

import ctypes
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from unspool.library import find_library

LIBRARY = ctypes.CDLL(str(find_library()))
LIBRARY.unspool_isas.restype = ctypes.c_char_p
ISAS = LIBRARY.unspool_isas().decode().split()

CELLS = ("rnn", "lstm", "gru")
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
MAX_STEPS, MAX_BATCH, MAX_HIDDEN = 7, 37, 133
# Of an array's largest entry, or of 0.1 where the O(1) terms of a sum have cancelled to less.
TOLERANCE = 1e-5


# ---- calling the C entry points ----

# The fields of the structures in kernels.h after the sizes, each with its shape: s a state (B, H),
# a digit d a sequence (T, B, d * H) (g: P instead of d * H), w the weights, l the lengths,
# u one number per unit, p one per output. Results follow the colon.
FIELDS = {
    "rnn_forward": "projected=1 w_hh=w h0=s lengths=l : hs=1 h_last=s",
    "rnn_backward": "hs=1 w_hh=w lengths=l d_hs=1 d_h_last=s : d_projected=1 d_h0=s",
    "lstm_forward": "projected=4 w_hh=w h0=s c0=s lengths=l : hs=1 cs=1 gates=4 h_last=s c_last=s",
    "lstm_backward": "gates=4 cs=1 c0=s w_hh=w lengths=l d_hs=1 d_h_last=s d_c_last=s : "
    "d_projected=4 d_h0=s d_c0=s",
    "gru_forward": "projected=3 w_hh=w b_hn=u h0=s lengths=l : hs=1 gates=3 hn=1 h_last=s",
    "gru_backward": "gates=3 hn=1 hs=1 h0=s w_hh=w lengths=l d_hs=1 d_h_last=s : "
    "d_projected=3 d_recurrent=3 d_b_hn=s d_h0=s",
    "weight_gradient": "d=g hs=1 h0=s lengths=l : d_weights=w d_bias=p",
}
GUARD_WORDS = 67  # odd, so that arrays are not aligned to more than 4 bytes
GUARD = np.float32(np.nan).view(np.uint32) | np.uint32(0x5A5A)  # NaN: whoever reads it shows it


class Guarded:
    """An array between guard words."""

    def __init__(self, array):
        assert array.nbytes % 4 == 0
        self.words = np.full(array.nbytes // 4 + 2 * GUARD_WORDS, GUARD, np.uint32)
        self.array = self.words[GUARD_WORDS:-GUARD_WORDS].view(array.dtype).reshape(array.shape)
        self.array[...] = array

    @property
    def address(self):
        return self.array.ctypes.data

    def check(self):
        assert (self.words[:GUARD_WORDS] == GUARD).all(), "written before the array"
        assert (self.words[-GUARD_WORDS:] == GUARD).all(), "written past the array"


def call(name, sizes, arguments, threads=1, null=(), in_place=None):
    """Run a kernel on guarded copies of the arguments; returns its results by name.

    `sizes` are T, B, H and, for the weight gradient, the number of outputs P. `null` results are
    not asked for; `in_place` is a pair (argument, result) that is to be one.
    """
    steps, batch, hidden, *outputs = sizes
    given_fields, result_fields = (
        dict(f.split("=") for f in part.split()) for part in FIELDS[name].split(":")
    )
    guarded = {field: Guarded(arguments[field]) for field in given_fields}
    for field, kind in result_fields.items():
        if kind == "w":
            shape = outputs[0], hidden
        elif kind == "p":
            shape = (outputs[0],)
        else:
            shape = (batch, hidden) if kind == "s" else (steps, batch, int(kind) * hidden)
        if in_place and field == in_place[1]:
            guarded[field] = guarded[in_place[0]]
        elif field not in null:
            guarded[field] = Guarded(np.full(shape, np.nan, np.float32))
    fields = [*given_fields, *result_fields]
    addresses = [guarded[f].address if f in guarded else 0 for f in fields]
    numbers = [steps, batch, hidden, 1, *outputs, *addresses]  # 1: direction
    packed = (ctypes.c_int64 * len(numbers))(*numbers)
    assert getattr(LIBRARY, f"unspool_{name}")(packed, threads) == 0
    for field in guarded:
        guarded[field].check()
    for field in given_fields:
        if not (in_place and field == in_place[0]):
            np.testing.assert_array_equal(
                guarded[field].array, arguments[field], err_msg=f"{field} was written to"
            )
    return {field: guarded[field].array for field in result_fields if field in guarded}


IN_PLACE = {
    "rnn_forward": ("projected", "hs"),
    "lstm_forward": ("projected", "gates"),
    "gru_forward": ("projected", "gates"),
    "rnn_backward": ("hs", "d_projected"),
    "lstm_backward": ("gates", "d_projected"),
    "gru_backward": ("gates", "d_projected"),
}


def run_native(cell, inputs, threads=1, overwrite=False):
    """Forward, backward and weight gradient: all that the scan returns, by the same names."""
    steps, batch, _ = inputs["projected"].shape
    sizes = steps, batch, inputs["h0"].shape[1]
    place = IN_PLACE if overwrite else {}
    forward = call(f"{cell}_forward", sizes, inputs, threads, in_place=place.get(f"{cell}_forward"))
    kept = {name: array.copy() for name, array in forward.items()}
    backward = call(
        f"{cell}_backward", sizes, inputs | kept, threads, in_place=place.get(f"{cell}_backward")
    )
    d_recurrent = backward.get("d_recurrent", backward["d_projected"])
    arguments = {"d": d_recurrent, "hs": kept["hs"]}
    arguments |= {name: inputs[name] for name in ("h0", "lengths")}
    outputs = GATES[cell] * sizes[2]
    gradient = call("weight_gradient", (*sizes, outputs), arguments, threads, null=("d_bias",))
    return forward | backward | {"d_w_hh": gradient["d_weights"]}


# ---- the reference ----


def scan_step(cell, state, p, w, b_hn):
    """One step of the equations, with its own b_hn (B, H): the state and what is stored of it."""
    h, c = state
    m = h @ w.T
    if cell == "rnn":
        return (jnp.tanh(p + m), c), {}
    if cell == "lstm":
        i, f, g, o = jnp.split(p + m, 4, -1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        c = f * c + i * g
        return (o * jnp.tanh(c), c), {"cs": c, "gates": (i, f, g, o)}
    (pr, pz, pn), (mr, mz, mn) = jnp.split(p, 3, -1), jnp.split(m, 3, -1)
    r, z, mn = jax.nn.sigmoid(pr + mr), jax.nn.sigmoid(pz + mz), mn + b_hn
    n = jnp.tanh(pn + r * mn)
    return ((1 - z) * n + z * h, c), {"hn": mn, "gates": (r, z, n)}


def scan(cell, projected, w_hh, hn, h0, c0, lengths):
    """All steps. `hn` (T, B, H) is b_hn at every step and row: its gradient is W_hn h + b_hn's."""

    def step(state, x):
        t, p, b_hn = x
        live = (t < lengths)[:, None]
        new, stored = scan_step(cell, state, p, w_hh, b_hn)
        state = jax.tree.map(lambda a, b: jnp.where(live, a, b), new, state)
        return state, jax.tree.map(lambda a: jnp.where(live, a, 0), {"hs": new[0], **stored})

    (h_last, c_last), stored = jax.lax.scan(
        step, (h0, c0), (jnp.arange(len(projected)), projected, hn)
    )
    return stored | {"h_last": h_last, "c_last": c_last}


@partial(jax.jit, static_argnums=0)
def scan_and_gradients(cell, differentiable, lengths, d_hs, d_h_last, d_c_last):
    def outputs(differentiable):
        stored = scan(cell, lengths=lengths, **differentiable)
        return (stored["hs"], stored["h_last"], stored["c_last"]), stored

    _, pull, stored = jax.vjp(outputs, differentiable, has_aux=True)
    (gradients,) = pull((d_hs, d_h_last, d_c_last))
    return stored | {f"d_{name}": gradient for name, gradient in gradients.items()}


def run_scan(cell, inputs, padded_to, dtype):
    """The reference on inputs padded to the sizes (T, B, H), its results cut back."""
    (steps, batch, _), hidden = inputs["projected"].shape, inputs["h0"].shape[1]
    _, big_batch, big_hidden = padded_to

    def pad(array, shape):
        return np.pad(
            array, [(0, big - small) for small, big in zip(array.shape, shape, strict=True)]
        )

    def pad_gates(array, shape):  # the last axis holds several gates, each padded by itself
        split = array.reshape(*array.shape[:-1], -1, hidden)
        return pad(split, (*shape, split.shape[-2], big_hidden)).reshape(*shape, -1)

    state, sequence = (big_batch, big_hidden), padded_to[:2]
    with jax.enable_x64(dtype == np.float64):
        cast = partial(jnp.asarray, dtype=dtype)
        differentiable = {
            "projected": cast(pad_gates(inputs["projected"], sequence)),
            "w_hh": cast(pad_gates(inputs["w_hh"].T, (big_hidden,)).T),
            "hn": cast(
                np.broadcast_to(pad(inputs["b_hn"], (big_hidden,)), (*sequence, big_hidden))
            ),
            "h0": cast(pad(inputs["h0"], state)),
            "c0": cast(pad(inputs["c0"], state)),
        }
        results = scan_and_gradients(
            cell,
            differentiable,
            jnp.asarray(pad(inputs["lengths"], (big_batch,))),
            cast(pad_gates(inputs["d_hs"], sequence)),
            cast(pad(inputs["d_h_last"], state)),
            cast(pad(inputs["d_c_last"], state)),
        )
        results = jax.tree.map(np.asarray, results)
    if "gates" in results:
        results["gates"] = np.concatenate([gate[..., :hidden] for gate in results["gates"]], -1)

    def cut(name, array):
        if name == "d_w_hh":
            return array.reshape(-1, big_hidden, big_hidden)[:, :hidden, :hidden].reshape(
                -1, hidden
            )
        if name in ("d_projected", "d_recurrent"):
            split = array.reshape(*array.shape[:2], -1, big_hidden)[:steps, :batch, :, :hidden]
            return split.reshape(steps, batch, -1)
        if array.ndim == 3:
            return array[:steps, :batch] if name == "gates" else array[:steps, :batch, :hidden]
        return array[:hidden] if array.ndim == 1 else array[:batch, :hidden]

    hidden_gates = results["d_projected"].shape[-1] - big_hidden  # all but the GRU's new gate
    results["d_recurrent"] = np.concatenate(
        [results["d_projected"][..., :hidden_gates], results["d_hn"]], -1
    )
    results["d_b_hn"] = results["d_hn"].sum(0)
    return {name: cut(name, array) for name, array in results.items()}


def draw_inputs(cell, steps, batch, hidden, seed, scale=1.0):
    rng, gates = np.random.default_rng(seed), GATES[cell]

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    return {
        "projected": normal(steps, batch, gates * hidden) * np.float32(scale),
        "w_hh": normal(gates * hidden, hidden) * np.float32(scale * hidden**-0.5),
        "b_hn": normal(hidden),
        "h0": normal(batch, hidden),
        "c0": normal(batch, hidden),
        "lengths": rng.integers(0, steps + 1, batch).astype(np.int32),
        "d_hs": normal(steps, batch, hidden),
        "d_h_last": normal(batch, hidden),
        "d_c_last": normal(batch, hidden),
    }


def assert_close(native, reference, in_float32=None):
    """Within the tolerance of the largest number, or of 0.1 where terms cancel; where float32 alone
    errs more, within four times the error of `in_float32()`, the reference in that type.
    """
    for name, array in native.items():
        expected = reference[name]
        assert array.shape == expected.shape, name
        error = np.abs(array - expected).max(initial=0)
        allowed = TOLERANCE * max(np.abs(expected).max(initial=0), 0.1)
        if error > allowed and in_float32 is not None:
            allowed = 4 * np.abs(in_float32()[name] - expected).max(initial=0)
        assert error <= allowed, f"{name}: {error}"
