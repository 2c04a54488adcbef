"""How fast does DRAW train and draw, against a plain torch loop of the same model?

Images of 28x28 pixels (drawn at random: their content takes no time), the defaults of `unspool
train draw` (LSTMs of 256 units, windows of 3x3 and 5x5 filters), batches of 64, Adam with
clipping. Torch's model has our weights, and the same bound is computed by both before anything is
timed. Rounds are interleaved in one process, after one that is not counted. Needs torch.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import unspool
from unspool.data import GreyEncoder, LabelledData, Sequences
from unspool.models.draw import DrawModel
from unspool.tasks.draw.decode import draw

from .common import write_result
from .translate_speed import take_turns

SIDE, IMAGES, RATE = 28, 1024, 2e-3
STEPS, DRAWN = 8, 256  # training steps and drawn images a round


class Peer(nn.Module):
    """The equations of `unspool.DrawModel` with LSTMs and selective attention, in torch.nn."""

    def __init__(self, model: DrawModel) -> None:
        super().__init__()
        self.steps, self.sizes = model.glimpses, (model.read_size, model.write_size)
        hidden = model.encoder.hidden_size
        self.encoder = nn.LSTMCell(model.encoder.w_ih.shape[1], hidden)
        self.decoder = nn.LSTMCell(model.decoder.w_ih.shape[1], hidden)
        names = "posterior", "patch", "reader", "writer"
        for name in names:
            layer = getattr(model, name)
            setattr(self, name, nn.Linear(layer.w.shape[1], layer.w.shape[0]))
        self.canvas = nn.Parameter(torch.zeros(SIDE, SIDE))
        self.starts = nn.ParameterList(torch.zeros(1, hidden) for _ in range(4))
        with torch.no_grad():
            for name in names:
                _fill(getattr(self, name).weight, getattr(model, name).w)
                _fill(getattr(self, name).bias, getattr(model, name).b)
            for mine, ours in ((self.encoder, model.encoder), (self.decoder, model.decoder)):
                _fill(mine.weight_ih, ours.w_ih)
                _fill(mine.weight_hh, ours.w_hh)
                _fill(mine.bias_ih, ours.bias)
                mine.bias_hh.zero_()

    def start(self, batch: int) -> tuple[Any, Any, Tensor]:
        h_enc, c_enc, h_dec, c_dec = (x.expand(batch, -1) for x in self.starts)
        return (h_enc, c_enc), (h_dec, c_dec), self.canvas.expand(batch, -1, -1)

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """The bound of every image."""
        encoder, decoder, canvas = self.start(len(x))
        kl = torch.zeros(())
        for epsilon in noise:
            rows, columns, gamma = window(self.reader(decoder[0]), self.sizes[0])
            both = torch.stack([x, x - torch.sigmoid(canvas)], dim=1)
            seen = gamma[:, None] * (rows[:, None] @ both @ columns[:, None].mT)
            seen = seen.permute(0, 2, 3, 1).flatten(1)  # channels last, as ours
            encoder = self.encoder(torch.cat([seen, decoder[0]], dim=1), encoder)
            mean, log_std = self.posterior(encoder[0]).chunk(2, dim=1)
            z = mean + log_std.exp() * epsilon
            decoder = self.decoder(z, decoder)
            canvas = canvas + self.written(decoder[0])
            kl = kl + 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(1)
        nats = binary_cross_entropy_with_logits(canvas, x, reduction="none")
        return nats.sum((1, 2)) + kl

    def written(self, h: Tensor) -> Tensor:
        rows, columns, gamma = window(self.writer(h), self.sizes[1])
        patch = self.patch(h).view(-1, self.sizes[1], self.sizes[1])
        return rows.mT @ patch @ columns / gamma

    @torch.no_grad()
    def draw(self, noise: Tensor) -> Tensor:
        """The probabilities of the pixels after every step."""
        _, decoder, canvas = self.start(noise.shape[1])
        canvases = []
        for z in noise:
            decoder = self.decoder(z, decoder)
            canvas = canvas + self.written(decoder[0])
            canvases.append(torch.sigmoid(canvas))
        return torch.stack(canvases)


def window(parameters: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """F_Y, F_X and the intensity (B, 1, 1)."""
    x, y, log_variance, log_stride, log_gamma = parameters.unbind(1)
    stride = (SIDE - 1) / (size - 1) * log_stride.exp()
    offsets = torch.arange(1, size + 1) - size / 2 - 0.5

    def bank(centre: Tensor) -> Tensor:
        middles = (SIDE + 1) / 2 * (centre + 1)[:, None] + offsets * stride[:, None]
        distance = torch.arange(1, SIDE + 1) - middles[..., None]
        return torch.softmax(-(distance**2) / (2 * log_variance.exp()[:, None, None]), dim=-1)

    return bank(y), bank(x), log_gamma.exp()[:, None, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    model = DrawModel.create((SIDE, SIDE, 1))
    difference = largest_difference(model)
    answer = {
        "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in Peer(model).parameters()),
        "difference_of_bounds_nats": difference,
        "training": training(model, rounds),
        "drawing": drawing(model, rounds),
    }
    print(answer)
    write_result("draw_speed", answer)


def largest_difference(model: DrawModel) -> float:
    """Of the bound of a few images between ours and torch's."""
    rng = np.random.default_rng(0)
    images = (rng.random((8, SIDE, SIDE)) < 0.5).astype(np.float32)
    noise = rng.normal(size=(model.glimpses, 8, model.latent_size)).astype(np.float32)
    found = eqx.filter_jit(DrawModel.infer)(model, images[..., None], np.zeros(8, int), noise)
    with torch.no_grad():
        theirs = Peer(model)(*map(torch.from_numpy, (images, noise))).numpy()
    return float(np.abs(theirs - np.asarray(found.reconstruction + found.kl)).max())


