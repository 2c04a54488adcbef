"""Trainings that the studio starts: processes of `unspool train text`, stopped as by Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

import filelock

from ..errors import ConfigError, RunError
from ..files import write_bytes
from ..training.directory import CONFIG, LOCK, METRICS

PATIENCE_S = 30.0  # for the last save of a training
INPUTS = "studio-texts"  # below the runs: what was uploaded
LOG = "studio.log"


class Trainings:
    """The processes that were started here, by the names of their runs."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped: set[str] = set()  # a second signal would end them before they have saved
        self._lock = Lock()

    def start(self, name: str, text: str, options: dict[str, Any]) -> None:
        """Keep the text and train on it."""
        folder = self.root / INPUTS
        folder.mkdir(parents=True, exist_ok=True)
        taken = name == INPUTS or (self.root / name / CONFIG).exists()
        if taken or self._is_running(name):
            raise RunError(f"{name} exists already: choose another name")
        path = folder / f"{name}.txt"
        write_bytes(path, text.encode())
        given = {
            "cell": options["cell"], "hidden": options["hidden"], "layers": options["layers"],
            "tokens": options["tokens"], "max-minutes": options["minutes"], "eval-every": 100,
        }  # fmt: skip
        self._spawn(name, [str(path)], given)

    def resume(self, name: str, options: dict[str, Any]) -> None:
        """Go on with a run."""
        self._spawn(name, ["--resume"], options)

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

    def _spawn(self, name: str, arguments: list[str], options: dict[str, Any]) -> None:
        flags = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        command = [sys.executable, "-m", "unspool", "train", "text", *arguments, *flags]
        path = self._log(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if self._is_running(name):
                raise RunError(f"{name} is training already")
            self._stopped.discard(name)
            with open(path, "wb") as log:
                self._processes[name] = subprocess.Popen(
                    [*command, "--run", str(self.root / name)],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                    start_new_session=True,  # Ctrl-C in the terminal reaches the studio alone
                )  # fmt: skip

    def _log(self, name: str) -> Path:
        return self.root / INPUTS / f"{name}.{LOG}"

    def _failure(self, name: str) -> str:
        """The line that the command ended with."""
        lines = self._log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("unspool: ") if lines else "it ended without a word"


def _is_locked(path: Path) -> bool:
    """Whether a process trains there."""
    if not path.exists():
        return False
    try:
        with filelock.FileLock(path).acquire(timeout=0):
            return False
    except (filelock.Timeout, OSError):
        return True
