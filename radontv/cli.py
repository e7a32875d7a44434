"""The command `radontv`: fit a CSV file, predict with the result, or see a demonstration."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

with contextlib.suppress(ModuleNotFoundError):  # `main` says what to install
    import typer
    import typer.core

NEEDED = ("typer", "rich", "pandas", "matplotlib")
DEFAULT_FOLDS = "5"


def fit(
    data: Annotated[
        Path, typer.Argument(metavar="DATA.CSV", help="CSV file with a line of column names.")
    ],
    target: Annotated[str, typer.Option(metavar="COLUMN", help="Column to predict.")],
    alpha: Annotated[
        float | None, typer.Option(help="Price of complexity (RTV), as alpha in Lasso.")
    ] = None,
    alpha_ratio: Annotated[
        float | None,
        typer.Option(
            help="The same as a fraction of alpha_max, where the fit becomes affine.",
            show_default="0.01",
        ),
    ] = None,
    classify: Annotated[
        bool | None,
        typer.Option(
            "--classify/--numbers",
            help="Whether the target holds classes or numbers.",
            show_default="classes if it is text, or true and false",
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="For numbers: squared, huber, absolute, quantile, epsilon_insensitive, poisson; "
            "for classes: logistic, hinge, squared_hinge. A value is its parameter, as in "
            "huber=0.5 or quantile=0.9.",
            show_default="squared or logistic",
        ),
    ] = None,
    cv: Annotated[
        int | None,
        typer.Option(
            "--cv",
            metavar="[FOLDS]",
            help="Choose alpha by cross-validation with so many folds, 5 if no number follows.",
        ),
    ] = None,
    one_se: Annotated[
        bool,
        typer.Option(
            "--one-se", help="With --cv: the largest alpha within a standard error of the best."
        ),
    ] = False,
    tol: Annotated[float, typer.Option(help="Stop at this relative duality gap.")] = 1e-4,
    prove: Annotated[
        bool, typer.Option("--prove", help="Prove the gap for every network of any size.")
    ] = False,
    time_limit: Annotated[
        float | None, typer.Option(help="Stop the fit after this many seconds.")
    ] = None,
    max_neurons: Annotated[int | None, typer.Option(help="Stop at this many neurons.")] = None,
    standardize: Annotated[
        bool,
        typer.Option(
            "--standardize/--no-standardize", help="Give all features mean 0 and deviation 1."
        ),
    ] = True,
    weights: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of sample weights.")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to leave out; may be repeated."),
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out rows with missing values.")
    ] = False,
    test_fraction: Annotated[
        float, typer.Option(help="Part of the rows held out to measure quality; 0 fits all.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of the split and of the search.")] = 0,
    jobs: Annotated[int | None, typer.Option(help="Threads of the search.")] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Folder for the results.", show_default="NAME-radontv"),
    ] = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no pictures.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON object, and nothing else.")
    ] = False,
) -> None:
    """Fit a CSV file; write the model, its certificate, predictions and pictures."""
    with _plain_errors():
        from .options import FitOptions

        _fit_and_report(
            FitOptions(
                data=data,
                target=target,
                out=_place(out, f"{data.stem}-radontv"),
                alpha=alpha,
                alpha_ratio=alpha_ratio,
                classify=classify,
                loss=loss,
                cv=cv,
                one_se=one_se,
                tol=tol,
                prove=prove,
                time_limit=time_limit,
                max_neurons=max_neurons,
                standardize=standardize,
                weights=weights,
                drop=tuple(drop or ()),
                drop_missing=drop_missing,
                test_fraction=test_fraction,
                seed=seed,
                jobs=jobs,
                plots=not no_plots,
                progress=not (quiet or as_json),
                as_json=as_json,
            )
        )


def predict(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="model.json, or the folder that holds it.")
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA.CSV", help="CSV file with the columns of the model.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="CSV file to write.", show_default="NAME-predictions.csv"
        ),
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out rows with missing values.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Predict the rows of a CSV file with a fitted model."""
    with _plain_errors():
        from .prediction import predict_file

        target = _place(out, f"{data.stem}-predictions.csv")
        predict_file(model, data, target, drop_missing, _speaker(quiet))


