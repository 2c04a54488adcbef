"""Every mistake is a one-line error and exit code 2, and nothing is lost."""

import ctypes
import errno
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys

import jax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import slow

LONG = "a" * 300


def assert_refused(done, *words):
    assert done.code == 2, done
    assert done.err.startswith("unspool: "), done.err
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


def tree(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def files(tmp_path, verse):
    """A folder of texts that nobody can train on, and a TOML file of each kind of mistake."""
    contents = {
        "empty.txt": b"", "one.txt": b"a", "same.txt": b"aaaa" * 99, "short.txt": b"abc" * 9,
        "binary.txt": b"ab\0c", "latin.txt": "café olé".encode("latin-1"),
        "unknown.toml": b"hiden = 5", "type.toml": b"hidden = '5'", "rule.toml": b"hidden = 0",
        "table.toml": b"[training]\nhidden = 5", "broken.toml": b"hidden = ",
        "latin.toml": b"cell = '\xe9'", "paths.toml": b"paths = 'verse.txt'",
        "numbers.toml": b"paths = [1]", "run.toml": b"run = 5",
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "binaries").mkdir()
    shutil.copy(tmp_path / "binary.txt", tmp_path / "binaries")
    shutil.copy(verse, tmp_path)
    return tmp_path


TRAIN = [
    ("verse.txt", "--run must name"),
    ("--run new", "a text must be named"),
    ("none.txt --run new", "none.txt does not exist"),
    (f"{LONG} --run new", "File name too long"),
    (f"verse.txt --run {LONG}", "File name too long"),
    ("verse.txt --run verse.txt", "verse.txt is a file"),
    ("verse.txt --run verse.txt/new", "Not a directory"),
    ("empty.txt --run new", "is empty"),
    ("one.txt --run new", "must have at least 2 tokens, got 0 (one.txt)"),
    ("same.txt --run new", "at least 2 different tokens"),
    ("short.txt --run new", "more than batch * steps"),
    ("binary.txt --run new", "looks binary"),
    ("latin.txt --run new", "not UTF-8 text (bad byte at offset 3)"),
    ("folder --run new", "folder has no text files"),
    ("binaries --run new", "binaries has no text files"),
    ("verse.txt none.txt --run new", "none.txt does not exist"),
    ("- - --run new", "only once"),
    ("verse.txt --val none.txt --run new", "none.txt does not exist"),
    (
        "verse.txt --val-fraction 0.0001 --run new",
        "validation part of the text must have at least 2 tokens",
        "raise --val-fraction",
    ),
    ("verse.txt --run new --hidden 0", "hidden must be at least 1, got 0"),
    ("verse.txt --run new --hidden ten", "--hidden", "integer"),
    ("verse.txt --run new --hidden", "--hidden", "requires an argument"),
    ("verse.txt --run new --cell lsmt", "lstm, gru, rnn", "'lsmt'"),
    ("verse.txt --run new --dropout nan", "dropout must be finite"),
    ("verse.txt --run new --dropout 1", "dropout must be below 1"),
    ("verse.txt --run new --seed 99999999999999999999", "seed must be below 4294967296"),
    ("verse.txt --run new --tied --batch 4 --steps-per-chunk 8", "tied weights need"),
    ("verse.txt --run new --vocab-size 99", "--vocab-size applies to tokens 'word' and 'bpe'"),
    ("verse.txt --run new --tokens bpe --vocab-size 9", "--vocab-size must be at least 256"),
    (f"verse.txt --run new --tokens bpe --vocab-size {10**22}", "--vocab-size must be below"),
    ("verse.txt --run new --hidn 5", "No such option: --hidn"),
    ("verse.txt --run new --config none.toml", "none.toml does not exist"),
    ("verse.txt --run new --config folder", "cannot read folder"),
    ("verse.txt --run new --config broken.toml", "broken.toml is not a readable TOML file"),
    ("verse.txt --run new --config latin.toml", "latin.toml is not a readable TOML file"),
    ("verse.txt --run new --config unknown.toml", "unknown.toml", "did you mean 'hidden'?"),
    ("verse.txt --run new --config table.toml", "unknown option 'training'"),
    ("verse.txt --run new --config type.toml", "hidden must be of type int, got '5'"),
    ("verse.txt --run new --config rule.toml", "hidden must be at least 1"),
    ("--run new --config paths.toml", "paths must be a list of strings"),
    ("--run new --config numbers.toml", "paths must be a list of strings"),
    ("verse.txt --config run.toml", "run must be a string"),
    ("--run none --resume", "none is not a run directory"),
    ("verse.txt --run folder --resume", "folder is not a run directory"),
]


@pytest.mark.parametrize(("line", "words"), [(line, words) for line, *words in TRAIN])
def test_train_refuses(unspool, files, monkeypatch, line, words):
    monkeypatch.chdir(files)
    before = tree(files)
    assert_refused(unspool("train", "text", *line.split()), *words)
    assert not (files / "new" / "config.json").exists()
    assert {path: before[path] for path in before} == {p: p.read_bytes() for p in before}


@pytest.mark.parametrize("line", ["one.txt", "latin.txt", "none.txt", "verse.txt --hidden 0"])
def test_a_refused_start_leaves_no_directory(unspool, files, monkeypatch, line):
    monkeypatch.chdir(files)
    assert_refused(unspool("train", "text", "--run", "new", *line.split()))
    assert not (files / "new").exists()


def test_a_refused_start_can_be_repeated(unspool, files, small):
    run = files / "new"
    assert_refused(unspool("train", "text", files / "verse.txt", "--run", run))
    assert unspool("train", "text", files / "verse.txt", "--run", run, *small).code == 0


OTHERS = [
    ("nonsense", "No such command 'nonsense'"),
    ("--nonsense", "No such option: --nonsense"),
    ("train nonsense", "No such command 'nonsense'"),
    ("hello extra", "unexpected extra argument"),
    ("sample", "Missing argument"),
    ("sample none", "none is not a run directory"),
    ("sample {verse}", "is not a run directory"),
    ("sample {run} --prompt \udce9", "lone surrogate"),
    ("sample {run} --temperature -1", "temperature must be at least 0"),
    ("sample {run} --temperature nan", "temperature must be finite, got nan"),
    ("sample {run} --temperature inf", "temperature must be finite, got inf"),
    ("sample {run} --temperature warm", "--temperature"),
    ("sample {run} --top-k 0", "--top-k must be at least 1, got 0"),
    ("sample {run} --top-p 0", "--top-p must be above 0"),
    ("sample {run} --top-p 1.5", "--top-p must be above 0 and at most 1"),
    ("sample {run} --count 0", "count must be", "at least 1"),
    ("sample {run} --max-new-tokens 0", "--max-new-tokens must be", "at least 1"),
    ("sample {run} --max-new-tokens -3", "--max-new-tokens must be"),
    ("sample {run} --stop=", "stop must have at least one character"),
    ("sample {run} --seed -1", "seed must be at least 0"),
    ("sample {run} --seed 99999999999999999999", "seed must be"),
    ("eval none", "none is not a run directory"),
    ("eval {run} none.txt", "none.txt does not exist"),
    ("eval {run} /dev/null", "/dev/null"),
    ("eval {run} --num-beams 3", "--num-beams does not apply: ", "run is a language model\n"),
    ("eval {run} --source {verse}", "--source does not apply: ", "run is a language model\n"),
    ("eval {run} --window 0", "--window must be at least 1, got 0"),
    ("eval {run} --weights int4", "--weights must be one of float32, bfloat16, int8, got 'int4'"),
    ("info none", "none is not a run directory"),
    ("demo --run {run}", "already holds a run"),
    ("demo --minutes 0", "max_minutes must be above 0"),
    ("demo --minutes nan", "max_minutes must be finite"),
    ("train text {verse} --run {run}", "already holds a run"),
]


@pytest.mark.parametrize(("line", "words"), [(line, words) for line, *words in OTHERS])
def test_other_commands_refuse(unspool, trained, verse, tmp_path, monkeypatch, line, words):
    monkeypatch.chdir(tmp_path)
    before = tree(trained)
    filled = line.format(run=trained, verse=verse, toml=trained / "options.toml")
    assert_refused(unspool(*filled.split()), *words)
    assert tree(trained) == before


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_option_value_brings_a_traceback(unspool, trained, data):
    """Anything at all as the value of an option that rules forbid most of."""
    flag = data.draw(st.sampled_from(["--count", "--top-k", "--top-p", "--temperature", "--seed"]))
    value = data.draw(st.text(max_size=8) | st.integers(max_value=0).map(str))
    done = unspool("sample", trained, "--max-new-tokens", "1", f"{flag}={value}")
    assert done.code in (0, 2)
    if done.code == 2:
        assert_refused(done)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "nonsense"),
        *slow(
            ("train text {files}/latin.txt --run {files}/new", "UTF-8"),
            ("train text - --run {files}/new", "at least 2 tokens"),
            ("sample {run} --condition Ω", "--condition does not apply"),
        ),
    ],
)
def test_real_processes_refuse_too(spawn, trained, files, line, words):
    assert_refused(spawn(*line.format(run=trained, files=files).split(), stdin="a"), words)


