"""Limits of BLAS threads that overlap in different threads are undone by the last one."""

from __future__ import annotations

import threading

import pytest
from threadpoolctl import ThreadpoolController

from radontv.solvers.blas_threads import BlasThreads


def counts() -> list[int]:
    return [pool["num_threads"] for pool in ThreadpoolController().select(user_api="blas").info()]


def test_overlapping_blocks_leave_the_setting_as_it_was() -> None:
    if not counts():
        pytest.skip("no BLAS whose threads can be counted")
    with ThreadpoolController().limit(limits=2, user_api="blas"):
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
            assert counts() == [1] * len(before)
        assert counts() == before


def test_the_least_limit_counts() -> None:
    before = counts()
    with BlasThreads(2), BlasThreads(1):
        assert all(count == 1 for count in counts())
    assert counts() == before
