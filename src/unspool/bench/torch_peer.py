"""torch.nn as its users write it: nn.LSTM with fused Adam; an eager loop for sampling."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..models.language import LanguageModel
from ..tasks.text.task import LanguageTask
from .ours import BETAS, CLIP_NORM, LEARNING_RATE
from .timing import Run
from .workloads import Workload

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Model(nn.Module):
    """The same function as `model`, with its weights; one-hot inputs come from a look-up."""

    def __init__(self, workload: Workload, model: LanguageModel) -> None:
        super().__init__()
        size = model.vocab_size
        self.one_hot = nn.Embedding.from_pretrained(torch.eye(size))
        self.rnn = CELLS[workload.cell](size, workload.hidden, workload.layers, batch_first=True)
        self.head = nn.Linear(workload.hidden, size)
        with torch.no_grad():
            self._copy(workload, model)

    def _copy(self, workload: Workload, model: LanguageModel) -> None:
        _fill(self.head.weight, model.output_weights)
        _fill(self.head.bias, model.b_out)
        cell: Any
        for layer, cell in enumerate(model.stack.cells):
            _fill(getattr(self.rnn, f"weight_ih_l{layer}"), cell.w_ih)
            _fill(getattr(self.rnn, f"weight_hh_l{layer}"), cell.w_hh)
            _fill(getattr(self.rnn, f"bias_ih_l{layer}"), cell.bias)
            recurrent_bias = getattr(self.rnn, f"bias_hh_l{layer}").zero_()
            if workload.cell == "gru":
                _fill(recurrent_bias[2 * workload.hidden :], cell.b_hn)

    def forward(self, ids: Tensor, state: object = None) -> tuple[Tensor, object]:
        outputs, state = self.rnn(self.one_hot(ids), state)
        return self.head(outputs), state


def _fill(parameter: Tensor, values: object) -> None:
    parameter.copy_(torch.from_numpy(np.array(values)))


def training(workload: Workload, model: LanguageModel, task: LanguageTask, threads: int) -> Run:
    """As `ours.training`."""
    torch.set_num_threads(threads)
    network = Model(workload, model)
    trained = [p for p in network.parameters() if p.requires_grad]
    adam = torch.optim.Adam(trained, lr=LEARNING_RATE, betas=BETAS, fused=True)
    state, number = None, 0

    def run(units: int) -> float:
        nonlocal state, number
        for _ in range(units):
            chunk = task.batch(number)
            inputs, targets = (torch.from_numpy(x.astype(np.int64)) for x in chunk[:2])
            logits, state = network(inputs, state)
            state = tuple(s.detach() for s in state) if workload.cell == "lstm" else state.detach()
            loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, CLIP_NORM)
            adam.step()
            number += 1
        return loss.item()

    return run


def sampling(workload: Workload, model: LanguageModel, threads: int) -> Run:
    """As `ours.sampling`."""
    torch.set_num_threads(threads)
    network = Model(workload, model)

    def run(units: int) -> None:
        token, state = torch.zeros((1, 1), dtype=torch.long), None
        with torch.inference_mode():
            for _ in range(units):
                logits, state = network(token, state)
                token = torch.multinomial(torch.softmax(logits[0], dim=-1), 1)

    return run
