"""One to many: a picture in, a sentence out, with a small CNN that is trained along."""

import tempfile
from pathlib import Path

import numpy as np

import unspool

COLOURS = {"red": (220, 40, 40), "green": (40, 170, 70), "blue": (40, 80, 220)}


def render(number: int) -> tuple[np.ndarray, list[str]]:
    """Render a square on white; return it and its caption."""
    rng = np.random.default_rng(number)
    name = str(rng.choice(list(COLOURS)))
    y, x = rng.integers(0, 12, 2)
    picture = np.full((16, 16, 3), 255, np.uint8)
    picture[y : y + 4, x : x + 4] = COLOURS[name]
    return picture, [f"a {name} square {'above' if y < 6 else 'below'} the middle"]


def main() -> None:
    pictures, captions = zip(*map(render, range(600)), strict=True)
    pixels = np.stack(pictures)
    data = unspool.CaptionData.build(
        pixels[:500], list(captions[:500]), pixels[500:], list(captions[500:]), min_count=1
    )
    task = unspool.CaptionTask(data, batch=50)
    model = unspool.Captioner.create(
        len(data.sentences.vocab), cnn="small", condition_size=64, hidden_size=64, embedding_size=32
    )
    with tempfile.TemporaryDirectory() as folder:
        options = {"max_steps": 300, "eval_every": 100, "learning_rate": 5e-3}
        for report in unspool.train(model, task, run=Path(folder) / "run", **options):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: held-out loss {report.val_loss_nats:.3f} nats")
        run = unspool.load(Path(folder) / "run")
        picture, (truth,) = render(1000)
        ((best, *_),) = run.caption([picture])
        print(f"{truth!r} is described as {best.text!r}")
        tokens, weights = run.attention(picture, best)
        for token, place in zip(tokens, weights, strict=True):
            y, x = np.unravel_index(place.argmax(), place.shape)
            print(f"{token:>7} looks at row {y}, column {x} of {place.shape[0]}x{place.shape[1]}")


if __name__ == "__main__":
    main()
