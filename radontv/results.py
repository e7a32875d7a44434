"""What a fit leaves in its folder: files and pictures, and nothing of an earlier fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .csv_files import DataError
from .fitting import NetworkEstimator
from .models import Model, certificate_fields, is_model, save_model, write_json
from .options import FitOptions
from .plotting import plot_certificate, plot_convergence, plot_function
from .prediction import predictions_of
from .problems import RadonTVProblem
from .problems.atomic_files import whole_file
from .summaries import describe
from .tables import Table

Array = NDArray[np.float64]

MODEL = "model.json"
FILES = (MODEL, "certificate.json", "predictions.csv", "report.txt")
PICTURES = ("convergence.png", "certificate.png", "function.png")


@dataclass
class ResultsFolder:
    """The folder of one fit.

    Attributes
    ----------
    path : Path
    written : list of str
        Names of the files that this fit wrote, in order.
    """

    path: Path
    written: list[str] = field(default_factory=list)

    def check(self, data: Path) -> None:
        """Raise a DataError if a file that is not of an earlier fit would be overwritten."""
        taken = [name for name in (*FILES, *PICTURES) if (self.path / name).exists()]
        if any((self.path / name).samefile(data) for name in taken):
            raise DataError(
                f"--out {self.path} would overwrite its own data {data}; name another folder."
            )
        if taken and not is_model(self.path / MODEL):
            raise DataError(
                f"--out {self.path} holds {taken[0]!r}, which no fit of radontv left there (there "
                f"is no radontv {MODEL} beside it) and which would be overwritten; name another "
                "folder."
            )

    def write(
        self,
        model: Model,
        table: Table,
        train: NDArray[np.bool_],
        options: FitOptions,
    ) -> None:
        """Write all files but the pictures; remove what an earlier fit has left."""
        for name in (*FILES[1:], *PICTURES):  # model.json is replaced: it shows whose folder it is
            (self.path / name).unlink(missing_ok=True)
        self._keep(MODEL, lambda path: save_model(path, model))
        inputs = (
            "z = (x - mean) / scale, see model.json" if options.standardize else "x as in the file"
        )
        certificate = {
            "objective": _objective(model),
            "inputs": inputs,
            "meaning": f"no objective is below 'dual', {model.certificate.scope.meaning}",
            **certificate_fields(model.certificate),
        }
        self._keep("certificate.json", lambda path: write_json(path, certificate))
        predictions = _predictions(model, table)
        predictions["part"] = np.where(train, "fitted", "held out")
        self._keep("predictions.csv", lambda path: predictions.to_csv(path, index=False))
        text = describe(model)
        self._keep("report.txt", lambda path: path.write_text(text, encoding="utf-8"))

    def draw(
        self,
        regressor: NetworkEstimator,
        table: Table,
        train: NDArray[np.bool_],
        options: FitOptions,
    ) -> None:
        """Draw convergence.png, certificate.png and, for at most two features, function.png.

        With more than two classes, convergence.png only.
        """
        weights = None if table.weights is None else table.weights[train]
        X, y, names = table.X[train], table.y[train], list(table.X)
        certificate = regressor.certificate_
        self._picture(
            "convergence.png", plot_convergence(regressor.history_, certificate=certificate)
        )
        problem = regressor.standardized_problem(X, y, weights)
        if not isinstance(problem, RadonTVProblem):
            return  # the other pictures are of one output
        ax = plot_certificate(
            problem,
            regressor.standardized_network(),
            certificate=certificate,
            feature_names=names,
            inputs="standardised inputs" if options.standardize else "units of the inputs",
        )
        self._picture("certificate.png", ax)
        if len(names) <= 2:
            ax = plot_function(
                (X.to_numpy(), y if table.classes is None else 2.0 * y - 1.0),
                regressor.network_,
                feature_names=names,
                target_name=_shown_target(table, options),
            )
            self._picture("function.png", ax)

    def _picture(self, name: str, ax: Any) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box stands for it
            self._keep(name, lambda path: ax.figure.savefig(path, dpi=120, format="png"))

    def _keep(self, name: str, write: Callable[[Path], object]) -> None:
        """Write one file and note that it is there."""
        with whole_file(self.path / name) as path:
            write(path)
        self.written.append(name)


def _objective(model: Model) -> str:
    """Return the formula of what `primal` is."""
    if model.loss == "squared":
        return "sum_i s_i (y_i - f(z_i))^2 / 2 + alpha RTV(f), weights s of sum 1"
    text = f"sum_i s_i l(y_i, f(z_i)) + alpha RTV(f), l the loss {model.loss}, weights s of sum 1"
    return f"{text}, summed over one problem for each class" if model.one_vs_rest else text


def _predictions(model: Model, table: Table) -> pd.DataFrame:
    """Return actual and predicted targets of all rows of the fit."""
    columns = predictions_of(model, table.X.to_numpy())
    frame = pd.DataFrame({"row": table.lines, "actual": table.target.shown})
    if table.classes is None:
        predicted = columns["prediction"]
        return frame.assign(prediction=predicted, residual=table.y - predicted)
    frame = frame.assign(**columns)
    frame.insert(3, "right", np.where(frame["actual"] == frame["prediction"], "yes", "no"))
    return frame


def _shown_target(table: Table, options: FitOptions) -> str:
    """Return what a picture of the function shows."""
    if table.classes is not None:
        return f"score of {table.classes[1]}"
    log = options.loss is not None and options.loss.startswith("poisson")
    return f"log of the mean of {options.target}" if log else options.target