READ_BY = {
    "config.json": ("sample", "eval", "info", "resume"),
    "vocab.json": ("sample", "eval", "info", "resume"),
    "model.safetensors": ("sample", "eval", "info", "resume"),
    "train-state.safetensors": ("resume",),
    "options.toml": ("resume",),
    "data/train.bin": ("eval", "resume"),
    "data/val.bin": ("eval", "resume"),
    "data/text.json": ("eval", "resume"),
    "data/vocab.json": ("eval", "resume"),
}


def damaged(run, name, how):
    path = run / name
    data = bytearray(path.read_bytes())
    path.unlink()
    middle = data.index(b"chars") if name == "data/text.json" else len(data) // 2
    if how == "empty":
        path.write_bytes(b"")
    elif how == "half":
        path.write_bytes(data[:middle])
    elif how == "flip":
        data[middle] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["gone", "empty", "half", "flip"])
@pytest.mark.parametrize("name", READ_BY)
def test_a_damaged_file_is_refused_by_all_that_read_it(unspool, trained, tmp_path, name, how):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    damaged(run, name, how)
    before = tree(run)
    resume = ("train", "text", "--run", run, "--resume", "--max-steps", "13")
    commands = {"sample": ("sample", run), "eval": ("eval", run), "info": ("info", run),
                "resume": resume}  # fmt: skip
    for command in READ_BY[name]:
        assert_refused(unspool(*commands[command]))
        assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (None, "format_version", 99), (None, "format_version", "1"), (None, "model", []),
        (None, "task", None), ("model", "cell", "lstm"), ("model", "cell", []),
        ("model", "cell", "own: Leaky"), ("model", "hidden_size", 9),
        ("model", "hidden_size", "x"), ("model", "hidden_size", -1), ("model", "num_layers", 2.5),
        ("model", "vocab_size", None), ("model", "dropout", 7), ("model", "kind", "parrot"),
        ("model", "extra", 1), ("task", "vocabulary", "0" * 64),
    ],
)  # fmt: skip
def test_an_edited_config_is_refused(unspool, trained, tmp_path, section, key, value):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    config = json.loads((run / "config.json").read_text())
    (config if section is None else config[section])[key] = value
    (run / "config.json").write_text(json.dumps(config))
    assert_refused(unspool("sample", run))


