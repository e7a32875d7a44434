"""The progress table: the only file of the project that prints."""

from __future__ import annotations

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
_SHORT = {Scope.GLOBAL: "global", Scope.LOCAL: "local", Scope.DICTIONARY: "dict."}


class ProgressTable:
    """A callback that prints one line of 80 characters per event.

    The columns are the fields of `Event`: ``gap`` is (objective - lower bound) / objective, and
    ``scope`` says what the lower bound is worth. ``boxes`` counts what a proof has examined.

    Parameters
    ----------
    stream : file, default=None
        Where to print; None stands for `sys.stdout` at the time of printing.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self._started = False

    def __call__(self, event: Event) -> None:
        """Print the event, after the header if it is the first one."""
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

    def _print(self, cells: list[str]) -> None:
        line = " ".join(cell.rjust(width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True))
        print(line, file=self.stream or sys.stdout, flush=True)
