"""Compile the kernels once, before anything is timed out by its own limit."""

from __future__ import annotations

import numpy as np
import pytest

from radontv.problems import RadonTVProblem
from radontv.solvers import solve


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels() -> None:
    rng = np.random.default_rng(0)
    for d in (1, 2, 3):
        X = rng.normal(size=(20, d))
        solve(RadonTVProblem(X, np.abs(X[:, 0]), 0.01), scope="global", tol=1e-4)
