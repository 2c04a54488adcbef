"""One to many: a sequence grown from one input, here a word from the name of its language."""

import tempfile
from pathlib import Path

import unspool

WORDS = {
    "German": ["haus", "baum", "strasse", "wasser", "feuer", "himmel", "schule", "fenster"],
    "Italian": ["casa", "albero", "strada", "acqua", "fuoco", "cielo", "scuola", "finestra"],
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, run = Path(folder) / "words", Path(folder) / "run"
        source.mkdir()
        for language, words in WORDS.items():
            (source / f"{language}.txt").write_text("\n".join(words * 4))
        # Every word begins after START and ends at END; the language is the first state.
        data = unspool.LabelledData.read(source, tokens="char", lines=True)
        task = unspool.GenerateTask(data, batch=8)
        model = unspool.Generator.create(**data.model_options(), cell="gru", hidden_size=64)
        for report in unspool.train(model, task, run=run, max_steps=200, eval_every=100):
            if isinstance(report, unspool.EvalReport):
                print(f"step {report.step}: held-out loss {report.val_loss_nats:.2f} nats")
        loaded = unspool.load(run)
        for language in WORDS:
            print(language, *loaded.sample(language, count=4, temperature=0.5, max_new_tokens=20))


if __name__ == "__main__":
    main()
