"""`unspool studio`."""

import secrets
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError, UnspoolError
from .session import prepare

HOST, PORT = "127.0.0.1", 8787


def studio(
    runs_dir: Annotated[
        Path, typer.Argument(help="The folder that holds the runs.", show_default=True)
    ] = Path("runs"),
    port: Annotated[int, typer.Option(help="0: any that is free.", min=0, max=65535)] = PORT,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
) -> None:
    """See, play with and train networks in a local page.

    unspool studio runs/

    The page is served to this machine alone, and its address has a token. Ctrl-C ends it; trainings
    that were started in it then save and stop.
    """
    try:
        import uvicorn

        from ..studio.app import create_app
    except ImportError as error:
        raise UnspoolError(
            f"the studio needs {error.name}: pip install 'unspool[studio]'"
        ) from error
    if runs_dir.exists() and not runs_dir.is_dir():
        raise ConfigError(f"runs_dir must be a folder, got {runs_dir}")
    prepare()
    token = secrets.token_urlsafe(24)
    config = uvicorn.Config(
        create_app(runs_dir, token), host=HOST, port=port, log_level="warning",
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    try:
        listening = config.bind_socket()
    except SystemExit as error:
        raise UnspoolError(f"port {port} is taken: choose another with --port") from error
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"
    print(f"The studio is at {address}\nCtrl-C ends it.", flush=True)
    if browser:
        webbrowser.open(address)
    uvicorn.Server(config).run([listening])
