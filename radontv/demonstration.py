"""What `radontv demo` does: scikit-learn's diabetes data as a file, and the options of its fit."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from sklearn.datasets import load_diabetes

from .csv_files import DataError
from .options import FitOptions
from .problems.atomic_files import whole_file

RATIO = 0.5
"""alpha / alpha_max: few neurons, and a better prediction of new rows than an affine fit."""


def demonstration(
    out: Path,
    *,
    prove: bool,
    time_limit: float | None,
    plots: bool,
    progress: bool,
    say: Callable[[str], None],
) -> FitOptions:
    """Write the data into the folder, say which command fits them, and return its options."""
    data = out / "diabetes.csv"
    options = FitOptions(
        data=data,
        target="progression",
        out=out,
        alpha_ratio=RATIO,
        prove=prove,
        time_limit=time_limit,
        plots=plots,
        progress=progress,
    )
    options.check()
    _write_data(data)
    command = ["radontv", "fit", str(data), "--target", options.target]
    command += ["--alpha-ratio", f"{RATIO:g}", "--out", str(out)]
    command += ["--prove"] if prove else []
    command += [] if time_limit is None else ["--time-limit", f"{time_limit:g}"]
    command += [] if plots else ["--no-plots"]
    say(f"The data are now in {data}. For a file of yours, change this command:\n")
    say(f"  {shlex.join(command)}\n")
    return options


def _write_data(path: Path) -> None:
    """Write the data, but not over a file of the same name that holds something else."""
    frame = load_diabetes(as_frame=True, scaled=False).frame
    text = frame.rename(columns={"target": "progression"}).to_csv(index=False)
    if path.exists() and path.read_bytes().split() != text.encode().split():
        raise DataError(f"{path} holds other data, which would be lost; name another --out.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")
