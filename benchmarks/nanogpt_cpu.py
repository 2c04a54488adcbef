"""How long does nanoGPT's CPU configuration take on this machine, and what does it reach?

A transformer of our own writing with the sizes and the recipe that nanoGPT's README gives for
CPUs: 4 layers, 4 heads, width 128, context 64, batch 12, 2,000 steps, no dropout; AdamW 1e-3
falling to 1e-4 over a cosine after 100 steps of warm-up, betas 0.9 and 0.99, decay 0.1, clip 1.
The published figure is 1.88 nats. Needs torch.
"""

import math
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .common import data_file, write_result

LAYERS, HEADS, WIDTH, CONTEXT, BATCH, STEPS = 4, 4, 128, 64, 12, 2000


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
    torch.manual_seed(1337)
    text = data_file("tiny-shakespeare.txt").read_text()
    ids = torch.from_numpy(np.unique(np.array(list(text)), return_inverse=True)[1])
    split = int(0.9 * len(ids))
    train, val = ids[:split], ids[split:]
    model = Transformer(int(ids.max()) + 1)
    decayed = [w for w in model.parameters() if w.ndim == 2]
    rest = [w for w in model.parameters() if w.ndim != 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    curve, spent = [], 0.0
    for step in range(STEPS):
        began = time.perf_counter()
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
        spent += time.perf_counter() - began
        if (step + 1) % 250 == 0:
            curve.append(
                {"step": step + 1, "train_s": spent, "val_loss_nats": evaluate(model, val)}
            )
            print(curve[-1], flush=True)
    write_result(
        "nanogpt_cpu", {"train_s": spent, "curve": curve, "threads": torch.get_num_threads()}
    )


def rate(step: int) -> float:
    """nanoGPT's: linear warm-up over 100 steps, then half a cosine from 1e-3 to 1e-4."""
    if step < 100:
        return 1e-3 * (step + 1) / 101
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - 100) / (STEPS - 100))) * 9e-4


@torch.no_grad()
def evaluate(model: nn.Module, val: Tensor) -> float:
    """Mean loss over the whole held-out part, in windows of the model's context."""
    whole = (len(val) - 1) // CONTEXT * CONTEXT
    inputs, targets = val[:whole].view(-1, CONTEXT), val[1 : whole + 1].view(-1, CONTEXT)
    losses = [
        functional.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
        for x, y in zip(inputs.split(256), targets.split(256), strict=True)
    ]
    return float(sum(losses) / whole)


if __name__ == "__main__":
    main()
