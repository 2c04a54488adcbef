"""A tiny text, and models small enough to train in a blink."""

import pytest

import unspool

VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20


@pytest.fixture(scope="session")
def verse(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "verse.txt"
    path.write_text(VERSE)
    return path


@pytest.fixture(scope="session")
def text(verse):
    return unspool.Text.read(verse)


@pytest.fixture
def tiny(text):
    """A function that makes a tiny model and its task."""

    def make(task_class=unspool.LanguageTask, cell="gru", **options):
        defaults = {"batch": 4, "steps_per_chunk": 8, "sample_tokens": 0}
        task = task_class(text, **{**defaults, **options})
        return unspool.LanguageModel.create(text.vocab, cell=cell, hidden_size=6), task

    return make
