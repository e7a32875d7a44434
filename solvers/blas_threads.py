"""How many threads linear algebra uses, for calls that may overlap."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_active: list[BlasThreads] = []
_limiter: Any = None


class BlasThreads(AbstractContextManager["BlasThreads"]):
    """Limits the threads of BLAS in its block, to the least of all blocks that are open.

    The limit is one per process. Each block restoring what it found would leave the limit of
    another, if two of them overlap in different threads; so the last one to end restores.

    Parameters
    ----------
    limit : int
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __enter__(self) -> BlasThreads:
        with _lock:
            _active.append(self)
            _apply()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _lock:
            _active.remove(self)
            _apply()


def _apply() -> None:
    """Restore the process's own setting, then limit it again if blocks are open."""
    global _limiter
    if _limiter is not None:
        _limiter.restore_original_limits()
        _limiter = None
    if _active:
        least = min(block.limit for block in _active)
        _limiter = ThreadpoolController().limit(limits=least, user_api="blas")