def demo(
    out: Annotated[
        str, typer.Option(metavar="FOLDER", help="Folder for the data and the results.")
    ] = "radontv-demo",
    prove: Annotated[
        bool, typer.Option("--prove", help="Ask for a proof (long: ten dimensions).")
    ] = False,
    time_limit: Annotated[
        float | None, typer.Option(help="Stop the fit after this many seconds.")
    ] = None,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no pictures.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Fit scikit-learn's diabetes data: 442 patients, 10 measurements."""
    with _plain_errors():
        from .demonstration import demonstration

        _fit_and_report(
            demonstration(
                _place(out, "radontv-demo"),
                prove=prove,
                time_limit=time_limit,
                plots=not no_plots,
                progress=not quiet,
                say=_speaker(quiet),
            )
        )


def _fit_and_report(options: Any) -> None:
    """Fit, print the summary, then draw; exit with 130 after Ctrl-C, as shells do."""
    from .models import report_fields
    from .results import ResultsFolder
    from .summaries import describe
    from .workflow import fit_file

    say = _speaker(not options.progress)
    folder = ResultsFolder(options.out)
    try:
        fitted = fit_file(options, folder, say)
        say("\n" + describe(fitted.model))
        if options.plots:
            folder.draw(fitted.estimator, fitted.table, fitted.train, options)
    except KeyboardInterrupt:
        names = ", ".join(folder.written) or "nothing"
        typer.echo(f"\nStopped; written in {folder.path}: {names}.", err=True)
        raise typer.Exit(130) from None
    if options.as_json:
        typer.echo(json.dumps(report_fields(fitted.model), allow_nan=False))
    say(f"In {folder.path}: {', '.join(folder.written)}")
    say(f"Predict with: radontv predict {shlex.quote(str(folder.path))} OTHER.CSV")
    if fitted.interrupted:
        say("\nYou stopped the fit: everything above is about the best network until then.")
        raise typer.Exit(130)


def _speaker(quiet: bool) -> Callable[[str], None]:
    return (lambda text: None) if quiet else typer.echo


def _place(option: str | None, default: str) -> Path:
    """Return where to write; `Path` alone would take an empty text for the current folder."""
    from .csv_files import DataError

    if option is not None and not option.strip():
        raise DataError("--out is empty; name a place, or leave --out away.")
    return Path(default if option is None else option)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn faults of files and arguments into one sentence on stderr and exit code 2."""
    try:
        from .csv_files import DataError

        try:
            yield
        except DataError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from None
    except BrokenPipeError:  # the reader of a pipe has gone: nobody to tell
        raise
    except OSError as error:
        what = "the disk" if error.filename is None else error.filename
        typer.echo(
            f"Error: cannot use {what}: {error.strerror or error}; choose another place.",
            err=True,
        )
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("\nStopped; nothing was written.", err=True)
        raise typer.Exit(130) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        from .models import package_version

        typer.echo(f"radontv {package_version()}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Fit shallow ReLU networks with a certificate of how good they are."""


def app() -> typer.Typer:
    """Return the application."""
    commands = typer.Typer(
        name="radontv", no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )
    commands.callback()(_root)
    commands.command(cls=_command_with_optional_folds())(fit)
    for command in (predict, demo):
        commands.command()(command)
    return commands


def _command_with_optional_folds() -> type[typer.core.TyperCommand]:
    """Return a command in which --cv may stand alone: typer's options have a value or have none."""

    class FitCommand(typer.core.TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            rest: list[str] = super().parse_args(ctx, with_folds(args))
            return rest

    return FitCommand


def with_folds(arguments: list[str]) -> list[str]:
    """Return the arguments with the default number after each --cv that no number follows."""
    complete: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        complete.append(argument)
        if argument == "--cv" and not re.fullmatch(r"[+-]?\d+", following):
            complete.append(DEFAULT_FOLDS)
    return complete


def main() -> None:
    """Run the command line, or say what it needs."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(
            f"radontv: the command line needs {', '.join(missing)}; "
            "install with: pip install -e '.[cli]' in the folder of the sources"
        )
    app()()
