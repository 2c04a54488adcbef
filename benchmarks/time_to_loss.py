"""How long until 1.886 and 1.60 nats on tiny Shakespeare, compared with a plain torch.nn LSTM?

Both sides: the same LSTM (one layer of 256 units, token ids into the input weights), batch, chunks,
carried state, AdamW, warm-up, cosine and clipping, float32, all cores. The clock starts before the
model is created and includes compilation; it is stopped while the whole held-out part (the last
10 %) is evaluated, every 50 steps on both sides. Repeats take turns.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from unspool import LanguageModel, LanguageTask, Text
from unspool.tasks.text.recipe import create_model, merge_options, train_text
from unspool.training import EvalReport

from .common import data_file, write_result
from .tiny_shakespeare import clocked

GOALS_NATS = (1.886, 1.60)
EVAL_EVERY = 50
RECIPE = {
    "cell": "lstm", "hidden": 256, "batch": 64, "steps_per_chunk": 32, "dropout": 0.1,
    "learning_rate": 8e-3, "max_steps": 2500, "eval_every": EVAL_EVERY, "sample_tokens": 0,
}  # fmt: skip

Point = tuple[float, float]  # seconds of training, held-out nats


def ours(source: str) -> Iterator[Point]:
    """Run Unspool's own loop, with evaluation and saving excluded from its clock."""
    with tempfile.TemporaryDirectory() as folder:
        reports = train_text((source,), Path(folder) / "run", merge_options(RECIPE))
        for report, _, trained in clocked(reports):
            if isinstance(report, EvalReport):
                yield trained, report.val_loss_nats


class TorchModel(nn.Module):
    """The same network: one-hot tokens into nn.LSTM, locked dropout, a linear head."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        (cell,) = model.stack.cells
        self.vocab_size = model.vocab_size
        self.lstm = nn.LSTM(self.vocab_size, cell.hidden_size, batch_first=True)
        self.out = nn.Linear(cell.hidden_size, self.vocab_size)
        named = {
            "lstm.weight_ih_l0": cell.w_ih, "lstm.weight_hh_l0": cell.w_hh,
            "lstm.bias_ih_l0": cell.bias, "lstm.bias_hh_l0": 0 * cell.bias,
            "out.weight": model.w_out, "out.bias": model.b_out,
        }  # fmt: skip
        self.load_state_dict({k: torch.tensor(v.tolist()) for k, v in named.items()})

    def forward(self, tokens: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        hidden, state = self.lstm(one_hot(tokens, self.vocab_size).float(), state)
        rate = RECIPE["dropout"]
        keep = torch.rand(len(tokens), 1, hidden.shape[2]) >= rate
        return self.out(hidden * keep / (1 - rate)), state

    def weights_for(self, model: LanguageModel) -> LanguageModel:
        """Return our model with these weights, so that one evaluation serves both sides."""
        arrays = {name: jnp.asarray(p.detach().numpy()) for name, p in self.named_parameters()}
        return eqx.tree_at(
            lambda m: (
                m.stack.cells[0].w_ih, m.stack.cells[0].w_hh, m.stack.cells[0].bias,
                m.w_out, m.b_out,
            ),
            model,
            (
                arrays["lstm.weight_ih_l0"], arrays["lstm.weight_hh_l0"],
                arrays["lstm.bias_ih_l0"] + arrays["lstm.bias_hh_l0"],
                arrays["out.weight"], arrays["out.bias"],
            ),
        )  # fmt: skip


def torchs(source: str) -> Iterator[Point]:
    """Run a plain torch loop over the same batches."""
    options = merge_options(RECIPE)
    spent, began = 0.0, time.perf_counter()
    text = Text.read(source)
    task = LanguageTask(text, batch=options.batch, steps_per_chunk=options.steps_per_chunk)
    start = create_model(len(text.vocab), options)
    model = TorchModel(start)
    adam = torch.optim.AdamW(
        model.parameters(),
        betas=(0.9, options.beta2),
        weight_decay=options.weight_decay,
        fused=True,
    )
    state = None
    for step in range(options.max_steps or 0):
        inputs, targets, wraps = task.batch(step)
        if state is not None:
            live = 1 - torch.from_numpy(wraps).float().reshape(1, -1, 1)
            state = tuple(part.detach() * live for part in state)
        for group in adam.param_groups:
            group["lr"] = options.rate(step, 0)
        logits, state = model(torch.from_numpy(inputs).long(), state)
        loss = cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets).long().flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), options.clip_norm)
        adam.step()
        spent += time.perf_counter() - began
        if (step + 1) % EVAL_EVERY == 0:
            yield spent, task.evaluate(model.weights_for(start)).loss_nats
        began = time.perf_counter()


def run_until_goals(points: Iterator[Point]) -> dict[str, Any]:
    """Return the seconds to each goal, and the curve up to the last of them."""
    curve: list[Point] = []
    for point in points:
        curve.append((round(point[0], 2), round(point[1], 4)))
        if point[1] <= min(GOALS_NATS):
            break
    reached = {
        str(goal): next((s for s, nats in curve if nats <= goal), None) for goal in GOALS_NATS
    }
    print(reached, flush=True)
    return {"seconds_to": reached, "curve": curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    source = str(data_file("tiny-shakespeare.txt"))
    runs: dict[str, list[Any]] = {"unspool": [], "torch": []}
    for _ in range(parser.parse_args().repeats):
        runs["unspool"].append(run_until_goals(ours(source)))
        runs["torch"].append(run_until_goals(torchs(source)))
    medians = {
        side: {
            goal: _median([r["seconds_to"][goal] for r in found]) for goal in map(str, GOALS_NATS)
        }
        for side, found in runs.items()
    }
    print(medians)
    write_result("time-to-loss", {"recipe": RECIPE, "median_seconds_to": medians, "runs": runs})


def _median(values: list[float | None]) -> float | None:
    reached = [value for value in values if value is not None]
    return statistics.median(reached) if len(reached) == len(values) else None


if __name__ == "__main__":
    main()
