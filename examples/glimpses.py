"""A sequence from what is none: an image, looked at in a few glimpses."""

import tempfile
from pathlib import Path

import numpy as np

import unspool

SHAPES = {
    "cross": ["#...#", ".#.#.", "..#..", ".#.#.", "#...#"],
    "frame": ["#####", "#...#", "#...#", "#...#", "#####"],
    "plus": ["..#..", "..#..", "#####", "..#..", "..#.."],
}


def render(count: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Render shapes of 5x5 pixels somewhere in noisy images of 12x12."""
    rng = np.random.default_rng(seed)
    images, labels = rng.normal(0, 0.1, (count, 12, 12)), [*SHAPES] * (count // 3)
    for image, label in zip(images, labels, strict=True):
        y, x = rng.integers(0, 8, 2)
        image[y : y + 5, x : x + 5] += [[pixel == "#" for pixel in row] for row in SHAPES[label]]
    return images, labels


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, run = Path(folder) / "shapes.npz", Path(folder) / "run"
        images, labels = render(300)
        np.savez(source, images=images, labels=labels)
        data = unspool.LabelledData.read(source, val_fraction=0.2)
        task = unspool.GlimpseTask(data, batch=32, copies=2)
        model = unspool.GlimpseClassifier.create(
            len(data.labels), data.encoder.shape, glimpses=4, patch=4, scales=2, std=0.2,
            hidden_size=32, glimpse_size=32, seed=0,
        )  # fmt: skip
        options = {"max_steps": 300, "eval_every": 100, "learning_rate": 5e-3}
        for report in unspool.train(model, task, run=run, **options):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: accuracy {report.metrics['accuracy']:.2f}")
        loaded = unspool.load(run)
        pictures = [image[..., None] for image in images[:3]]
        print(f"looked at (y, x):\n{loaded.look(pictures)[0].round(2)}")
        loaded.plot(Path(folder) / "glimpses.html", pictures, labels[:3])
        print("rendered:", (Path(folder) / "glimpses.html").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
