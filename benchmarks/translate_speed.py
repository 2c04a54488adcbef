"""How fast are training and decoding, compared with the same encoder-decoder in torch.nn?

Multi30k in the recipe's batches (64 pairs of similar length), GRU 256 in both directions, Luong's
or Bahdanau's attention, one BPE vocabulary of 6,000 with one embedding, label smoothing, AdamW with
clipping, no dropout, no average. Torch's Luong model runs `nn.GRU` over packed sources and whole
targets; Bahdanau's is a loop over `nn.GRUCell`, as its equations ask for. Rounds are interleaved in
one process, after one that is not counted.

Decoding: test_2016_flickr by both with our trained weights. Torch's decoders are loops
over tokens: the straightforward one takes a sentence at a time, another batches of 32; greedy and
with a beam of 5. Needs torch.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import unspool
from unspool.tasks.translate.decode import translate

from .common import data_file, write_result

SIZE, RATE, SMOOTHING = 256, 2e-3, 0.1
STEPS = 40  # training steps per round
SENTENCES = 1000


class Peer(nn.Module):
    """The equations of `unspool.Translator`, in torch.nn."""

    def __init__(self, vocab_size: int, attention: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, SIZE)
        self.encoder = nn.GRU(SIZE, SIZE, batch_first=True, bidirectional=True)
        self.first = nn.Linear(2 * SIZE, SIZE)
        self.is_additive = attention == "bahdanau"
        if self.is_additive:
            self.cell = nn.GRUCell(3 * SIZE, SIZE)
            self.query, self.score = nn.Linear(SIZE, SIZE, bias=False), nn.Linear(SIZE, 1, False)
        else:
            self.decoder = nn.GRU(SIZE, SIZE, batch_first=True)
        self.key = nn.Linear(2 * SIZE, SIZE, bias=self.is_additive)
        self.readout = nn.Linear(4 * SIZE, SIZE)
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        packed = pack_padded_sequence(
            self.embedding(source), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, last = self.encoder(packed)
        values, _ = pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])
        there = torch.arange(source.shape[1]) < lengths[:, None]
        h = torch.tanh(self.first(torch.cat([last[0], last[1]], dim=1)))
        return h, self.key(values), values, there

    def look(self, query: Tensor, keys: Tensor, values: Tensor, there: Tensor) -> Tensor:
        """Return contexts (B, Q, F) of queries (B, Q, H)."""
        if self.is_additive:
            scores = self.score(torch.tanh(self.query(query)[:, :, None] + keys[:, None]))[..., 0]
        else:
            scores = query @ keys.transpose(1, 2)
        scores = scores.masked_fill(~there[:, None], -1e30)
        return torch.softmax(scores, dim=-1) @ values

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        h, *memory = self.encode(source, lengths)
        x = self.embedding(target)
        if not self.is_additive:
            hs, _ = self.decoder(x, h[None])
            return self.logits(hs, self.look(hs, *memory), x)
        hs, contexts = [], []
        for t in range(target.shape[1]):
            contexts.append(self.look(h[:, None], *memory)[:, 0])
            h = self.cell(torch.cat([x[:, t], contexts[-1]], dim=1), h)
            hs.append(h)
        return self.logits(torch.stack(hs, 1), torch.stack(contexts, 1), x)

    def step(self, tokens: Tensor, h: Tensor, memory: list[Tensor]) -> tuple[Tensor, Tensor]:
        x = self.embedding(tokens)
        if self.is_additive:
            context = self.look(h[:, None], *memory)[:, 0]
            h = self.cell(torch.cat([x, context], dim=1), h)
        else:
            h = self.decoder(x[:, None], h[None])[0][:, 0]
            context = self.look(h[:, None], *memory)[:, 0]
        return self.logits(h, context, x), h

    def logits(self, h: Tensor, context: Tensor, x: Tensor) -> Tensor:
        r = torch.tanh(self.readout(torch.cat([h, context, x], dim=-1)))
        return nn.functional.linear(r, self.embedding.weight, self.bias)

    def take(self, model: unspool.Translator) -> None:
        """Take our weights."""
        d, (layer,) = model.decoder, model.encoder.layers
        (cell,) = d.cells
        self._give(self.embedding.weight, d.embedding)
        for suffix, half in (("", layer.forward), ("_reverse", layer.backward)):
            self._take_gru(self.encoder, f"_l0{suffix}", half, half.w_ih)
        if self.is_additive:
            inputs = np.concatenate([cell.w_ih, d.w_context], axis=1)
            self._take_gru(self.cell, "", cell, inputs)
            self._give(self.query.weight, d.attention.w_query)
            self._give(self.score.weight, d.attention.v[None])
            self._give(self.key.bias, d.attention.bias)
        else:
            self._take_gru(self.decoder, "_l0", cell, cell.w_ih)
        self._give(self.key.weight, d.attention.w_key)
        self._give(self.first.weight, d.w_first)
        self._give(self.first.bias, d.b_first)
        self._give(self.readout.weight, d.w_readout)
        self._give(self.readout.bias, d.b_readout)
        self._give(self.bias, d.b_out)

    def _take_gru(self, module: nn.Module, suffix: str, cell: Any, inputs: Any) -> None:
        self._give(getattr(module, f"weight_ih{suffix}"), inputs)
        self._give(getattr(module, f"weight_hh{suffix}"), cell.w_hh)
        self._give(getattr(module, f"bias_ih{suffix}"), cell.bias)
        recurrent = np.concatenate([np.zeros(2 * SIZE, np.float32), cell.b_hn])
        self._give(getattr(module, f"bias_hh{suffix}"), recurrent)

    @staticmethod
    def _give(parameter: Tensor, value: Any) -> None:
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.array(value)))


@torch.no_grad()
def search(
    peer: Any, source: Tensor, lengths: Any, end: int, beams: int, most: int | None = None
) -> list[list[int]]:
    """Search a batch as `beam_search` describes it: a loop over tokens and sentences."""
    h, *memory = peer.encode(source, lengths)
    rows, most = len(source), most or 2 * source.shape[1] + 10
    h = h.repeat_interleave(beams, 0)
    memory = [part.repeat_interleave(beams, 0) for part in memory]
    total = torch.full((rows, beams), -torch.inf)
    total[:, 0] = 0
    tokens = torch.full((rows, beams, 1), end)
    done: list[list[tuple[float, list[int]]]] = [[] for _ in range(rows)]
    for t in range(most):
        logits, h = peer.step(tokens[:, :, -1].reshape(-1), h, memory)
        scores = total[..., None] + torch.log_softmax(logits, -1).reshape(rows, beams, -1)
        best, where = scores.reshape(rows, -1).topk(2 * beams)
        parent, token = where // logits.shape[-1], where % logits.shape[-1]
        for row in range(rows):
            for k in range(beams):
                if token[row, k] == end and len(done[row]) < beams:
                    text = tokens[row, parent[row, k], 1:].tolist()
                    done[row].append((best[row, k].item() / (t + 1), text))
        if all(len(row) >= beams for row in done):
            break
        total, chosen = best.masked_fill(token == end, -torch.inf).topk(beams)
        parent, token = parent.gather(1, chosen), token.gather(1, chosen)
        tokens = torch.cat(
            [tokens.gather(1, parent[..., None].expand(-1, -1, t + 1)), token[..., None]], 2
        )
        h = h[(torch.arange(rows)[:, None] * beams + parent).reshape(-1)]
    return [max(row)[1] if row else tokens[i, 0, 1:].tolist() for i, row in enumerate(done)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run", type=Path, help="a run of `train translate` with the defaults, for decoding"
    )
    parser.add_argument("--attention", choices=("luong", "bahdanau"), default="luong")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    answer: dict[str, Any] = {"attention": arguments.attention, "threads": torch.get_num_threads()}
    answer["training"] = training(arguments.attention, arguments.rounds)
    print(answer["training"], flush=True)
    if arguments.run:
        answer["decoding"] = decoding(unspool.load(arguments.run), arguments.rounds)
        print(answer["decoding"])
    write_result(f"translate_speed-{arguments.attention}", answer)


def training(attention: str, rounds: int) -> dict[str, Any]:
    files = (data_file(f"multi30k/{name}") for name in ("train.en", "train.de"))
    val = dict(
        zip(
            ("val_source", "val_target"),
            (data_file(f"multi30k/val.{x}") for x in ("en", "de")),
            strict=True,
        )
    )
    data = unspool.PairData.read(*files, **val)
    task = unspool.TranslateTask(data, label_smoothing=SMOOTHING)
    with tempfile.TemporaryDirectory() as folder:
        contestants = {
            "unspool": unspool_steps(task, attention, Path(folder) / "run"),
            "torch": torch_steps(task, attention),
        }
        times = take_turns(
            {name: lambda s=s: [next(s) for _ in range(STEPS)] for name, s in contestants.items()},
            rounds,
        )
        contestants["unspool"].close()
    # Rounds are of different batches, the same for both.
    tokens = [
        sum(int(task.batch(r * STEPS + i).target_lengths.sum()) for i in range(STEPS))
        for r in range(1, rounds + 1)
    ]
    rates = {
        name: statistics.median(n / t for n, t in zip(tokens, values, strict=True))
        for name, values in times.items()
    }
    return {
        "tokens_per_s": rates,
        "ratio": rates["unspool"] / rates["torch"],
        "rounds_s": times,
        "vocabulary": len(data.target.vocab),
    }


def unspool_steps(task: unspool.TranslateTask, attention: str, run: Path) -> Iterator[float]:
    model = unspool.Translator.create(len(task.data.target.vocab), attention=attention)
    options = {"learning_rate": RATE, "schedule": "constant", "save_minutes": 1e6}
    for report in unspool.train(model, task, run=run, max_steps=10**6, eval_every=10**9, **options):
        if isinstance(report, unspool.StepReport):
            yield report.loss_nats


def torch_steps(task: unspool.TranslateTask, attention: str) -> Iterator[float]:
    model = Peer(len(task.data.target.vocab), attention)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0)
    start, position = task.data.target.end, 0
    while True:
        source, source_lengths, target, lengths = (
            torch.from_numpy(a).long() for a in task.batch(position)
        )
        real = lengths > 0
        source, source_lengths, target, lengths = (
            x[real] for x in (source, source_lengths, target, lengths)
        )
        given = torch.cat([torch.full((len(target), 1), start), target[:, :-1]], dim=1)
        wanted = target.masked_fill(torch.arange(target.shape[1]) >= lengths[:, None], -100)
        logits = model(source, source_lengths, given)
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), label_smoothing=SMOOTHING
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        position += 1
        yield loss.item()


def decoding(run: Any, rounds: int) -> dict[str, Any]:
    lines = data_file("multi30k/test_2016_flickr.en").read_text().splitlines()[:SENTENCES]
    sources = [run.source.encode(line) for line in lines]
    peer = Peer(len(run.target.vocab), run.config["model"]["attention"]).eval()
    peer.take(run.model)
    answer: dict[str, Any] = {"sentences": len(lines)}
    for beams in (1, 5):
        contestants = {
            "unspool": lambda k=beams: [
                b[0].text for b in translate(run.model, run.target, sources, num_beams=k)
            ],
            "torch, one by one": lambda k=beams: torch_texts(peer, run, sources, 1, k),
            "torch, batches of 32": lambda k=beams: torch_texts(peer, run, sources, 32, k),
        }
        texts = {name: decode() for name, decode in contestants.items()}
        same = {
            name: sum(map(str.__eq__, texts["unspool"], found)) for name, found in texts.items()
        }
        times = take_turns(contestants, rounds)
        rates = {name: len(lines) / statistics.median(values) for name, values in times.items()}
        answer[f"beam_{beams}"] = {
            "sentences_per_s": rates,
            "ratio": {name: rates["unspool"] / rate for name, rate in rates.items()},
            "same_as_unspool": same,
        }
    return answer


def torch_texts(
    peer: Peer, run: Any, sources: list[np.ndarray], batch: int, beams: int
) -> list[str]:
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    found = [""] * len(sources)
    for begin in range(0, len(order), batch):
        rows = order[begin : begin + batch]
        lengths = torch.tensor([len(sources[i]) for i in rows])
        source = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for k, i in enumerate(rows):
            source[k, : len(sources[i])] = torch.from_numpy(sources[i])
        for i, ids in zip(rows, search(peer, source, lengths, run.target.end, beams), strict=True):
            found[i] = run.target.decode(ids)
    return found


def take_turns(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Measure the seconds of each round but the first."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    return {name: values[1:] for name, values in times.items()}


if __name__ == "__main__":
    main()
