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

from ..cells.names import OWN, own_cells
from ..errors import ConfigError, UnspoolError
from . import streams
from .cells import named_cell
from .options import path
from .session import prepare

HOST, PORT = "127.0.0.1", 8787
LAST_WORK_S = 1.0  # for requests that still compute when the studio stops


def studio(
    runs_dir: Annotated[
        Path,
        typer.Argument(help="The folder of the runs.", show_default=True, parser=path),
    ] = Path("runs"),
    port: Annotated[int, typer.Option(help="0 picks a free port.", min=0, max=65535)] = PORT,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            metavar=OWN,
            help="A cell of your own that runs may have and trainings may use; repeatable.",
            show_default=False,
            parser=named_cell,
        ),
    ] = None,
) -> None:
    """Open a local page to see, play with and train networks.

    unspool studio runs/

    The page is served to this machine only, and each printed address works in one browser.
    Ctrl-C stops the studio; trainings started in it save and stop.
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
    own = own_cells(cell or ())
    prepare()
    streams.outlive_readers()
    listening, codes = _listen(port), Codes()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
    address = f"http://{HOST}:{listening.getsockname()[1]}/?code="

    def print_next() -> None:
        print(f"A browser has opened it. For another browser: {address}{codes.new(print_next)}")

    print(f"The studio is at {address}{codes.new(print_next)}\nCtrl-C stops it.", flush=True)
    try:
        with ExitStack() as opened:
            if browser:
                _open(address + codes.new(opened.close), opened)
            _serve(create_app(runs_dir, secrets.token_urlsafe(24), codes, own), listening)
    finally:
        _leave()


def _open(address: str, opened: ExitStack) -> None:
    """Open a browser through a page that only this user can read, removed when `opened` closes.

    All users of a machine can see the command line of a browser. A sandboxed browser (a snap) reads
    files in the home folder only, and there no folder whose name begins with a dot.
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
    # Requests that are cut off when the studio stops are not errors.
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: not (record.exc_info and isinstance(record.exc_info[1], CancelledError))
    )
    uvicorn.Server(config).run([listening])


def _leave() -> None:
    """Exit at once if threads still compute: Python would wait for each of them."""
    until = time.monotonic() + LAST_WORK_S
    others = [one for one in threading.enumerate() if one is not threading.current_thread()]
    for thread in others:
        if not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() and not thread.daemon for thread in others):
        sys.stdout.flush()
        os._exit(130)


def _listen(port: int) -> socket.socket:
    """Open a socket that accepts connections at once; the server answers them when it is ready."""
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
