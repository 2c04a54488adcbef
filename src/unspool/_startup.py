"""Prepare a command before its long imports: a quiet Ctrl-C and three open streams.

Does nothing if the package is imported as a library.
"""

import os
import signal
import sys
from types import FrameType

MODULES = {"unspool", "unspool.cli"}  # as in `python -m unspool`
STREAMS = {"stdin": os.O_RDONLY, "stdout": os.O_WRONLY, "stderr": os.O_WRONLY}


def imported() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, after the imports."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    # While `python -m` looks for a module, its packages are imported but its name is unknown.
    if name == "-m":
        return not MODULES.isdisjoint(sys.orig_argv)
    return name in ("unspool", "unspool.exe")


def _leave(number: int, frame: FrameType | None) -> None:
    """Exit at once: an exception would pass through other packages' imports, which may change
    it.
    """
    os.write(2, b"unspool: interrupted\n")
    os._exit(130)


def _open_closed_streams() -> None:
    """Open /dev/null as each stream that the process was started without, as by `>&-`.

    Otherwise the next file that is opened would become its standard output.
    """
    for name, flags in STREAMS.items():
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)  # gets the lowest free number: the stream's
            mode = "r" if flags == os.O_RDONLY else "w"
            stream = open(  # noqa: SIM115
                descriptor, mode, encoding="utf-8", errors="replace", closefd=False
            )
            setattr(sys, name, stream)


if _is_command():
    _open_closed_streams()
    # An ignored Ctrl-C, as in a background job of a script, stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
