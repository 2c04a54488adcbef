"""A run whose files hold anything loads and works, or is refused with a one-line error.

Every value of its JSON, TOML and facts is replaced by values of every other kind.
"""

import contextlib
import json
import math
import random
import resource
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import unspool
from unspool import ConfigError, RunError, UnspoolError, options_file
from unspool.data import held_out
from unspool.files import write_bytes
from unspool.tasks.caption.recipe import CAPTIONER
from unspool.tasks.draw.recipe import DRAW
from unspool.tasks.generate.recipe import GENERATOR
from unspool.tasks.glimpse.recipe import LOOKER
from unspool.tasks.label.recipe import CLASSIFIER, TAGGER
from unspool.tasks.text.recipe import TEXT
from unspool.tasks.translate.recipe import TRANSLATOR
from unspool.training.checkpoint import _checksum

TINY = {"hidden": 4, "batch": 2, "max_steps": 2, "eval_every": 2}
TEXTS = {"t.txt": "the grey heron waits near the mill.\n" * 20,
    "c.tsv": "label\ttext\n" + "".join(f"{'ab'[i % 2]}\tfilm {'xyz'[i % 3]}\n" for i in range(20)),
    "p.tsv": "".join(f"a dog {i}\tein Hund {i}\n" for i in range(20)),
    "g.txt": "The\tDET\ndog\tNOUN\nbarks\tVERB\n\n" * 20,
    "i.tsv": "".join(f"{i}.png\ta dog runs\n" for i in range(20)),
}  # fmt: skip
EMBEDDED = {"embedding": 3}
KINDS: dict[str, tuple[Any, tuple[str, ...], dict[str, Any]]] = {
    "text": (TEXT, ("t.txt",), {"steps_per_chunk": 4, "sample_tokens": 3}),
    "words": (TEXT, ("t.txt",), {"steps_per_chunk": 4, "tokens": "word", "layers": 2}),
    "classify": (CLASSIFIER, ("c.tsv",), EMBEDDED),
    "translate": (TRANSLATOR, ("p.tsv",), {"tokens": "char", "shared": False, **EMBEDDED}),
    "tag": (TAGGER, ("g.txt",), EMBEDDED),
    "generate": (GENERATOR, ("c.tsv",), {}),
    "caption": (CAPTIONER, ("f.npz", "i.tsv"), {"condition": 4, "min_count": 1, **EMBEDDED}),
    "images": (CLASSIFIER, ("m.npz",), EMBEDDED),
    "glimpse": (LOOKER, ("m.npz",), {"glimpses": 2, "patch": 2, "glimpse_size": 3}),
    "draw": (DRAW, ("m.npz",), {"glimpses": 2, "latent": 2, "conditional": True, "embedding": 2}),
}
ALWAYS = ("text", "classify", "translate")  # the others belong to `make soak`
DROP = object()
VALUES = [
    None, True, -1, 0, 3, 10**8, 2**31, 10**30, 10**400, math.inf, math.nan, 0.5, "", "x", [], {},
    [1, "a"], {"a": 1}, [[[]]], DROP,
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A function that trains a run of a kind, once."""
    folder, done = tmp_path_factory.mktemp("runs"), {}
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    draw = np.random.default_rng(0)
    pictures = draw.integers(0, 255, (20, 8, 8)).astype(np.uint8)
    np.savez(folder / "m.npz", images=pictures, labels=np.array(["a", "b"] * 10))
    features = draw.normal(size=(20, 4, 6)).astype(np.float32)
    np.savez(folder / "f.npz", names=[f"{i}.png" for i in range(20)], features=features)

    def run(kind: str) -> Path:
        recipe, names, options = KINDS[kind]
        if kind not in done:
            sources = tuple(str(folder / name) for name in names)
            given = dict(zip(("features", "captions"), sources, strict=False))
            named = given if kind == "caption" else {}
            merged = recipe.merge(sources, {**TINY, **options, **named})
            list(recipe.start(sources, folder / kind, merged))
            done[kind] = folder / kind
        return done[kind]

    return run


@pytest.fixture(autouse=True)
def _no_great_memory():
    """What a damaged run asks for is not granted: 8 GiB are more than all of them need."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


def use(run: Path) -> None:
    """Load, evaluate, and do what the run is for."""
    loaded = unspool.load(run)
    for call in (loaded.evaluate, USES[type(loaded).__name__]):
        try:
            call() if call == loaded.evaluate else call(loaded)
        except UnspoolError:
            continue


USES = {
    "Run": lambda run: run.sample("the", max_new_tokens=5),
    "GeneratorRun": lambda run: run.sample(run.labels[0], max_new_tokens=5),
    "ClassifierRun": lambda run: run.classify(["a"] if run.reads == "text" else [picture()]),
    "DrawRun": lambda run: run.sample(2),
    "GlimpseRun": lambda run: run.classify([picture()]),
    "TaggerRun": lambda run: run.tag([["The", "dog"]]),
    "TranslatorRun": lambda run: run.translate(["a dog"]),
    "CaptionerRun": lambda run: run.caption([np.zeros((4, 6), np.float32)]),
}


def picture() -> np.ndarray:
    return np.zeros((8, 8, 1), np.uint8)


def resume(run: Path, kind: str) -> None:
    _, reports = KINDS[kind][0].resume((), run, {"max_steps": 3})
    list(reports)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every value in JSON; of lists the first two."""
    yield path
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(min(2, len(value)))
        for key in keys:
            yield from places(value[key], (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return {} if new is DROP else new
    value = json.loads(json.dumps(value))
    *inner, last = path
    place = value
    for key in inner:
        place = place[key]
    if new is DROP:
        del place[last]
    else:
        place[last] = new
    return value


def json_files(run: Path) -> list[Path]:
    """config.json, what is kept of the data, and vocabularies in words."""
    return [path for path in sorted(run.rglob("*.json")) if path.name != "tokenizer.json"]


def write_facts(path: Path, facts: Any) -> None:
    arrays, text = safetensors.numpy.load_file(path), json.dumps(facts)
    safetensors.numpy.save_file(arrays, path, {"facts": text, "sha256": _checksum(arrays, text)})


def read_facts(path: Path) -> Any:
    with safetensors.safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["facts"])


def try_json(run: Path, kind: str, work: Path, most: int | None) -> None:
    """Change values of the JSON files, all or `most` drawn ones."""
    cases = [
        (path.relative_to(run), place, new)
        for path in json_files(run)
        for place in places(json.loads(path.read_text()))
        for new in VALUES
    ]
    for name, place, new in drawn(cases, most):
        write_bytes(
            work / name,
            json.dumps(changed(json.loads((run / name).read_text()), place, new)).encode(),
        )
        check(lambda: use(work), name, place, new)
        shutil.copy(run / name, work / name)


def try_facts(run: Path, kind: str, work: Path, most: int | None) -> None:
    """Change the facts stored with the weights and with what resuming needs."""
    names = ("model.safetensors", "train-state.safetensors")
    cases = [
        (name, place, new)
        for name in names
        for place in places(read_facts(run / name))
        for new in VALUES
    ]
    for name, place, new in drawn(cases, most):
        write_facts(work / name, changed(read_facts(run / name), place, new))
        check(lambda: (use(work), resume(work, kind)), name, place, new)
        shutil.rmtree(work)
        shutil.copytree(run, work)


def try_options(run: Path, kind: str, work: Path, most: int | None) -> None:
    """Change options.toml, as far as TOML can say it."""
    options = tomllib.loads((run / "options.toml").read_text())
    news = [new for new in VALUES if not isinstance(new, dict | list) and new is not None]
    for key, new in drawn([(key, new) for key in options for new in news], most):
        options_file.write(work / "options.toml", changed(options, (key,), new))
        check(lambda: resume(work, kind), "options.toml", (key,), new)
        shutil.rmtree(work)
        shutil.copytree(run, work)


def drawn(cases: list[Any], most: int | None) -> list[Any]:
    return cases if most is None else random.Random(0).sample(cases, most)


def check(call: Any, *what: object) -> None:
    try:
        with contextlib.suppress(UnspoolError):
            call()
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}") from error


TRIED = {"json": (try_json, 60), "facts": (try_facts, 8), "options": (try_options, 8)}


@pytest.mark.parametrize("part", TRIED)
@pytest.mark.parametrize("kind", ALWAYS)
def test_any_value_in_a_run(runs, tmp_path, kind, part):
    tried, most = TRIED[part]
    shutil.copytree(runs(kind), tmp_path / "work")
    tried(runs(kind), kind, tmp_path / "work", most)


@pytest.mark.soak
@pytest.mark.parametrize("part", TRIED)
@pytest.mark.parametrize("kind", KINDS)
def test_every_value_in_a_run(runs, tmp_path, kind, part):
    shutil.copytree(runs(kind), tmp_path / "work")
    TRIED[part][0](runs(kind), kind, tmp_path / "work", None)


@pytest.fixture
def received(runs, tmp_path):
    shutil.copytree(runs("text"), tmp_path / "received")
    return tmp_path / "received"


SIZES = [
    ("num_layers", 10**8), ("num_layers", 2), ("hidden_size", 10**7), ("hidden_size", 10**400),
    ("vocab_size", 10**9), ("embedding_size", 10**6),
]  # fmt: skip


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_sizes_in_config_json_are_compared_before_memory_is_taken(received, name, size):
    path = received / "config.json"
    path.write_text(json.dumps(changed(json.loads(path.read_text()), ("model", name), size)))
    with pytest.raises(RunError, match=r"must be at most|does not fit|damaged"):
        use(received)


OPTIONS = [
    ("layers", 10**8, "must be below"),
    ("hidden", 10**7, "does not fit"),
    ("embedding", 10**6, "does not fit"),
    ("sample_tokens", 10**11, "must be below"),
    ("max_steps", 10**11, "must be below"),
    ("seed", 2**70, "must be below"),
]


@pytest.mark.parametrize(("name", "value", "message"), OPTIONS)
def test_sizes_in_options_toml_are_compared_before_memory_is_taken(received, name, value, message):
    options = tomllib.loads((received / "options.toml").read_text())
    options_file.write(received / "options.toml", {**options, name: value})
    with pytest.raises(RunError, match=message):
        resume(received, "text")


DEEP, LONG = "[" * 100_000, "1" * 5000


@pytest.mark.parametrize("name", ["config.json", "data/text.json", "vocab.json", "options.toml"])
@pytest.mark.parametrize("content", [DEEP, f"a = {DEEP}", LONG, f"a = {LONG}", "\0", "\ud800"])
def test_files_that_break_their_readers(received, name, content):
    (received / name).write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(RunError, match=name):
        resume(received, "text")


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "BF16", "F16", "F64", "I64", "U8", "BOOL"])
@pytest.mark.parametrize("name", ["model.safetensors", "train-state.safetensors"])
def test_weights_of_another_type(received, name, kind):
    """Only the header changes: NumPy has no such types, and the sizes are others."""
    data = (received / name).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    first = next(key for key in header if key != "__metadata__" and header[key]["dtype"] == "F32")
    begin, end = header[first]["data_offsets"]
    bits = {"F64": 64, "I64": 64, "BF16": 16, "F16": 16}.get(kind, 8)
    header[first] |= {"dtype": kind, "shape": [8 * (end - begin) // bits]}
    text = json.dumps(header).encode()
    (received / name).write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    with pytest.raises(RunError, match=rf"{name} (does not fit|is damaged)"):
        resume(received, "text")


@pytest.mark.parametrize("seed", [2**64, 2**70, -(2**70), 1.5, "x", None])
def test_seeds_that_no_generator_takes(seed):
    for create in (
        lambda: unspool.LanguageModel.create(5, hidden_size=3, seed=seed),
        lambda: unspool.Classifier.create(2, vocab_size=5, seed=seed),
        lambda: unspool.Translator.create(5, seed=seed),
    ):
        with pytest.raises(ConfigError, match="seed must be a whole number of 64 bits"):
            create()


@pytest.mark.parametrize("seed", [-1, 1.5, "x"])
def test_seeds_that_draw_no_part_of_data(seed):
    with pytest.raises(ConfigError, match="seed must be a whole number of at least 0"):
        held_out(["a", "b"] * 5, 0.5, seed)
