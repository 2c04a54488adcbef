"""Train a character model on a text, then let it write.

python examples/train_and_sample.py [TEXT] [MINUTES]
"""

import sys
import tempfile
from pathlib import Path

import unspool

VERSE = """The thread goes out, the thread comes in,
the wheel goes round, the wheel will spin,
and what is wound will be unspun,
and end where all the threads begin.
"""


def main(source: str | None, minutes: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if source is None:
            source = str(Path(folder) / "verse.txt")
            Path(source).write_text(VERSE * 40)
        text = unspool.Text.read(source, tokens="char")
        task = unspool.LanguageTask(text, batch=16, steps_per_chunk=32)
        model = unspool.LanguageModel.create(text.vocab, cell="gru", hidden_size=64, seed=0)
        run = Path(folder) / "run"
        for report in unspool.train(model, task, run=run, max_minutes=minutes, eval_every=100):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: held-out loss {report.val_loss_nats:.3f} nats")
        print(unspool.load(run).sample("The ", max_new_tokens=120, temperature=0.5, seed=0))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        source=arguments[0] if arguments else None,
        minutes=float(arguments[1]) if len(arguments) > 1 else 0.1,
    )
