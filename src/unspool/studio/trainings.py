"""Trainings started by the studio: processes of `unspool train text`, stopped as by Ctrl-C."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, NamedTuple

from ..data.vocab import encoded
from ..errors import ConfigError, RunError
from ..training.directory import CONFIG, METRICS
from ..training.starting import is_locked

MOST_SAID = 1 << 16  # bytes of a process's last output
PATIENCE_S = 30.0  # time for all trainings to save


class Training(NamedTuple):
    """A process, and the file with its output, which has no name, so that no one else can open
    it.
    """

    process: subprocess.Popen[bytes]
    log: BinaryIO


class Trainings:
    """The processes that were started here, by the name of their run (`Store.name`)."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._started: dict[str, Training] = {}
        self._stopped: set[str] = set()  # a second signal would end them before they save
        self._lock = Lock()

    def start(self, name: str, text: str, options: dict[str, Any]) -> None:
        """Train on a text, which is kept only in the run, as token ids."""
        if (self.root / name / CONFIG).exists() or self._is_running(name):
            raise RunError(f"{name} exists already: choose another name")
        with tempfile.TemporaryFile() as file:
            file.write(encoded(text))
            file.seek(0)
            self._spawn(name, ["-"], options, file)

    def resume(self, name: str, options: dict[str, Any]) -> None:
        """Resume a run."""
        self._spawn(name, ["--resume"], options, subprocess.DEVNULL)

    def stop(self, name: str) -> None:
        """Ask one of our processes to save and stop."""
        if not self._is_running(name):
            raise ConfigError(f"{name} was not started by this studio")
        self._interrupt(name)

    def stop_all(self) -> None:
        """Ask all to save and stop, wait for them, and discard their output."""
        running = [name for name in self._started if self._is_running(name)]
        for name in running:
            self._interrupt(name)
        until = time.monotonic() + PATIENCE_S
        for name in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._started[name].process.wait(max(0.0, until - time.monotonic()))
        for training in self._started.values():
            training.log.close()

    def status(self, name: str, path: Path) -> dict[str, Any]:
        """Return whether a run is training (here or elsewhere), is ours to stop, and why it
        failed.
        """
        ours = self._is_running(name)
        return {
            "training": ours or is_locked(path),
            "ours": ours,
            "stopping": ours and name in self._stopped,
            "failure": self._failure(name),
        }

    def starting(self) -> list[dict[str, Any]]:
        """List trainings that have not written their run yet, or never will."""
        return [
            {
                "name": name, "starting": True, "failure": self._failure(name),
                "training": self._is_running(name), "ours": self._is_running(name),
            }
            for name in list(self._started)
            if not (self.root / name / METRICS).exists()
        ]  # fmt: skip

    def _is_running(self, name: str) -> bool:
        return name in self._started and self._started[name].process.poll() is None

    def _interrupt(self, name: str) -> None:
        if name not in self._stopped:
            self._stopped.add(name)
            self._started[name].process.send_signal(signal.SIGINT)

    def _spawn(self, name: str, arguments: list[str], options: dict[str, Any], text: Any) -> None:
        flags = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        # -P, so that a typer.py in the current folder is not imported.
        command = [sys.executable, "-P", "-m", "unspool", "train", "text", *arguments, *flags]
        with self._lock:
            if self._is_running(name):
                raise RunError(f"{name} is training already")
            self._stopped.discard(name)
            if name in self._started:
                self._started[name].log.close()
            log = tempfile.TemporaryFile()  # noqa: SIM115, open as long as the process is known
            process = subprocess.Popen(
                [*command, "--run", str(self.root / name)],
                stdin=text, stdout=log, stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # so that Ctrl-C in the terminal reaches only the studio
            )  # fmt: skip
            self._started[name] = Training(process, log)

    def _failure(self, name: str) -> str | None:
        """Return the line that the command failed with."""
        if name not in self._started:
            return None
        process, log = self._started[name]
        if not process.poll() or log.closed:
            return None
        with self._lock:  # another request may be reading
            log.seek(max(0, log.seek(0, os.SEEK_END) - MOST_SAID))
            lines = log.read().decode(errors="replace").strip().splitlines()
        said = lines[-1].removeprefix("unspool: ") if lines else ""
        return said or "the process exited without a message"
