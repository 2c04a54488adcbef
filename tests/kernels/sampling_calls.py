"""The sampling kernel called through its C entry point, and the same network in NumPy.

Every array stands between guard words. Weights are packed by the functions that users' models
go through.
"""

import ctypes
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from tests import naive
from tests.kernels.native_calls import GATES, LIBRARY, Guarded

from unspool.kernels.sampling import pack, quantise

STEPS = {"rnn": naive.rnn_step, "lstm": naive.lstm_step, "gru": naive.gru_step}
WEIGHTS = ("float32", "bfloat16", "int8")

WORDS, POINTER = ctypes.c_int64, ctypes.c_void_p
LAYER_POINTERS = ["w_ih", "w_hh", "ih_scale", "hh_scale", "bias", "b_hn", "h0", "c0", "h", "c"]


class LayerFields(ctypes.Structure):
    """SamplingLayer of kernels.h."""

    _fields_ = (
        ("inputs", WORDS),
        ("hidden", WORDS),
        *((name, POINTER) for name in LAYER_POINTERS),
    )


class SampleFields(ctypes.Structure):
    """Sample of kernels.h."""

    _fields_ = (
        *((name, WORDS) for name in ["steps", "batch", "vocab", "table_columns", "layer_count"]),
        ("gates", ctypes.c_int32),
        ("weight_type", ctypes.c_int32),
        *(
            (n, POINTER)
            for n in ["layers", "table", "w_out", "out_scale", "b_out", "first", "given", "noise"]
        ),
        ("temperature", ctypes.c_float),
        ("top_k", WORDS),
        ("top_p", ctypes.c_float),
        ("tokens", POINTER),
        ("token_stride", WORDS),
    )


class Rule(NamedTuple):
    temperature: float = 1.0
    top_k: int = 2**31 - 1
    top_p: float = 1.0


def draw_network(rng, cell, batch, vocab, hiddens, inputs):
    """A network's arrays by name; `inputs` is 0 where the table holds projected inputs."""
    gates, layers = GATES[cell], []

    def normal(*shape, scale=1.0):
        return (rng.normal(size=shape) * scale).astype(np.float32)

    for below, hidden in zip([inputs, *hiddens], hiddens, strict=False):
        layers.append(
            {
                "w_ih": normal(gates * hidden, below, scale=max(1, below) ** -0.5),
                "w_hh": normal(gates * hidden, hidden, scale=hidden**-0.5),
                "bias": normal(gates * hidden if below else 0),
                "b_hn": normal(hidden),
                "h0": normal(batch, hidden),
                "c0": normal(batch, hidden),
            }
        )
    return {
        "layers": layers,
        "table": normal(vocab, inputs or gates * hiddens[0]),
        "w_out": normal(vocab, hiddens[-1], scale=3 * hiddens[-1] ** -0.5),
        "b_out": normal(vocab),
    }


# ---- the kernel ----


class Arrays:
    """Guarded arrays by name, and what they held; empty ones have no address."""

    def __init__(self):
        self.guarded, self.held = {}, {}

    def add(self, name, array):
        if array is None or array.size == 0:
            return None
        self.guarded[name], self.held[name] = Guarded(array), array.tobytes()
        return self.guarded[name].address

    def matrix(self, name, w, gates, weights):
        """The addresses of packed weights and their scale."""
        values, scale = quantise(w, weights)
        return self.add(name, pack(values, gates)), self.add(f"{name} scale", scale)

    def check(self, results):
        """Nothing was written but the results."""
        for name, guarded in self.guarded.items():
            guarded.check()
            unchanged = guarded.array.tobytes() == self.held[name]
            assert unchanged or name in results, f"{name} was written to"


def layer_fields(arrays, number, layer, cell, weights):
    """One layer's structure; of its results h and c every number is NaN before the call."""
    inputs, hidden, gates = layer["w_ih"].shape[1], layer["w_hh"].shape[1], GATES[cell]
    fields = LayerFields(inputs, hidden)
    if inputs:
        fields.w_ih, fields.ih_scale = arrays.matrix(
            (number, "w_ih"), layer["w_ih"], gates, weights
        )
    fields.w_hh, fields.hh_scale = arrays.matrix((number, "w_hh"), layer["w_hh"], gates, weights)
    unwritten = np.full_like(layer["h0"], np.nan)
    used = {"bias": layer["bias"], "h0": layer["h0"], "h": unwritten}
    used |= {"b_hn": layer["b_hn"]} if cell == "gru" else {}
    used |= {"c0": layer["c0"], "c": unwritten} if cell == "lstm" else {}
    for name, array in used.items():
        setattr(fields, name, arrays.add((number, name), array))
    return fields


