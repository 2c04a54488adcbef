"""One to one: an ordinary network is the degenerate case, a sequence of a single step."""

import tempfile
from pathlib import Path

import numpy as np

import unspool


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, run = Path(folder) / "points.npz", Path(folder) / "run"
        # Inside or outside a ring: from a zero state, one step of a cell is one hidden layer.
        points = np.random.default_rng(0).normal(size=(400, 1, 2))
        distance = np.hypot(points[:, 0, 0], points[:, 0, 1])
        np.savez(source, series=points, labels=np.where(distance < 1.2, "inside", "outside"))
        data = unspool.LabelledData.read(source, val_fraction=0.25)
        task = unspool.ClassifyTask(data, batch=50)
        model = unspool.Classifier.create(
            **data.model_options(), cell="rnn", hidden_size=32, bidirectional=False, pooling="last"
        )
        for report in unspool.train(
            model, task, run=run, max_steps=300, eval_every=100, learning_rate=0.02
        ):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: accuracy {report.metrics['accuracy']:.2f}")
        for point in ([0.1, 0.2], [2.0, -1.5]):
            (found,) = unspool.load(run).classify([np.array([point])])
            print(point, found)


if __name__ == "__main__":
    main()
