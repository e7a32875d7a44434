"""The progress table: the only file of the solvers that prints."""

from __future__ import annotations

import math
import sys
from typing import TextIO

from ..problems import Scope
from .events import Event

_COLUMNS = (
    ("round", 5),
    ("neurons", 7),
    ("objective", 12),
    ("lower bound", 12),
    ("gap", 8),
    ("scope", 6),
    ("stage", 6),
    ("boxes", 9),
    ("seconds", 7),
)
_GROWTH = 1.1
_SHORT = {Scope.GLOBAL: "global", Scope.LOCAL: "local", Scope.DICTIONARY: "dict."}


def _left(seconds: float) -> str:
    """Return what is known of the time that a proof still takes, nothing if that is nothing."""
    if math.isinf(seconds) or seconds < 0.5:
        return ""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * size:
            return f", at least {seconds / size:,.0f} {unit} left"
    return f", at least {seconds:.0f} s left"


class ProgressTable:
    """A callback that prints one line of 80 characters per round, and how a long proof gets on.

    The columns are the fields of `Event`: ``gap`` is (objective - lower bound) / objective, and
    ``scope`` says what the lower bound is worth. ``boxes`` counts what a proof has examined. While
    a proof goes on, a line says so whenever the time since the start has grown by a tenth.

    Parameters
    ----------
    stream : file, default=None
        Where to print; None stands for `sys.stdout` at the time of printing.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self._started = False
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Print the event, after the header if it is the first one."""
        if event.stage == "proving":
            if event.n_open and event.seconds >= _GROWTH * self._last:
                self._print_progress(event)
            return
        self._last = event.seconds
        if not self._started:
            self._started = True
            self._print([name for name, _ in _COLUMNS])
        self._print(
            [
                f"{event.round}",
                f"{event.n_neurons}",
                f"{event.primal:.5e}",
                f"{event.dual:.5e}",
                f"{event.gap:.1e}",
                _SHORT[event.scope],
                event.stage,
                f"{event.n_boxes}" if event.n_boxes else "-",
                f"{event.seconds:.1f}",
            ]
        )

    def _print_progress(self, event: Event) -> None:
        self._last = event.seconds
        line = (
            f"  proved so far: gap {event.gap:.1e} ({event.n_boxes:,} boxes, {event.n_open:,} "
            f"open, {event.seconds:.0f} s{_left(event.remaining)})"
        )
        print(line, file=self.stream or sys.stdout, flush=True)

    def _print(self, cells: list[str]) -> None:
        line = " ".join(cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
        print(line, file=self.stream or sys.stdout, flush=True)