RESUME = [
    ("--hidden 9", "hidden cannot change, from 8 to 9"),
    ("--tokens byte", "tokens cannot change"),
    ("--val-fraction 0.2", "val_fraction cannot change"),
    ("--preset large", "preset cannot change"),
    ("--learning-rate 0.1", "learning_rate cannot change"),
    ("other.txt", "the text is not the one that the run was started with"),
    ("none.txt", "none.txt does not exist"),
]


@pytest.mark.parametrize(("line", "words"), RESUME)
def test_resume_refuses_changes(unspool, trained, tmp_path, monkeypatch, line, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.txt").write_text("another text " * 99)
    before = tree(trained)
    arguments = [*line.split(), "--run", trained, "--resume"]
    assert_refused(unspool("train", "text", *arguments), words)
    assert tree(trained) == before


@pytest.mark.slow
def test_a_run_in_use(unspool, process, trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    with process("train", "text", "--run", run, "--resume", "--max-steps", "999999") as other:
        for line in other.stdout:
            if line.startswith("step"):
                break
        assert_refused(unspool("train", "text", "--run", run, "--resume"), "in use by another")
        assert unspool("sample", run, "--max-new-tokens", "3").code == 0
        other.terminate()
        other.communicate()
    assert other.returncode == 0


def test_the_folder_of_the_text_is_no_run_directory(unspool, files, small, monkeypatch):
    """`--run .` in a folder whose files a run would overwrite."""
    monkeypatch.chdir(files)
    (files / "data").mkdir()
    (files / "data" / "train.bin").write_text("mine")
    before = tree(files)
    assert_refused(unspool("train", "text", "verse.txt", "--run", ".", *small), "data is in the")
    assert tree(files) == before


def test_a_full_disk_at_any_write(unspool, trained, tmp_path, monkeypatch):
    """The n-th fsync of a resumed training fails: one line, and the run is as good as before."""
    fsync = os.fsync
    for failing in itertools.count(1):
        run, calls = tmp_path / f"run-{failing}", itertools.count(1)
        shutil.copytree(trained, run)

        def full(descriptor, calls=calls, failing=failing):
            if next(calls) == failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        resume = ("train", "text", "--run", run, "--resume", "--max-steps", "14")
        done = unspool(*resume)
        monkeypatch.setattr(os, "fsync", fsync)
        if done.code == 0:
            break
        assert_refused(done, "no space left to write")
        assert unspool(*resume).code == 0
    assert failing > 4


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 64 KiB."""
    libc, disk = ctypes.CDLL(None, use_errno=True), tmp_path / "disk"
    disk.mkdir()
    if os.getuid() != 0 or libc.mount(b"none", bytes(disk), b"tmpfs", 0, b"size=64k") != 0:
        pytest.skip("only root may mount a small file system")
    yield disk
    libc.umount(bytes(disk))


@pytest.mark.slow
def test_a_really_full_disk(spawn, verse, tiny_disk, small):
    done = spawn("train", "text", verse, "--run", tiny_disk / "run", *small, "--hidden", "64")
    assert_refused(done, "no space left to write")
    (tiny_disk / "filler").write_bytes(b"")
    assert not list(tiny_disk.rglob(".*.tmp"))


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = ["unspool", *sys.argv[2:]]
from unspool.cli.main import main
main()
"""


@pytest.mark.slow
def test_a_limit_on_the_size_of_files(trained, tmp_path, spawn):
    """EFBIG instead of ENOSPC: the new state does not fit, the old one stays."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    size = (run / "train-state.safetensors").stat().st_size
    assert size > resource.getpagesize()
    arguments = ["train", "text", "--run", run, "--resume", "--max-steps", "20"]
    command = [sys.executable, "-c", LIMITED, str(size - 1000), *map(str, arguments)]
    state = (run / "train-state.safetensors").read_bytes()
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "cannot write" in done.stderr
    assert (run / "train-state.safetensors").read_bytes() == state
    assert spawn(*arguments).code == 0


@pytest.mark.parametrize("hidden", [400_000, 10_000_000])
def test_a_model_larger_than_memory(unspool, verse, tmp_path, small, hidden):
    line = ["train", "text", verse, "--run", tmp_path / "run", *small, "--hidden", hidden]
    assert_refused(unspool(*line), "GiB of memory", "lower --hidden or lower --layers")


@pytest.mark.parametrize(
    "error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")]
)
def test_not_enough_memory(unspool, verse, tmp_path, monkeypatch, error):
    def train_text(*_):
        raise error

    monkeypatch.setattr("unspool.tasks.text.recipe.TextRecipe.start", train_text)
    assert_refused(unspool("train", "text", verse, "--run", tmp_path), "not enough memory")


@pytest.mark.slow
def test_a_cache_that_cannot_be_used_is_no_error(spawn, trained):
    done = spawn("sample", trained, "--max-new-tokens", 5, env={"XDG_CACHE_HOME": "/proc/none"})
    assert (done.code, done.err) == (0, "")


def test_a_directory_that_cannot_be_read(unspool, trained, tmp_path):
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / "config.json").chmod(0)
    assert_refused(unspool("sample", tmp_path / "run"))
    (tmp_path / "run").chmod(0)
    assert_refused(unspool("sample", tmp_path / "run"))
    (tmp_path / "run").chmod(0o700)
