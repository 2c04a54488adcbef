"""A tiny text, and models small enough to train in a blink."""

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

import unspool

VERSE = "The thread goes out, the thread comes in,\nthe wheel — été — will spin.\n" * 20
CACHE = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("xla")


@pytest.fixture(autouse=True, scope="session")
def _compile_once(cache_dir):
    """Every call of `train` compiles again: the same programs come from this cache."""
    settings = {**CACHE, "jax_compilation_cache_dir": str(cache_dir)}
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


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
