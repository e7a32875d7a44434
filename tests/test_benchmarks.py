"""The benchmarks run at their smallest size and say why they skip what they lack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "benchmarks"
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="benchmarks are not part of an installed package"
)


def run(script: str, *options: str) -> str:
    """Return what the script prints."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), "--quick", "--repeat", "1", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_core_benchmark_at_its_smallest_size(tmp_path: Path) -> None:
    said = run("core.py", "--only", "global", "path", "--data", str(tmp_path))
    assert "GLOBAL" in said
    assert f"skipped: no yacht.csv in {tmp_path}" in said


def test_proof_benchmark_at_its_smallest_size() -> None:
    rows = [line.split("|") for line in run("proofs.py").splitlines() if line.startswith("| G(")]
    assert [row[1].strip() for row in rows] == ["G(2,2000,0.3)", "G(3,300,0.5)"]
    assert all(float(row[3]) <= float(row[2]) for row in rows)


def test_family_benchmark_at_its_smallest_size() -> None:
    pytest.importorskip("cvxpy")
    said = run("family.py", "--only", "outputs", "orders", "measurements")
    rows = [line.split("|") for line in said.splitlines() if "GLOBAL" in line]
    assert len(rows) == 8
    assert all(float(row[4]) <= 1e-6 and abs(float(row[8])) <= 1e-6 for row in rows)


def test_penalised_bias_benchmark_does_without_the_other_package() -> None:
    said = run("penalized_bias.py")
    assert "| 1, 60, 0.01 |" in said
    assert "GLOBAL" in said


def test_classification_benchmark_at_its_smallest_size() -> None:
    rows = [line.split("|") for line in run("classify.py").splitlines() if " x 4 |" in line]
    assert [row[1].strip() for row in rows] == ["breast cancer, first rows"]
    accuracy = float(rows[0][3].split("±")[0])
    assert accuracy > float(rows[0][4]) > 50.0  # better than the most frequent class
    assert float(rows[0][6]) <= 1e-3