def prepare(cell, weights, network, first, given, noise, rule):
    """The arguments of a call, and the arrays that they point to."""
    arrays = Arrays()
    layers = [
        layer_fields(arrays, number, layer, cell, weights)
        for number, layer in enumerate(network["layers"])
    ]
    vocab, columns = network["table"].shape
    shape = len(first), len(given)
    w_out, out_scale = arrays.matrix("w_out", network["w_out"], 1, weights)
    call = SampleFields(
        shape[1], shape[0], vocab, columns, len(layers), GATES[cell], WEIGHTS.index(weights),
        None, arrays.add("table", network["table"]), w_out, out_scale,
        arrays.add("b_out", network["b_out"]), arrays.add("first", first),
        arrays.add("given", given), arrays.add("noise", noise), *rule,
        arrays.add("tokens", np.full(shape, -7, np.int32)), shape[1],
    )  # fmt: skip
    call.alive = arrays, (LayerFields * len(layers))(*layers)
    call.layers = ctypes.addressof(call.alive[1])
    return call, arrays


def run_native(cell, weights, network, first, given, noise, rule, threads=1):
    """Tokens (B, T) and the states, (h,) or (h, c), of every layer."""
    call, arrays = prepare(cell, weights, network, first, given, noise, rule)
    assert LIBRARY.unspool_sample(ctypes.byref(call), threads) == 0
    numbers = range(len(network["layers"]))
    arrays.check({"tokens", *((n, s) for n in numbers for s in "hc")})
    state = "hc" if cell == "lstm" else "h"
    states = [tuple(arrays.guarded[n, s].array for s in state) for n in numbers]
    tokens = arrays.guarded["tokens"].array if len(given) else np.zeros((len(first), 0), np.int32)
    return tokens, states


# ---- the reference ----


def run_naive(cell, weights, network, fed):
    """Logits (B, T, V) and last states in float64, the tokens `fed` (B, T) given."""
    cells = [rounded_cell(cell, weights, layer) for layer in network["layers"]]
    w_out = rounded(network["w_out"], weights)
    logits = np.zeros((*fed.shape, len(w_out)))
    last = []
    with np.errstate(all="ignore"):
        for row, tokens in enumerate(fed):
            states = [
                tuple(layer[s][row].astype(np.float64) for s in ("h0", "c0"))[
                    : 1 + (cell == "lstm")
                ]
                for layer in network["layers"]
            ]
            for t, token in enumerate(tokens):
                x = network["table"][token].astype(np.float64)
                for i, layer_cell in enumerate(cells):
                    states[i] = STEPS[cell](layer_cell, x, *states[i])
                    x = states[i][0]
                logits[row, t] = w_out @ x + network["b_out"]
            last.append(states)
    return logits, [
        tuple(np.stack(leaf) for leaf in zip(*layer, strict=True))
        for layer in zip(*last, strict=True)
    ]


def rounded(w, weights):
    """The matrix in float64 as the kernel reads it; in NumPy, where no shape needs compiling."""
    values, scale = quantise(w, weights)
    return np.float64(values.astype(np.float32) * (scale[:, None] if scale.size else 1))


def rounded_cell(cell, weights, layer):
    """What naive.py reads of a cell. A projected input needs no product but the identity's."""
    hidden = layer["w_hh"].shape[1]
    has_inputs = layer["w_ih"].shape[1] > 0
    return SimpleNamespace(
        norm=None,
        hidden_size=hidden,
        w_ih=rounded(layer["w_ih"], weights) if has_inputs else np.eye(GATES[cell] * hidden),
        w_hh=rounded(layer["w_hh"], weights),
        bias=layer["bias"] if has_inputs else np.zeros(GATES[cell] * hidden),
        b_hn=layer["b_hn"].astype(np.float64),
    )


def near_tie(logits, noise, rule, tolerance):
    """Whether logits within the tolerance of these could lead to another choice."""
    scores = logits
    if noise is not None:
        order = np.argsort(-logits)
        ranked = logits[order] / rule.temperature
        count = kept = min(rule.top_k, len(ranked))
        if rule.top_p < 1:
            mass = np.cumsum(np.exp(ranked[:count] - ranked[0]))
            mass /= mass[-1]
            kept = min(count, 1 + np.sum(mass < rule.top_p))
            if np.abs(mass - rule.top_p).min() < tolerance:
                return True
        if any(ranked[end - 1] - ranked[end] < tolerance for end in {count, kept} - {len(ranked)}):
            return True
        scores = ranked[:kept] + noise[order[:kept]]
    return len(scores) > 1 and np.diff(np.sort(-scores)[:2])[0] < tolerance
