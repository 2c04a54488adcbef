"""`unspool studio`."""

import html
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from asyncio import CancelledError
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError, UnspoolError
from . import streams
from .options import path
from .session import prepare

HOST, PORT = "127.0.0.1", 8787
LAST_WORK_S = 1.0  # for requests that still compute when the studio has ended


def studio(
    runs_dir: Annotated[
        Path,
        typer.Argument(help="The folder that holds the runs.", show_default=True, parser=path),
    ] = Path("runs"),
    port: Annotated[int, typer.Option(help="0: any that is free.", min=0, max=65535)] = PORT,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
) -> None:
    """See, play with and train networks in a local page.

    unspool studio runs/

    The page is served to this machine alone, and each address that is printed is good for one
    browser. Ctrl-C ends it; trainings that were started in it then save and stop.
    """
    try:
        import uvicorn  # noqa: F401

        from ..studio.app import create_app
        from ..studio.security import Codes
    except ImportError as error:
        raise UnspoolError(
            f"the studio needs {error.name}: pip install 'unspool[studio]'"
        ) from error
    if runs_dir.exists() and not runs_dir.is_dir():
        raise ConfigError(f"runs_dir must be a folder, got {runs_dir}")
    prepare()
    streams.outlive_readers()
    listening, codes = _listen(port), Codes()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    address = f"http://{HOST}:{listening.getsockname()[1]}/?code="

    def print_next() -> None:
        print(f"A browser has opened it. For another one: {address}{codes.new(print_next)}")

    print(f"The studio is at {address}{codes.new(print_next)}\nCtrl-C ends it.", flush=True)
    try:
        with ExitStack() as opened:
            if browser:
                _open(address + codes.new(opened.close), opened)
            _serve(create_app(runs_dir, secrets.token_urlsafe(24), codes), listening)
    finally:
        _leave()


def _open(address: str, opened: ExitStack) -> None:
    """Open a browser by a page that only this user can read, and that goes with `opened`.

    All users of a machine see the command line of a browser. A browser in a sandbox (a snap) reads
    no other folder than the home, and in that none whose name begins with a dot.
    """
    home = Path.home() if os.access(Path.home(), os.W_OK) else None
    folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="unspool-studio-", dir=home))
    page = Path(folder) / "open.html"
    with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(
            "<!doctype html><title>Unspool</title>"
            f'<meta http-equiv="refresh" content="0; url={html.escape(address)}">'
        )
    if not webbrowser.open(page.as_uri()):
        opened.close()


def _serve(app: Any, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
    # What a request was doing when the studio ended is no error of its own.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], CancelledError))
    )
    uvicorn.Server(config).run([listening])


def _leave() -> None:
    """End the process now if threads still compute: Python would wait for each of them."""
    until = time.monotonic() + LAST_WORK_S
    others = [one for one in threading.enumerate() if one is not threading.current_thread()]
    for thread in others:
        if not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() and not thread.daemon for thread in others):
        sys.stdout.flush()
        os._exit(130)


def _listen(port: int) -> socket.socket:
    """A socket that takes connections from now on, whenever the server comes to them."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise UnspoolError(
            f"cannot listen on port {port} ({error.strerror}): choose another with --port"
        ) from error
    return listening
