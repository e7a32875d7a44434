"""Taking note of Ctrl-C, for loops over calls that deal with it themselves."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class InterruptNote:
    """A context that knows whether Ctrl-C was pressed in it; who handles it does not change.

    A solver that is interrupted after it has met its tolerance ends as solved: its status alone
    does not tell. Outside the main thread, which is the only one that Ctrl-C reaches, and where
    something other than Python handles it, nothing is noted.

    Attributes
    ----------
    pressed : bool
    """

    def __init__(self) -> None:
        self.pressed = False
        self._before: Any = None

    def __enter__(self) -> InterruptNote:
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and threading.current_thread() is threading.main_thread():
            self._before = handler
            signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        self._before(number, frame)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
