"""Let Ctrl-C, SIGTERM and SIGHUP stop training between two steps, not within one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none


class StopRequest:
    """Remembers whether a signal has asked training to stop, and its name."""

    name: str | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Catch SIGINT, SIGTERM and SIGHUP while the context lasts.

    The first signal is noted; a second SIGINT or SIGTERM acts as usual. A second SIGHUP does not:
    closing a terminal sends two, one from the system and one from the shell. A SIGHUP that is
    ignored, as under nohup, stays ignored. Outside the main thread, where Python handles no
    signals, nothing is caught.
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
