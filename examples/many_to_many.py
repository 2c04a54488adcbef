"""Many to many: a tag for every word, from the words on both sides."""

import tempfile
from pathlib import Path

import unspool

SENTENCES = [
    [("the", "DET"), ("dog", "NOUN"), ("barks", "VERB")],
    [("a", "DET"), ("cat", "NOUN"), ("sees", "VERB"), ("the", "DET"), ("dog", "NOUN")],
    [("dogs", "NOUN"), ("bark", "VERB")],
    [("cats", "NOUN"), ("see", "VERB"), ("a", "DET"), ("bird", "NOUN")],
]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, run = Path(folder) / "train.txt", Path(folder) / "run"
        lines = ["\n".join(f"{word} {tag}" for word, tag in words) for words in SENTENCES]
        source.write_text("\n\n".join(lines * 8))
        # Words that were never seen are told by their endings.
        data = unspool.LabelledData.read(source, aligned=True, affixes=256)
        task = unspool.TagTask(data, batch=8)
        model = unspool.Tagger.create(
            **data.model_options(), embedding_size=16, hidden_size=16, bidirectional=True, seed=0
        )
        options = {"max_steps": 60, "eval_every": 20, "warmup_steps": 5, "learning_rate": 0.01}
        for report in unspool.train(model, task, run=run, **options):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: accuracy {report.metrics['accuracy']:.2f}")
        words = ["the", "frog", "sees", "birds"]
        (tags,) = unspool.load(run).tag([words])
        print(" ".join(f"{word}/{tag}" for word, tag in zip(words, tags, strict=True)))


if __name__ == "__main__":
    main()
