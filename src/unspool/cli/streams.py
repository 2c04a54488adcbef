"""Handle output that nobody reads: it ends most commands, but never training."""

import io
import os
import sys
from contextlib import suppress

STDOUT, STDERR = 1, 2


def outlive_readers() -> None:
    """Drop output that cannot be written from now on, and let the command continue.

    For commands whose purpose is not their output: `unspool train ... | head -2` continues to
    train, and so does training whose terminal is closed.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Skip the replacements of tests and notebooks, which are subclasses.
        if type(stream) is io.TextIOWrapper:
            stream.flush()
            raw = io.BufferedWriter(_Lasting(stream.fileno(), "w", closefd=False))
            lasting = io.TextIOWrapper(
                raw, stream.encoding, stream.errors, line_buffering=True, write_through=True
            )
            setattr(sys, name, lasting)


def drop(descriptor: int) -> None:
    """Discard what is written to a file descriptor from now on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


class _Lasting(io.FileIO):
    def write(self, data):  # type: ignore[no-untyped-def]
        try:
            return super().write(data)
        except OSError as error:
            drop(self.fileno())
            if self.fileno() == STDOUT:
                self._tell(error)
            return len(data)

    def _tell(self, error: OSError) -> None:
        # Not through sys.stderr, which a progress bar redirects to the stream handled here.
        told = f"note: the output cannot be written ({error.strerror}): continuing without it\n"
        with suppress(OSError):
            os.write(STDERR, told.encode())
