"""Ctrl-C and SIGTERM in work that has steps: the step at hand is finished, and nothing is lost."""

import signal
import threading
from types import FrameType
from typing import Any, Self


class StopSignals:
    """Ctrl-C and SIGTERM end the work after the step at hand; a second Ctrl-C ends it at once.

    `number` is that of the signal that came, and 0 until one comes. An exception would be lost
    where it is raised within a destructor or a callback of the interpreter; a number is not.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Python lets only the main thread handle signals.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
