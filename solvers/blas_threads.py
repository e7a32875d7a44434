"""How many threads linear algebra uses, for calls that may overlap."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from threadpoolctl import ThreadpoolController

_holder = threading.Lock()
"""Held by the block that has set the limit of the process."""


class BlasThreads(AbstractContextManager[None]):
    """Limits the threads of BLAS in its block, unless another block does so already.

    The limit is one per process. If two blocks of different threads overlapped, the second would
    find the limit of the first and restore that in the end, for good.

    Parameters
    ----------
    limit : int
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.limiter: Any = None

    def __enter__(self) -> None:
        if not _holder.acquire(blocking=False):
            return
        try:
            self.limiter = ThreadpoolController().limit(limits=self.limit, user_api="blas")
            self.limiter.__enter__()
        except BaseException:
            # An interrupt may strike here, and then nobody calls __exit__.
            self.limiter = None
            _holder.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.limiter is not None:
            limiter, self.limiter = self.limiter, None
            try:
                limiter.__exit__(kind, value, trace)
            finally:
                _holder.release()
