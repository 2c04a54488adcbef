"""How long does nanoGPT's CPU configuration take on this machine, and what does it reach?

This is not nanoGPT itself but our own implementation in torch, with the sizes and the recipe that
nanoGPT's README gives for CPUs: 4 layers, 4 heads, width 128, context 64, batch 12, 2,000 steps, no
dropout; AdamW, 1e-3 falling to 1e-4 over a cosine after 100 steps of warm-up, betas 0.9 and 0.99,
decay 0.1, clip 1. The published figure is 1.88 nats. Parts and clocks are those of shakespeare.py:
the weights of the best evaluation on the development part (every 250 steps), evaluated once on each
part, in non-overlapping windows of the model's 64 characters, so that a character is predicted from
the 1 to 64 before it ("window_64"). Needs torch.
"""

import argparse
import copy
import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from .common import write_result
from .tiny_shakespeare import EVALUATED, best, parts, point, seconds_to

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, STEPS = 4, 4, 128, 64, 12, 2000
EVAL_EVERY = 250


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = (nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        heads = (b, t, HEADS, WIDTH // HEADS)
        q, k, v = (y.view(heads).transpose(1, 2) for y in self.qkv(self.norm_1(x)).chunk(3, dim=2))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, WIDTH))
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))


class Transformer(nn.Module):
    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                narrow = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if narrow else 0.02)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.tokens.weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-steps", type=int, default=STEPS, help="fewer, to try this file")
    last = parser.parse_args().max_steps
    torch.manual_seed(1337)
    curve, chosen = [], None
    start = began = time.perf_counter()
    trained = 0.0
    texts = parts()
    letters = {letter: i for i, letter in enumerate(sorted(set(texts["train"])))}
    ids = {name: torch.tensor([letters[x] for x in text]) for name, text in texts.items()}
    model = Transformer(len(letters))
    for step in steps(model, ids["train"], last):
        if step % EVAL_EVERY == 0 or step == last:
            trained += time.perf_counter() - began
            nats = evaluate(model, ids["development"])
            curve.append(point(step, time.perf_counter() - start, trained, nats))
            if best(curve) is curve[-1]:
                chosen = copy.deepcopy(model)
            began = time.perf_counter()
    wall = time.perf_counter() - start
    answer = {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "wall_s": round(wall, 2),
        "train_s": round(trained, 2),
        "best": best(curve),
        "seconds_to": seconds_to(curve),
        "nats": {part: {f"window_{CONTEXT}": evaluate(chosen, ids[part])} for part in EVALUATED},
        "curve": curve,
        "threads": torch.get_num_threads(),
    }
    print(answer["nats"])
    write_result("nanogpt_cpu", answer)


def steps(model: nn.Module, train: Tensor, last: int) -> Iterator[int]:
    """Train; yield the number of each step."""
    decayed = [w for w in model.parameters() if w.ndim == 2]
    rest = [w for w in model.parameters() if w.ndim != 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    for step in range(last):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        starts = torch.randint(len(train) - CONTEXT, (BATCH, 1))
        window = train[starts + torch.arange(CONTEXT + 1)]
        loss = functional.cross_entropy(
            model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten()
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield step + 1


def rate(step: int) -> float:
    """Return nanoGPT's rate: linear warm-up over 100 steps, then half a cosine from 1e-3 to
    1e-4.
    """
    if step < 100:
        return 1e-3 * (step + 1) / 101
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 100) / (STEPS - 100))) * 9e-4


@torch.no_grad()
def evaluate(model: nn.Module, ids: Tensor) -> float:
    """Return the mean loss of all characters but the first, in windows of the model's context."""
    total = len(ids) - 1
    whole = total // CONTEXT * CONTEXT
    inputs, targets = (part[:whole].view(-1, CONTEXT).split(256) for part in (ids[:-1], ids[1:]))
    pairs = [*zip(inputs, targets, strict=True), (ids[whole:-1][None], ids[whole + 1 :][None])]
    losses = [
        functional.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
        for x, y in pairs
    ]
    return float(sum(losses) / total)


if __name__ == "__main__":
    main()
