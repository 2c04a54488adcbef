"""How many tokens a second does a model write, one text at a time, beside torch and ONNX Runtime?

All sides: 65 tokens, the same layers, float32, all cores, temperature 1, one new token at a time
fed back, random weights. torch: eager modules under inference mode, as most scripts sample. ONNX
Runtime: a graph of one step, states handed in and out, the choice in NumPy. Medians of
interleaved repeats. `weights_gb_per_s` is the rate at which our kernel reads its weights, beside
that of summing an array of their size with torch on all cores.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from unspool import LanguageModel
from unspool.decoding import LanguageStepper, sample
from unspool.kernels.native import threads

from .common import write_result

V, REPEATS = 65, 7
SHAPES = (("lstm", 2, 128), ("lstm", 2, 512), ("gru", 2, 512))
Writer = Callable[[int], Any]  # writes so many tokens


def unspool_writer(cell: str, layers: int, hidden: int, weights: str) -> Writer:
    model = LanguageModel.create(V, cell=cell, num_layers=layers, hidden_size=hidden)
    stepper = LanguageStepper(model, weights)
    return lambda tokens: sample(stepper, [1], max_new_tokens=tokens)


def torch_writer(cell: str, layers: int, hidden: int) -> Writer:
    embedding, head = nn.Embedding(V, hidden), nn.Linear(hidden, V)
    layer = getattr(nn, cell.upper())(hidden, hidden, layers, batch_first=True)

    @torch.inference_mode()
    def write(tokens: int) -> None:
        token, state = torch.ones(1, 1, dtype=torch.long), None
        for _ in range(tokens):
            hidden_state, state = layer(embedding(token), state)
            probabilities = torch.softmax(head(hidden_state[:, -1]), -1)
            token = torch.multinomial(probabilities, 1)

    return write


def onnx_writer(cell: str, layers: int, hidden: int) -> Writer:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    graph = _onnx_step(cell, layers, hidden).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()][1:]
    rng = np.random.default_rng(0)

    def write(tokens: int) -> None:
        token = np.ones((1, 1), np.int64)
        states = [np.zeros((1, 1, hidden), np.float32) for _ in names]
        for _ in range(tokens):
            feeds = {"token": token, **dict(zip(names, states, strict=True))}
            logits, *states = session.run(None, feeds)
            weights = np.exp(logits.ravel() - logits.max())
            drawn = np.searchsorted(np.cumsum(weights), rng.random() * weights.sum())
            token = np.full((1, 1), drawn, np.int64)

    return write


def _onnx_step(cell: str, layers: int, hidden: int) -> Any:
    """ids -> embedding -> layers -> logits, with h (and c) of every layer as input and output."""
    rng = np.random.default_rng(0)
    gates, kinds = {"lstm": (4, "hc"), "gru": (3, "h")}[cell]
    constants: dict[str, Any] = {
        "embedding": rng.normal(0, 0.1, (V, hidden)),
        "w_out": rng.normal(0, 0.1, (hidden, V)),
    }
    nodes = [helper.make_node("Gather", ["embedding", "token"], ["x0"])]
    inputs = [helper.make_tensor_value_info("token", TensorProto.INT64, [1, 1])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, V])]
    for n in range(layers):
        for name, shape in (("w", (1, gates * hidden, hidden)), ("r", (1, gates * hidden, hidden))):
            constants[f"{name}{n}"] = rng.normal(0, 0.05, shape)
        states = [f"{kind}{n}" for kind in kinds]
        for name in states:
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, hidden]))
            out = helper.make_tensor_value_info(f"{name}_new", TensorProto.FLOAT, [1, 1, hidden])
            outputs.append(out)
        given = [f"x{n}", f"w{n}", f"r{n}", "", "", *states]
        made = [f"y{n}", *(f"{name}_new" for name in states)]
        extra = {"linear_before_reset": 1} if cell == "gru" else {}
        nodes.append(helper.make_node(cell.upper(), given, made, hidden_size=hidden, **extra))
        axes = numpy_helper.from_array(np.array([1]), "axis")
        nodes.append(helper.make_node("Squeeze", [f"y{n}", "axis"], [f"x{n + 1}"]))
    nodes.append(helper.make_node("MatMul", [f"x{layers}", "w_out"], ["logits"]))
    tensors = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "step", inputs, outputs, [*tensors, axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def weight_bytes(cell: str, layers: int, hidden: int) -> int:
    """float32 weights that a token must read; of the first input weights only a row."""
    gates = {"lstm": 4, "gru": 3}[cell]
    return 4 * (gates * hidden * hidden * (2 * layers - 1) + V * hidden + gates * hidden)


def read_seconds(size: int, repeats: int = 200) -> float:
    """Seconds to read an array of so many bytes on all cores, as fast as torch sums it."""
    numbers = torch.ones(size // 4)
    began = time.perf_counter()
    for _ in range(repeats):
        numbers.sum()
    return (time.perf_counter() - began) / repeats


def measure(cell: str, layers: int, hidden: int) -> dict[str, Any]:
    writers = {
        "unspool float32": (unspool_writer(cell, layers, hidden, "float32"), 2000),
        "unspool bfloat16": (unspool_writer(cell, layers, hidden, "bfloat16"), 2000),
        "unspool int8": (unspool_writer(cell, layers, hidden, "int8"), 2000),
        "onnxruntime": (onnx_writer(cell, layers, hidden), 200),
        "torch eager": (torch_writer(cell, layers, hidden), 100),
    }
    rates: dict[str, list[float]] = {name: [] for name in writers}
    reads = []
    for repeat in range(REPEATS + 1):
        for name, (write, tokens) in writers.items():
            began = time.perf_counter()
            write(tokens)
            if repeat:  # the first one compiles
                rates[name].append(tokens / (time.perf_counter() - began))
        reads.append(read_seconds(weight_bytes(cell, layers, hidden)))
    rate = {name: statistics.median(found) for name, found in rates.items()}
    ours, size = rate["unspool float32"], weight_bytes(cell, layers, hidden)
    return {
        "tokens_per_s": {name: round(value) for name, value in rate.items()},
        "times_torch": round(ours / rate["torch eager"], 1),
        "times_onnxruntime": round(ours / rate["onnxruntime"], 2),
        "int8_times_float32": round(rate["unspool int8"] / ours, 2),
        "weights_gb_per_s": round(ours * size / 1e9, 1),
        "read_gb_per_s": round(size / statistics.median(reads) / 1e9, 1),
    }


def main() -> None:
    torch.set_num_threads(threads())
    answer = {}
    for cell, layers, hidden in SHAPES:
        answer[f"{cell} {layers}x{hidden}"] = found = measure(cell, layers, hidden)
        print(cell, layers, hidden, found, flush=True)
    write_result("sampling", {"threads": threads(), "shapes": answer})


if __name__ == "__main__":
    main()
