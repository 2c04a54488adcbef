"""A run that somebody sent: links in it lead nowhere, and nothing outside of it is written."""

import contextlib
import os
import shutil
import socket
from pathlib import Path

import pytest

import unspool
from unspool import RunError, UnspoolError
from unspool.tasks.text.recipe import TEXT
from unspool.training import directory
from unspool.training.directory import read_config
from unspool.training.starting import check_free, check_start, locked

TINY = {
    "hidden": 4, "batch": 2, "steps_per_chunk": 4, "max_steps": 2, "eval_every": 2,
    "sample_tokens": 3,
}  # fmt: skip
OWN = [
    "config.json", "model.safetensors", "train-state.safetensors", "metrics.jsonl", "samples.txt",
    "options.toml", "vocab.json", "data/text.json", "data/train.bin", "data/vocab.json", "data",
    ".lock", "anything",
]  # fmt: skip


def start(source: Path, run: Path) -> None:
    list(TEXT.start((str(source),), run, TEXT.merge((), TINY)))


def resume(run: Path, **given: object) -> None:
    _, reports = TEXT.resume((), run, {"max_steps": 4, **given})
    list(reports)


def evaluate(run: Path) -> None:
    unspool.load(run).evaluate()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "t.txt"
    path.write_text("the grey heron waits near the mill.\n" * 20)
    return path


@pytest.fixture(scope="module")
def trained(source, tmp_path_factory):
    run = tmp_path_factory.mktemp("trained") / "run"
    start(source, run)
    return run


@pytest.fixture
def received(trained, tmp_path):
    """A run that somebody sent, next to the user's files."""
    run = tmp_path / "received"
    shutil.copytree(trained, run)
    return run


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.mkdir()
    (path / "thesis.txt").write_text("all of my work\n" * 100)
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def replace(path: Path) -> None:
    """Clear the way for a link."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("use", [resume, evaluate, read_config])
def test_a_run_with_a_link_is_refused_by_name(received, victim, name, use):
    replace(received / name)
    target = victim if name == "data" else victim / "thesis.txt"
    (received / name).symlink_to(os.path.relpath(target, (received / name).parent))
    before = content(victim)
    with pytest.raises(RunError, match=f"{name} is a link"):
        use(received)
    assert content(victim) == before


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.txt"])
def test_a_second_name_of_the_users_file_is_not_written_to(received, victim, name):
    """A TAR may hold hard links, which are no links to those who look at them."""
    replace(received / name)
    os.link(victim / "thesis.txt", received / name)
    before = content(victim)
    with pytest.raises(UnspoolError, match=f"{name}: it must be a regular file without other"):
        resume(received)
    assert content(victim) == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("use", ["start", "resume"])
def test_a_lock_that_is_another_file_is_not_opened(source, received, victim, link, use):
    run = received
    if use == "start":
        run = victim.parent / "new"
        run.mkdir()
    replace(run / ".lock")
    link(victim / "thesis.txt", run / ".lock")
    before = content(victim)
    with pytest.raises(RunError, match=r"\.lock is"):
        start(source, run) if use == "start" else resume(run)
    assert content(victim) == before
    assert [path.name for path in (victim.parent / "new").glob("*")] in ([], [".lock"])


def test_a_lock_with_content_is_the_users(source, tmp_path):
    (tmp_path / ".lock").write_text("mine")
    with pytest.raises(RunError, match="lock is not an empty file"):
        start(source, tmp_path)
    assert content(tmp_path) == {".lock": b"mine"}


@pytest.mark.parametrize("name", [*OWN[:-1], "anything.txt"])
def test_no_run_starts_in_a_directory_with_links(source, victim, tmp_path, name):
    run, before = tmp_path / "run", content(victim)
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    (run / name).symlink_to(victim / "thesis.txt")
    with pytest.raises(RunError, match=r"is a link|in the way|already holds|not an empty"):
        start(source, run)
    assert content(victim) == before


def test_a_run_directory_that_is_a_link_is_not_written_to(source, received, tmp_path):
    for name, target in (("run", received), ("new", tmp_path / "elsewhere")):
        (tmp_path / name).symlink_to(target)
    before = content(received)
    with pytest.raises(RunError, match="run is a link: name the directory that it points to"):
        resume(tmp_path / "run")
    with pytest.raises(RunError, match="new is a link"):
        start(source, tmp_path / "new")
    with pytest.raises(RunError, match="new is a link"):
        check_start(tmp_path / "new")
    assert content(received) == before
    assert not (tmp_path / "elsewhere").exists()
    evaluate(tmp_path / "run")  # reading harms nobody


def test_pipes_and_sockets_do_not_hang(received, monkeypatch):
    for name in ("config.json", "vocab.json", "options.toml", "metrics.jsonl"):
        run = received.parent / name
        shutil.copytree(received, run)
        (run / name).unlink()
        os.mkfifo(run / name)
        with pytest.raises(RunError, match=f"{name} is not a regular file"):
            resume(run)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(received)  # the name of a socket must be short
        server.bind("socket")
        with pytest.raises(RunError, match="socket is not a regular file"):
            read_config(received)


def test_folders_of_the_users_are_none_of_a_runs(received, victim):
    """A training in the current folder does not look into what else is there."""
    (received / "notes").mkdir()
    (received / "notes" / "latest").symlink_to(victim)
    resume(received)
    evaluate(received)


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("name", ["thesis.txt", "notes/thesis.txt"])
def test_a_forged_beginning_removes_nothing(source, tmp_path, link, name):
    """A folder that looks like an unfinished start does not tell which files are ours."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    forged = tmp_path / ".starting.12.0123abcd" / name
    forged.parent.mkdir(parents=True)
    link(tmp_path / name, forged)
    with locked(tmp_path):
        pass
    assert (tmp_path / name).read_text() == "mine"


def test_a_forged_beginning_with_links_to_samples_removes_nothing(tmp_path):
    (tmp_path / "samples.txt").write_text("mine")
    (tmp_path / ".starting.12.0123abcd").mkdir()
    (tmp_path / ".starting.12.0123abcd" / "samples.txt").symlink_to(tmp_path / "samples.txt")
    with locked(tmp_path):
        pass
    assert (tmp_path / "samples.txt").read_text() == "mine"


def test_a_beginning_that_is_a_link_is_not_followed(victim, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".starting.12.0123abcd").symlink_to(victim)
    before = content(victim)
    with locked(run):
        pass
    assert content(victim) == before
    with pytest.raises(RunError, match="is a link"):
        check_free(run)


@pytest.mark.parametrize("size", [-1, 10**18, 2**64, True, "0", None, 0.5, [1], {"a": 1}])
@pytest.mark.parametrize("name", [directory.METRICS, "../victim/thesis.txt", ".lock"])
def test_sizes_of_a_journal_decide_nothing_elsewhere(received, victim, name, size):
    before = content(victim)
    # The last two are told as damaged facts.
    with contextlib.suppress(UnspoolError, TypeError, ValueError):
        directory.Journal(received, {name: size})
    assert content(victim) == before
    if (received / ".lock").exists():  # some versions of filelock remove it when it is released
        assert not (received / ".lock").stat().st_size
