"""Encoder and decoder: a sequence in, a sequence of another length out, here digits into words."""

import random
import tempfile
from pathlib import Path

import unspool

WORDS = dict(zip("123456", ["one", "two", "three", "four", "five", "six"], strict=True))


def main() -> None:
    draw = random.Random(0)
    rows = ["".join(draw.choices("123456", k=draw.randint(2, 4))) for _ in range(1000)]
    with tempfile.TemporaryDirectory() as folder:
        pairs, run = Path(folder) / "pairs.tsv", Path(folder) / "run"
        # "3 1" is to be written as "one three": backwards, and in letters.
        spelled = (" ".join(WORDS[digit] for digit in reversed(row)) for row in rows)
        pairs.write_text(
            "".join(f"{' '.join(row)}\t{words}\n" for row, words in zip(rows, spelled, strict=True))
        )
        data = unspool.PairData.read(pairs, tokens="word", shared=False)
        task = unspool.TranslateTask(data, batch=50)
        model = unspool.Translator.create(
            len(data.target.vocab), len(data.source.vocab), hidden_size=32, embedding_size=16
        )
        options = {"max_steps": 300, "eval_every": 150, "learning_rate": 1e-2}
        for report in unspool.train(model, task, run=run, **options):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: held-out loss {report.val_loss_nats:.2f} nats")
        loaded = unspool.load(run)
        ((best, second),) = loaded.translate(["5 1 2"], num_beams=2, n_best=2)
        print(f"5 1 2 -> {best.text} (score {best.score:.2f}), then {second.text}")
        ((source, target, weights),) = loaded.attention(["5 1 2"], [best])
        for token, row in zip(target, weights, strict=True):
            print(f"{token:>6} looks at {source[row.argmax()]}")


if __name__ == "__main__":
    main()
