"""How fast are captions by a beam of 3, compared with a plain torch loop of the same decoder?

320 pictures of Flickr8k, by a run of `train caption` with the defaults (attention over the 7x7
grid, GRU) and by torch with our weights: a loop over tokens that takes one picture at a time, as is
usual, and one for batches of 32. Measured from grids of features to sentences, and for ours also
from files, with decoding of JPEG and EfficientNet. Rounds are interleaved in one process, after
one that is not counted. Needs torch.
"""

import argparse
import statistics
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import unspool
from unspool.data import Pictures, decode_picture
from unspool.models.captioner import Captioner
from unspool.tasks.caption.decode import MOST, describe, without_unknown

from .common import data_file, write_result
from .translate_speed import search, take_turns

BEAMS, PICTURES = 3, 320


class Peer(nn.Module):
    """The equations of `unspool.Captioner` with attention and a GRU, in torch.nn."""

    def __init__(self, model: Captioner) -> None:
        super().__init__()
        d = model.decoder
        (cell,) = d.cells
        vocab_size, embedding = d.embedding.shape
        hidden, condition = d.w_first.shape
        self.embedding = nn.Embedding(vocab_size, embedding)
        self.see = nn.Linear(model.w_features.shape[1], condition)
        self.first = nn.Linear(condition, hidden)
        self.cell = nn.GRUCell(embedding + condition, hidden)
        self.query = nn.Linear(hidden, d.attention.w_query.shape[0], bias=False)
        self.key = nn.Linear(condition, d.attention.w_key.shape[0])
        self.score = nn.Linear(d.attention.v.shape[0], 1, bias=False)
        self.readout = nn.Linear(hidden + condition + embedding, embedding)
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self._take(model, d, cell)

    def _take(self, model: Captioner, d: Any, cell: Any) -> None:
        """Take our weights."""
        recurrent = np.concatenate([np.zeros(2 * cell.hidden_size, np.float32), cell.b_hn])
        pairs = [
            (self.embedding.weight, d.embedding),
            (self.see.weight, model.w_features), (self.see.bias, model.b_features),
            (self.first.weight, d.w_first), (self.first.bias, d.b_first),
            (self.cell.weight_ih, np.concatenate([cell.w_ih, d.w_context], axis=1)),
            (self.cell.weight_hh, cell.w_hh), (self.cell.bias_ih, cell.bias),
            (self.cell.bias_hh, recurrent),
            (self.query.weight, d.attention.w_query), (self.score.weight, d.attention.v[None]),
            (self.key.weight, d.attention.w_key), (self.key.bias, d.attention.bias),
            (self.readout.weight, d.w_readout), (self.readout.bias, d.b_readout),
            (self.bias, d.b_out),
        ]  # fmt: skip
        with torch.no_grad():
            for parameter, value in pairs:
                parameter.copy_(torch.from_numpy(np.array(value)))

    def encode(self, features: Tensor, lengths: None) -> tuple[Tensor, ...]:
        values = self.see(features)
        return torch.tanh(self.first(values.mean(1))), self.key(values), values

    def step(self, tokens: Tensor, h: Tensor, memory: list[Tensor]) -> tuple[Tensor, Tensor]:
        keys, values = memory
        scores = self.score(torch.tanh(self.query(h)[:, None] + keys))
        context = (torch.softmax(scores, dim=1) * values).sum(1)
        x = self.embedding(tokens)
        h = self.cell(torch.cat([x, context], dim=1), h)
        r = torch.tanh(self.readout(torch.cat([h, context, x], dim=1)))
        return nn.functional.linear(r, self.embedding.weight, self.bias), h


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="a run of `train caption`")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    run = unspool.load(arguments.run)
    source = Pictures(data_file("flickr8k/val-images.tar"))
    chosen = islice(source.contents(), PICTURES)
    pixels = [decode_picture(content, name) for name, content in chosen]
    grids = np.concatenate(list(run.preparation.rows(pixels))).astype(np.float32)
    end = run.sentences.end
    decoder = without_unknown(run.model.decoder, run.sentences)
    peer = Peer(unspool.Captioner(run.model.w_features, run.model.b_features, decoder)).eval()
    contestants = {
        "unspool": lambda: [best[0].text for best in ours(run, grids)],
        "torch, one by one": lambda: torch_texts(peer, run, grids, 1, end),
        "torch, batches of 32": lambda: torch_texts(peer, run, grids, 32, end),
    }
    texts = {name: describe_all() for name, describe_all in contestants.items()}
    same = {name: sum(map(str.__eq__, texts["unspool"], found)) for name, found in texts.items()}
    times = take_turns(contestants, arguments.rounds)
    rates = {name: len(grids) / statistics.median(values) for name, values in times.items()}
    answer = {
        "beams": BEAMS,
        "pictures": len(grids),
        "threads": torch.get_num_threads(),
        "captions_per_s": rates,
        "ratio": {name: rates["unspool"] / rate for name, rate in rates.items()},
        "same_as_unspool": same,
        "from_files_per_s": from_files(run),
        "rounds_s": times,
    }
    print(answer)
    write_result("caption_speed", answer)


def ours(run: Any, grids: np.ndarray) -> Any:
    return describe(run.model, run.sentences, grids, num_beams=BEAMS, length_penalty=1.0)


def torch_texts(peer: Peer, run: Any, grids: np.ndarray, batch: int, end: int) -> list[str]:
    found: list[str] = []
    for begin in range(0, len(grids), batch):
        rows = torch.from_numpy(grids[begin : begin + batch].reshape(-1, 49, grids.shape[-1]))
        found += map(run.sentences.decode, search(peer, rows, None, end, BEAMS, MOST))
    return found


def from_files(run: Any) -> float:
    """Return pictures per second with decoding and the CNN, each picture once."""
    source = Pictures(data_file("flickr8k/val-images.tar"))
    began = time.perf_counter()
    pixels = [decode_picture(content, name) for name, content in source.contents()]
    run.caption(pixels)
    return len(pixels) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
