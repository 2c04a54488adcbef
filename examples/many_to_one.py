"""Many to one: a label for a whole sentence."""

import tempfile
from pathlib import Path

import unspool

GOOD = ["a fine film", "great fun", "i love the music", "a great story , fine music"]
BAD = ["a dull film", "no fun", "i hate the music", "a dull story , poor music"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, run = Path(folder) / "train.tsv", Path(folder) / "run"
        rows = [f"good\t{text}" for text in GOOD] + [f"bad\t{text}" for text in BAD]
        source.write_text("label\ttext\n" + "\n".join(rows * 5))
        data = unspool.LabelledData.read(source, tokens="word", val_fraction=0.2)
        task = unspool.ClassifyTask(data, batch=8)
        model = unspool.Classifier.create(
            **data.model_options(), cell="gru", embedding_size=16, hidden_size=16, seed=0
        )
        options = {"max_steps": 60, "eval_every": 20, "warmup_steps": 5, "learning_rate": 0.01}
        for report in unspool.train(model, task, run=run, **options):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: accuracy {report.metrics['accuracy']:.2f}")
        for found in unspool.load(run).classify(["great music", "a poor film"]):
            print(found)


if __name__ == "__main__":
    main()
