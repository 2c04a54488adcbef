"""Which unit of a network stands for what? Here a text has capitals inside quotation marks, so to
predict it a network must remember whether a quotation is open: one of its units does.
"""

import random
import tempfile
from pathlib import Path

import unspool
from unspool.inspection import Spans, Trace, annotate, best_units, next_tokens, score_units


def write(words: int, seed: int) -> str:
    """Write words of random letters, some of them between quotation marks and then in capitals."""
    draw = random.Random(seed)
    pieces = []
    for _ in range(words):
        length = draw.randint(2, 6)
        word = "".join(draw.choices("abcdefgh", k=length))
        pieces.append(f'"{word.upper()} {word[::-1].upper()}"' if draw.random() < 0.3 else word)
    return " ".join(pieces)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.txt"
        path.write_text(write(8000, seed=0))
        text = unspool.Text.read(path, tokens="char")
        task = unspool.LanguageTask(text, batch=16, steps_per_chunk=32)
        model = unspool.LanguageModel.create(text.vocab, cell="gru", hidden_size=16, seed=0)
        run = Path(folder) / "run"
        for report in unspool.train(model, task, run=run, max_steps=300, eval_every=300):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: held-out loss {report.val_loss_nats:.3f} nats")
        trained = unspool.load(run, model).model

    unseen = write(500, seed=1)
    trace = Trace.record(trained, Spans(unseen, *text.vocab.spans(unseen)))
    scores = score_units(trace, annotate(unseen, patterns={"space": " "}))
    for name, (best,) in best_units(scores).items():
        score = f"AUC {best.auc:.2f}" if best.auc else f"correlation {best.correlation:.2f}"
        print(f"{name}: unit {best.unit}, {score}, control {best.control:.2f}, p {best.p:.2f}")

    ids = text.vocab.encode('ab "')
    after = next_tokens(trained, ids, k=3)
    likeliest = [text.vocab.token_text(i) for i in after.ids[-1]]
    print(f"after a quotation mark: {likeliest}, surprise of it {after.surprise[-1]:.1f} nats")


if __name__ == "__main__":
    main()
