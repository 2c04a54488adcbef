"""Ctrl-C, SIGTERM and SIGHUP ask for a stop between two steps instead of interrupting one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none


class StopRequest:
    """Whether a signal has asked training to stop, and its name."""

    name: str | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Catch SIGINT, SIGTERM and SIGHUP for as long as the context lasts.

    The first signal is noted; a second SIGINT or SIGTERM acts as usual. A SIGHUP never does: who
    closes a terminal sends two of them, from the system and from the shell. If it is ignored, as
    under nohup, it stays so. Outside the main thread, where Python handles no signals, nothing is
    caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    closing = {HANGUP: signal.getsignal(HANGUP)} if HANGUP is not None else {}
    if signal.SIG_IGN in closing.values():
        closing = {}

    def note(number: int, frame: FrameType | None) -> None:
        request.name = signal.Signals(number).name
        _restore(before)

    for number in before | closing:
        signal.signal(number, note)
    try:
        yield request
    finally:
        _restore(before | closing)


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
