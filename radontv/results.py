"""What a fit leaves in its folder: files and pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .estimators import RadonTVRegressor
from .models import Model, certificate_fields, save_model, write_json
from .options import FitOptions
from .plotting import plot_certificate, plot_convergence, plot_function
from .summaries import describe
from .tables import Table

Array = NDArray[np.float64]


def write_results(
    model: Model,
    table: Table,
    train: NDArray[np.bool_],
    predicted: Array,
    options: FitOptions,
) -> None:
    """Write model.json, certificate.json, predictions.csv and report.txt."""
    save_model(options.out / "model.json", model)
    inputs = "z = (x - mean) / scale, see model.json" if options.standardize else "x as in the file"
    write_json(
        options.out / "certificate.json",
        {
            "objective": "sum_i s_i (y_i - f(z_i))^2 / 2 + alpha RTV(f), weights s of sum 1",
            "inputs": inputs,
            "meaning": f"no objective is below 'dual', {model.certificate.scope.meaning}",
            **certificate_fields(model.certificate),
        },
    )
    pd.DataFrame(
        {
            "row": table.lines,
            "actual": table.y,
            "prediction": predicted,
            "residual": table.y - predicted,
            "part": np.where(train, "fitted", "held out"),
        }
    ).to_csv(options.out / "predictions.csv", index=False)
    (options.out / "report.txt").write_text(describe(model), encoding="utf-8")


def draw_results(
    regressor: RadonTVRegressor, table: Table, train: NDArray[np.bool_], options: FitOptions
) -> None:
    """Write convergence.png, certificate.png and, for at most two features, function.png."""
    weights = None if table.weights is None else table.weights[train]
    X, y, names = table.X[train], table.y[train], list(table.X)
    axes = {
        "convergence.png": plot_convergence(regressor.history_, certificate=regressor.certificate_),
        "certificate.png": plot_certificate(
            regressor.standardized_problem(X, y, weights),
            regressor.standardized_network(),
            certificate=regressor.certificate_,
            feature_names=names,
            inputs="standardised inputs" if options.standardize else "units of the inputs",
        ),
    }
    if len(names) <= 2:
        axes["function.png"] = plot_function(
            (X.to_numpy(), y),
            regressor.network_,
            feature_names=names,
            target_name=options.target,
        )
    for name, ax in axes.items():
        ax.figure.savefig(options.out / name, dpi=120)
