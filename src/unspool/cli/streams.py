"""Output that nobody reads: it ends most commands, and never a training."""

import io
import os
import sys
from contextlib import suppress

STDOUT, STDERR = 1, 2


def outlive_readers() -> None:
    """From now on output that cannot be written is dropped, and the command continues.

    For commands whose purpose is not what they print: `unspool train ... | head -2` trains on, and
    so does a training whose terminal is closed.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Not the stand-ins of tests and notebooks, which are subclasses.
        if type(stream) is io.TextIOWrapper:
            stream.flush()
            raw = io.BufferedWriter(_Lasting(stream.fileno(), "w", closefd=False))
            lasting = io.TextIOWrapper(
                raw, stream.encoding, stream.errors, line_buffering=True, write_through=True
            )
            setattr(sys, name, lasting)


def drop(descriptor: int) -> None:
    """Write into nothing from now on what is written there."""
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
        # Not by sys.stderr, which a progress bar redirects to the stream that is at work here.
        told = f"note: the output cannot be written ({error.strerror}): continuing without it\n"
        with suppress(OSError):
            os.write(STDERR, told.encode())