def training(model: DrawModel, rounds: int) -> dict[str, Any]:
    """Images a second, whole steps: zeros and ones, bound, gradients, clipping, Adam."""
    rows = list(np.random.default_rng(0).random((IMAGES, SIDE, SIDE)).astype(np.float32))
    data = Sequences.join(rows, [0] * IMAGES)
    task = unspool.DrawTask(
        LabelledData(GreyEncoder((SIDE, SIDE, 1), 1.0), (), data, data, aligned=False)
    )
    with tempfile.TemporaryDirectory() as folder:
        steps = {"unspool": our_steps(model, task, Path(folder) / "run"),
                 "torch": torch_steps(model, task)}  # fmt: skip
        contestants = {n: lambda s=s: [next(s) for _ in range(STEPS)] for n, s in steps.items()}
        times = take_turns(contestants, rounds)
        steps["unspool"].close()
    return _rates(times, STEPS * task.buckets.batch)


def our_steps(model: DrawModel, task: unspool.DrawTask, run: Path) -> Iterator[float]:
    options = {"learning_rate": RATE, "schedule": "constant", "save_minutes": 1e6}
    for report in unspool.train(model, task, run=run, max_steps=10**6, eval_every=10**9, **options):
        if isinstance(report, unspool.StepReport):
            yield report.loss_nats


def torch_steps(model: DrawModel, task: unspool.DrawTask) -> Iterator[float]:
    peer, position = Peer(model), 0
    optimizer = torch.optim.Adam(peer.parameters(), lr=RATE, betas=(0.9, 0.99), fused=True)
    while True:
        probabilities = torch.from_numpy(task.batch(position).inputs)
        noise = torch.randn(model.glimpses, len(probabilities), model.latent_size)
        loss = peer(torch.bernoulli(probabilities), noise).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        position += 1
        yield loss.item()


def drawing(model: DrawModel, rounds: int) -> dict[str, Any]:
    """Images a second, with the canvas of every step."""
    peer, labels = Peer(model), np.zeros(DRAWN, int)
    shape = model.glimpses, DRAWN, model.latent_size
    contestants = {
        "unspool": lambda: np.asarray(draw(model, labels, 0).canvases),
        "torch": lambda: peer.draw(torch.randn(shape)).numpy(),
    }
    return _rates(take_turns(contestants, rounds), DRAWN)


def _rates(times: dict[str, list[float]], images: int) -> dict[str, Any]:
    rates = {name: images / statistics.median(values) for name, values in times.items()}
    return {
        "images_per_s": rates,
        "ratio": rates["unspool"] / rates["torch"],
        "rounds_s": times,
    }


def _fill(parameter: Tensor, values: object) -> None:
    parameter.copy_(torch.from_numpy(np.array(values)))


if __name__ == "__main__":
    main()
