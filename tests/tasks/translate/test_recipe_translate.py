"""A translator learns to turn digits round: seconds of training, nearly every sequence right."""

from pathlib import Path

import numpy as np
import pytest

from unspool import ConfigError, load
from unspool.tasks.translate.recipe import TRANSLATOR

OPTIONS = {
    "tokens": "word", "hidden": 32, "embedding": 32, "dropout": 0.0, "label_smoothing": 0.0,
    "learning_rate": 1e-2, "warmup_steps": 50, "average": 0.1, "max_steps": 450,
    "eval_every": 450,
}  # fmt: skip


def write_digits(folder, part, count, seed):
    """Sequences of 3 to 6 digits, and the same from their end."""
    draw = np.random.default_rng(seed)
    rows = [draw.integers(0, 10, draw.integers(3, 7)) for _ in range(count)]
    paths = folder / f"{part}.source", folder / f"{part}.target"
    for path, step in zip(paths, (1, -1), strict=True):
        path.write_text("".join(" ".join(map(str, row[::step])) + "\n" for row in rows))
    return tuple(map(str, paths))


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["luong", "bahdanau"])
def test_digits_are_turned_round(tmp_path, attention):
    train, test = (write_digits(tmp_path, *part) for part in (("a", 3000, 0), ("b", 200, 1)))
    options = TRANSLATOR.merge(train, {**OPTIONS, "attention": attention})
    list(TRANSLATOR.start(train, tmp_path / "run", options))
    run = load(tmp_path / "run")
    lines, wanted = (Path(path).read_text().splitlines() for path in test)
    found = [best[0].text for best in run.translate(lines, num_beams=2)]
    assert np.mean([a == b for a, b in zip(found, wanted, strict=True)]) >= 0.99
    # Where it looks is from the end to the beginning.
    ((_, _, weights),) = run.attention(["1 2 3 4 5"], run.translate(["1 2 3 4 5"])[0])
    assert weights[:5].argmax(axis=1).tolist() == [4, 3, 2, 1, 0]


def test_sources_are_named_once():
    both = {"source": "a", "target": "b"}
    assert TRANSLATOR.named((), both) == ("a", "b")
    assert TRANSLATOR.named(("t.tsv",), {}) == ("t.tsv",)
    with pytest.raises(ConfigError, match="named both as an argument and as options"):
        TRANSLATOR.named(("t.tsv",), both)
    with pytest.raises(ConfigError, match="source needs the other language"):
        TRANSLATOR.named((), {"source": "a"})
