"""The benchmark of the core runs at its smallest size and says why it skips what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "core.py"


@pytest.mark.skipif(not SCRIPT.is_file(), reason="benchmarks are not part of an installed package")
def test_core_benchmark_at_its_smallest_size(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--quick", "--repeat", "1"]
    done = subprocess.run(
        [*command, "--only", "global", "path", "--data", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "GLOBAL" in done.stdout
    assert f"skipped: no yacht.csv in {tmp_path}" in done.stdout
