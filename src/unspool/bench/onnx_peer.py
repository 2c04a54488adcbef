"""ONNX Runtime: a graph of one step, states in and out as NumPy arrays for every token."""

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from ..models.language import LanguageModel
from .timing import Run
from .workloads import GATES, Workload

# ONNX's order of the gates, as indices into ours (which is PyTorch's).
ORDER = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
CELLS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


def sampling(workload: Workload, model: LanguageModel, threads: int) -> Run:
    """As `ours.sampling`."""
    run_step, states = session(workload, model, threads)
    noise = np.random.default_rng(0)

    def run(units: int) -> None:
        feed = {"token": np.zeros((1, 1), np.int64), **states}
        for _ in range(units):
            logits, *new = run_step.run(None, feed)
            weights = np.exp(logits[0, 0] - logits.max())
            sampled = np.searchsorted(weights.cumsum(), noise.random() * weights.sum())
            token = np.array([[min(sampled, weights.size - 1)]], np.int64)
            feed = {"token": token, **dict(zip(states, new, strict=True))}

    return run


def session(
    workload: Workload, model: LanguageModel, threads: int
) -> tuple[Any, dict[str, np.ndarray]]:
    """Return a session of the step (token and states to logits and states), and zero states."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    graph = _graph(workload, model).SerializeToString()
    made = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    zeros = np.zeros((1, 1, workload.hidden), np.float32)
    return made, dict.fromkeys(_state_names(workload), zeros)


def _state_names(workload: Workload) -> list[str]:
    kinds = "hc" if workload.cell == "lstm" else "h"
    return [f"{kind}{layer}" for layer in range(workload.layers) for kind in kinds]


def _graph(workload: Workload, model: LanguageModel) -> Any:
    weights = {
        "one_hot": np.eye(model.vocab_size, dtype=np.float32),
        "w_out": np.asarray(model.output_weights).T,
        "b_out": np.asarray(model.b_out),
        "axis": np.array([1]),
    }
    nodes = [helper.make_node("Gather", ["one_hot", "token"], ["x0"])]
    for layer, cell in enumerate(model.stack.cells):
        weights |= _layer_weights(workload, cell, layer)
        nodes += _layer(workload, layer)
    nodes.append(helper.make_node("MatMul", [f"x{workload.layers}", "w_out"], ["scores"]))
    nodes.append(helper.make_node("Add", ["scores", "b_out"], ["logits"]))
    tensors = [numpy_helper.from_array(np.ascontiguousarray(w), n) for n, w in weights.items()]
    states = _state_names(workload)
    graph = helper.make_graph(
        nodes,
        "step",
        [helper.make_tensor_value_info("token", TensorProto.INT64, (1, 1)), *map(_state, states)],
        [_value("logits", (1, 1, model.vocab_size)), *(_state(f"{name}_new") for name in states)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _state(name: str) -> Any:
    return _value(name, (1, 1, None))


def _value(name: str, shape: tuple[int | None, ...]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _layer(workload: Workload, layer: int) -> list[Any]:
    states = [name for name in _state_names(workload) if name[1:] == str(layer)]
    flags = {"linear_before_reset": 1} if workload.cell == "gru" else {}
    inputs = [f"x{layer}", *(f"{name}{layer}" for name in ("w", "r", "b")), "", *states]
    outputs = [f"y{layer}", *(f"{name}_new" for name in states)]
    return [
        helper.make_node(
            CELLS[workload.cell], inputs, outputs, hidden_size=workload.hidden, **flags
        ),
        helper.make_node("Squeeze", [f"y{layer}", "axis"], [f"x{layer + 1}"]),
    ]


def _layer_weights(workload: Workload, cell: Any, layer: int) -> dict[str, np.ndarray]:
    recurrent_bias = np.zeros(GATES[workload.cell] * workload.hidden, np.float32)
    if workload.cell == "gru":
        recurrent_bias[2 * workload.hidden :] = cell.b_hn
    biases = [_reorder(workload, b) for b in (cell.bias, recurrent_bias)]
    return {
        f"w{layer}": _reorder(workload, cell.w_ih)[None],
        f"r{layer}": _reorder(workload, cell.w_hh)[None],
        f"b{layer}": np.concatenate(biases)[None],
    }


def _reorder(workload: Workload, rows: Any) -> np.ndarray:
    gates = np.split(np.asarray(rows), GATES[workload.cell])
    return np.concatenate([gates[g] for g in ORDER[workload.cell]])
