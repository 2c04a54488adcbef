"""Trainings that the studio starts: processes of `unspool train text`, stopped as by Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import filelock

from ..errors import ConfigError, RunError
from ..files import NOFOLLOW, open_regular
from ..training.directory import CONFIG, LOCK, METRICS

MOST_LOG = 4 << 20
PATIENCE_S = 30.0  # for the last save of a training
LOGS = ".studio-logs"  # below the runs: what trainings printed


class Trainings:
    """The processes that were started here, by the names of their runs."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped: set[str] = set()  # a second signal would end them before they have saved
        self._lock = Lock()

    def start(self, name: str, text: str, options: dict[str, Any]) -> None:
        """Train on a text; the run keeps it as token ids, and nothing else does."""
        if (self.root / name / CONFIG).exists() or self._is_running(name):
            raise RunError(f"{name} exists already: choose another name")
        given = {
            "cell": options["cell"], "hidden": options["hidden"], "layers": options["layers"],
            "tokens": options["tokens"], "max-minutes": options["minutes"], "eval-every": 100,
        }  # fmt: skip
        with tempfile.TemporaryFile() as file:  # has no name, so nobody else reads it
            file.write(text.encode())
            file.seek(0)
            self._spawn(name, ["-"], given, file)

    def resume(self, name: str, options: dict[str, Any]) -> None:
        """Resume a run."""
        self._spawn(name, ["--resume"], options, subprocess.DEVNULL)

    def stop(self, name: str) -> None:
        """Ask a process of ours to save and stop."""
        if not self._is_running(name):
            raise ConfigError(f"{name} is not a training that this studio started")
        self._interrupt(name)

    def stop_all(self) -> None:
        """Ask all to save and stop, and wait for them."""
        running = [name for name in self._processes if self._is_running(name)]
        for name in running:
            self._interrupt(name)
        for name in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._processes[name].wait(PATIENCE_S)
        for name, process in self._processes.items():
            if process.poll() == 0:
                self._log(name).unlink(missing_ok=True)

    def status(self, name: str, path: Path) -> dict[str, Any]:
        """Whether a run is training (here or elsewhere), is ours to stop, and why it failed."""
        ours = self._is_running(name)
        process = self._processes.get(name)
        failed = process is not None and process.poll() not in (None, 0)
        return {
            "training": ours or _is_locked(path / LOCK),
            "ours": ours,
            "stopping": ours and name in self._stopped,
            "failure": self._failure(name) if failed else None,
        }

    def starting(self) -> list[dict[str, Any]]:
        """Trainings that have not written their run yet, or never will."""
        found = []
        for name, process in list(self._processes.items()):
            if not (self.root / name / METRICS).exists():
                code = process.poll()
                state = {"training": code is None, "ours": code is None}
                failure = self._failure(name) if code else None
                found.append({"name": name, "starting": True, "failure": failure, **state})
        return found

    def _is_running(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.poll() is None

    def _interrupt(self, name: str) -> None:
        if name not in self._stopped:
            self._stopped.add(name)
            self._processes[name].send_signal(signal.SIGINT)

    def _spawn(self, name: str, arguments: list[str], options: dict[str, Any], text: Any) -> None:
        flags = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        # -P: a file typer.py in the current folder is not ours.
        command = [sys.executable, "-P", "-m", "unspool", "train", "text", *arguments, *flags]
        with self._lock:
            if self._is_running(name):
                raise RunError(f"{name} is training already")
            self._stopped.discard(name)
            with self._new_log(name) as log:
                self._processes[name] = subprocess.Popen(
                    [*command, "--run", str(self.root / name)],
                    stdin=text, stdout=log, stderr=log,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,  # Ctrl-C in the terminal reaches the studio alone
                )  # fmt: skip

    def _new_log(self, name: str) -> BinaryIO:
        """A file of this studio's own, in a real folder that only the user can read."""
        folder = self.root / LOGS
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink():
            raise RunError(f"{folder} is a link: remove it")
        path = self._log(name)
        path.unlink(missing_ok=True)  # of the same studio's last start of this run
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW
        return open(os.open(path, flags, 0o600), "wb")

    def _log(self, name: str) -> Path:
        return self.root / LOGS / f"{name.replace('/', '~')}.{os.getpid()}.log"

    def _failure(self, name: str) -> str:
        """The line that the command ended with."""
        try:
            with open_regular(self._log(name)) as log:
                lines = log.read(MOST_LOG).decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        said = lines[-1].removeprefix("unspool: ") if lines else ""
        return said or "the process exited without a message"


def _is_locked(path: Path) -> bool:
    """Whether a process trains there."""
    if not path.exists():
        return False
    try:
        with filelock.FileLock(path).acquire(timeout=0):
            return False
    except (filelock.Timeout, OSError):
        return True
