"""Limits of BLAS threads that overlap in different threads leave the setting as it was."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from threadpoolctl import ThreadpoolController

from radontv.solvers import blas_threads
from radontv.solvers.blas_threads import BlasThreads


def counts() -> list[int]:
    return [pool["num_threads"] for pool in ThreadpoolController().select(user_api="blas").info()]


def test_a_block_limits_and_restores() -> None:
    before = counts()
    with BlasThreads(1):
        assert all(count == 1 for count in counts())
        with BlasThreads(2):
            assert all(count == 1 for count in counts())
    assert counts() == before


def test_overlapping_blocks_leave_the_setting_as_it_was() -> None:
    before = counts()
    first, second = threading.Event(), threading.Event()

    def early() -> None:
        with BlasThreads(1):
            first.set()
            second.wait(10)

    worker = threading.Thread(target=early)
    worker.start()
    first.wait(10)
    with BlasThreads(1):
        # The block that began first ends first, inside of this one.
        second.set()
        worker.join()
    assert counts() == before
    with BlasThreads(1):
        assert all(count == 1 for count in counts())


def test_an_interrupt_while_the_limit_is_set_leaves_it_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupted:
        def limit(self, **options: Any) -> None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(blas_threads, "ThreadpoolController", Interrupted)
        with pytest.raises(KeyboardInterrupt), BlasThreads(1):
            pass
    with BlasThreads(1):
        assert all(count == 1 for count in counts())
