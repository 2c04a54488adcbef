"""How fast is a classifier trained, compared with the same model in torch with packed sequences?

The same batches of SST-2 (sentences of similar length), embeddings 128, a layer of 128 units in
both directions, the maximum over time, AdamW with clipping, no dropout, no average. Torch packs
every batch, so it computes no padding. Rounds of one epoch are interleaved in one process, after
an epoch that is not counted. Needs torch.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unspool

from .common import data_file, write_result

SIZE, RATE = 128, 2e-3


class Classifier(nn.Module):
    def __init__(self, vocab_size: int, cell: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, SIZE)
        kind = nn.GRU if cell == "gru" else nn.LSTM
        self.rnn = kind(SIZE, SIZE, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * SIZE, 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embedding(ids), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, _ = pad_packed_sequence(
            self.rnn(packed)[0], batch_first=True, padding_value=-torch.inf
        )
        return self.out(outputs.amax(dim=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--cell", choices=("gru", "lstm"), default="gru")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    data = unspool.LabelledData.read(
        data_file("sst2/train.txt"), val=data_file("sst2/dev.txt"), tokens="word"
    )
    task = unspool.ClassifyTask(data, batch=arguments.batch)
    epoch = task.buckets.per_epoch
    with tempfile.TemporaryDirectory() as folder:
        ours = unspool_steps(task, arguments.cell, Path(folder) / "run")
        theirs = torch_steps(task, arguments.cell, data.encoder.table_size)
        times = {"unspool": [], "torch": []}
        for _ in range(rounds + 1):
            for name, steps in (("unspool", ours), ("torch", theirs)):
                began = time.perf_counter()
                for _ in range(epoch):
                    next(steps)
                times[name].append(time.perf_counter() - began)
        ours.close()
    counted = {name: values[1:] for name, values in times.items()}
    medians = {name: statistics.median(values) for name, values in counted.items()}
    tokens = int(data.train.lengths.sum())
    answer = {
        "cell": arguments.cell,
        "batch": arguments.batch,
        "epoch_s": medians,
        "tokens_per_s": {name: round(tokens / value) for name, value in medians.items()},
        "ratio": medians["torch"] / medians["unspool"],
        "padding": task.buckets.padding,
        "steps_per_epoch": epoch,
        "threads": torch.get_num_threads(),
        "all_epochs_s": counted,
    }
    print(answer)
    write_result(f"sst2_speed-{arguments.cell}-{arguments.batch}", answer)


def unspool_steps(task: unspool.ClassifyTask, cell: str, run: Path) -> Iterator[float]:
    """Yield the time of each training step, by the public training loop."""
    model = unspool.Classifier.create(
        **task.data.model_options(), cell=cell, embedding_size=SIZE, hidden_size=SIZE
    )
    options = {"learning_rate": RATE, "schedule": "constant", "save_minutes": 1e6}
    for report in unspool.train(model, task, run=run, max_steps=10**6, eval_every=10**9, **options):
        if isinstance(report, unspool.StepReport):
            yield report.loss_nats


def torch_steps(task: unspool.ClassifyTask, cell: str, vocab_size: int) -> Iterator[float]:
    """Yield the time of each training step on the same batches."""
    model = Classifier(vocab_size, cell)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0)
    position = 0
    while True:
        ids, targets, lengths = (torch.from_numpy(a).long() for a in task.batch(position))
        real = lengths > 0  # torch refuses the empty rows that fill up an epoch's last batch
        loss = nn.functional.cross_entropy(model(ids[real], lengths[real]), targets[real])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        position += 1
        yield loss.item()


if __name__ == "__main__":
    main()
