"""Pictures are made, show the neurons where they belong, and leave matplotlib alone."""

import io
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from radontv.plot_basics import LONGEST_NAME
from radontv.plotting import fold_line, plot_certificate, plot_convergence, plot_function
from radontv.problems import RadonTVProblem, RidgeSpline, Scope
from radontv.slices import profile, slice_plane
from radontv.solvers import Event, History, solve


def fitted(d):
    rng = np.random.default_rng(d)
    X = rng.uniform(-1, 1, size=(40, d)) + 3.0
    y = np.abs(X[:, 0] - 3) + 0.05 * rng.normal(size=40)
    problem = RadonTVProblem(X, y, alpha=1e-2)
    return problem, solve(problem, tol=1e-6)


@pytest.fixture(scope="module", params=[1, 2, 3])
def case(request):
    return fitted(request.param)


def marks(ax):
    """Return the places of all neuron marks, shape (n, 2)."""
    lines = [line.get_xydata() for line in ax.lines if line.get_gid() == "neurons"]
    dots = [dots.get_offsets() for dots in ax.collections if dots.get_gid() == "neurons"]
    return np.vstack([np.empty((0, 2)), *lines, *dots])


def draw(ax):
    """Draw the figure, so that a fault in any artist shows (its plain canvas draws nothing)."""
    ax.figure.savefig(io.BytesIO(), format="png")
    return ax


def test_certificate_marks_every_neuron(case):
    problem, solution = case
    network = solution.network
    ax = draw(plot_certificate(problem, network, certificate=solution.certificate))
    places = marks(ax)
    assert len(places) == network.merged().n_neurons > 0
    if problem.n_features == 1:
        assert np.allclose(np.abs(places[:, 1]), 1.0, atol=1e-3)
    else:
        assert np.all(np.abs(places[:, 0]) <= 90.001)
    assert ("slice" in ax.get_title()) == (problem.n_features > 2)


def test_marks_sit_where_the_map_is_one():
    problem, solution = fitted(2)
    q = problem.dual_point(solution.network)
    for angle, offset in marks(plot_certificate(problem, solution.network)):
        w = np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))]])
        b = offset + w @ problem.affine.mean
        assert abs(problem.eta(q, w, b)[0]) == pytest.approx(problem.alpha, rel=1e-4)


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("loss", ["absolute", "hinge", "interpolation"])
def test_at_kinks_the_dual_point_is_that_of_the_certificate(d, loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, d))
    y = np.sin(3.0 * X[:, 0]) + 0.3 * rng.standard_normal(40)
    y = np.where(y > 0.0, 1.0, -1.0) if loss == "hinge" else y
    problem = RadonTVProblem(X, y, 0.005, loss=loss)
    solution = solve(problem, tol=1e-6)
    title = plot_certificate(
        problem, solution.network, certificate=solution.certificate
    ).get_title()
    low, high = re.search(r"neurons: ([\d.]+) to ([\d.]+)", title).groups()
    assert float(low) > 0.999 and float(high) < 1.001


def test_affine_fits_are_drawn():
    for d in (1, 2, 4):
        X = np.random.default_rng(d).normal(size=(20, d))
        problem = RadonTVProblem(X, X[:, 0] + 0.1 * X[:, -1] ** 2, alpha=10.0)
        ax = draw(plot_certificate(problem, problem.affine_fit()))
        assert len(marks(ax)) == 0
        assert "no neurons" in ax.get_title()
        assert "strongest neuron" not in ax.get_xlabel()


@pytest.mark.parametrize("alpha", [0.11, 10.0])
def test_slice_of_an_affine_fit_shows_the_largest_eta(alpha):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6))
    w = np.linalg.qr(rng.normal(size=(6, 6)))[0][0]
    problem = RadonTVProblem(X, X[:, 1] + 0.3 * np.abs(X @ w), alpha=alpha)
    ax = draw(plot_certificate(problem, problem.affine_fit()))
    mesh = next(c for c in ax.collections if hasattr(c, "get_coordinates"))
    largest = problem.alpha_max() / alpha
    assert mesh.get_array().max() > 0.9 * largest
    assert len(np.unique(mesh.to_rgba(mesh.get_array()).reshape(-1, 4), axis=0)) > 4


def test_slice_contains_the_strongest_neurons():
    problem, solution = fitted(3)
    plane, share = slice_plane(
        problem, solution.network.merged(), problem.dual_point(solution.network)
    )
    assert np.allclose(plane.T @ plane, np.eye(2))
    strongest = solution.network.weights[np.argmax(np.abs(solution.network.amplitudes))]
    assert np.linalg.norm(strongest @ plane) == pytest.approx(1.0)
    assert 0 < share <= 1 + 1e-12


def test_profile_is_eta():
    problem, solution = fitted(1)
    q = problem.dual_point(solution.network)
    offsets = np.linspace(1.5, 4.5, 50)
    expected = problem.eta(q, np.ones((50, 1)), offsets)
    assert np.allclose(profile(problem.X[:, 0], q, offsets), expected, atol=1e-12)


@pytest.mark.parametrize("as_dicts", [True, False])
def test_convergence_takes_events_and_dicts(as_dicts):
    history = History()
    problem, _ = fitted(2)
    solve(problem, callback=history)
    events = [event.to_dict() for event in history.events] if as_dicts else history.events
    ax = draw(plot_convergence(events))
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def event(seconds, dual, stage="search", primal=1.0):
    scope = Scope.LOCAL if stage == "search" else Scope.GLOBAL
    return Event(0, seconds, 3, primal, dual, (primal - dual) / primal, scope, 0.1, stage)


def curves(ax):
    """Return the drawn points of every colour and marker, without those of the legend."""
    found = {}
    for line in ax.lines:
        if len(line.get_xdata()):
            found.setdefault((line.get_color(), line.get_marker()), line.get_xydata())
    return found


def test_convergence_measures_the_objective_against_the_final_bound():
    history = [event(0, 0.5), event(1, 1 - 1e-12), event(2, 0.03, "proof")]
    ax = draw(plot_convergence(history))
    objective = curves(ax)["#D55E00", "o"]
    assert objective[-1, 1] == pytest.approx(0.97)
    assert "9.7e-01 (proved" in ax.get_title()


def test_convergence_shows_the_progress_of_a_proof():
    history = [event(0, 0.999), event(1, 0.1, "proving"), event(2, 0.8, "proving")]
    history.append(event(3, 0.9, "proof"))
    found = curves(draw(plot_convergence(history)))
    line, dots = found["#009E73", "None"], found["#009E73", "o"]
    assert np.allclose(line[np.isfinite(line[:, 1]), 1], [0.9, 0.2, 0.1])
    assert np.allclose(dots, [[3, 0.1]])
    assert len(found["#D55E00", "o"]) == 2


def test_refuted_bounds_are_crossed_out_and_zero_is_no_height():
    history = [event(0, 0.5), event(1, 0.99), event(2, 1.5), event(3, 0.9), event(4, 1.0)]
    found = curves(draw(plot_convergence(history)))
    assert np.allclose(found["#7F7F7F", "x"], [[1, 0.01]])  # 1.5 is above the objective
    assert np.allclose(found["#0072B2", "o"], [[0, 0.5], [3, 0.1]])
    assert found["#0072B2", "v"][:, 0] == [4]
    assert found["#0072B2", "v"][0, 1] < 0.1


def test_convergence_of_an_exact_fit_draws_no_rounding_as_data():
    problem, solution = RadonTVProblem(np.eye(3), np.zeros(3), alpha=1.0), None
    solution = solve(problem)
    ax = draw(plot_convergence(solution.history, certificate=solution.certificate))
    assert not {marker for _, marker in curves(ax)} & {"o", "x"}


def test_convergence_without_history():
    draw(plot_convergence([]))


@pytest.mark.parametrize("d", [1, 2])
def test_function_takes_problems_and_arrays(d):
    problem, solution = fitted(d)
    names = ["dose", "age"][:d]
    ax = draw(plot_function(problem, solution.network, feature_names=names, target_name="t"))
    assert ax.get_xlabel() == "dose"
    draw(plot_function((problem.X, problem.y), solution.network))


@pytest.mark.parametrize("name", ["cost ($\\foo$)", "$\\frac$", "a\\$b", "income ($) and cost ($)"])
def test_names_are_no_formulas(name):
    for d in (1, 2):
        problem, solution = fitted(d)
        names = [name, "other ($)"][:d]
        ax = plot_function(problem, solution.network, feature_names=names, target_name=name)
        assert ax.get_xlabel().replace("\\$", "$") == name
        draw(ax)
        draw(plot_certificate(problem, solution.network, feature_names=names))


def test_long_names_are_cut():
    problem, solution = fitted(2)
    names = ["x\n" + "y" * 200, "z" * 200]
    ax = draw(plot_function(problem, solution.network, feature_names=names, target_name=names[0]))
    assert len(ax.get_xlabel()) == len(ax.get_ylabel()) == LONGEST_NAME
    assert "\n" not in ax.get_xlabel()


def test_function_of_three_inputs_is_refused():
    with pytest.raises(ValueError, match="plot_certificate"):
        plot_function((np.zeros((2, 3)), np.zeros(2)), RidgeSpline.affine([0.0, 0.0, 0.0]))


def test_constant_function_is_drawn():
    draw(plot_function((np.zeros((3, 2)), np.zeros(3)), RidgeSpline.affine([0.0, 0.0])))
    draw(plot_function((np.zeros((3, 1)), np.zeros(3)), RidgeSpline.affine([0.0])))


@pytest.mark.parametrize("d", [1, 2])
def test_rounding_of_constant_targets_is_not_magnified(d):
    X, y = np.random.default_rng(0).normal(size=(20, d)), np.full(20, 3.0)
    y[0] += 4e-16
    ax = draw(plot_function((X, y), RidgeSpline.affine([0.0] * d, 3.0)))
    low, high = ax.get_ylim() if d == 1 else ax.collections[0].get_clim()
    assert low < 1 and high > 5
    assert "no neurons" in ax.get_title()


def test_fold_lines_are_clipped_to_the_frame():
    low, high = np.array([0.0, 0.0]), np.array([2.0, 1.0])
    ends = fold_line(np.array([0.6, 0.8]), 0.8, low, high)
    assert np.allclose(ends @ [0.6, 0.8], 0.8)
    assert np.all((ends >= low - 1e-12) & (ends <= high + 1e-12))
    assert np.allclose(fold_line(np.array([1.0, 0.0]), 1.5, low, high)[:, 0], 1.5)
    assert fold_line(np.array([1.0, 0.0]), 5.0, low, high) is None


def test_given_axes_are_used_and_settings_are_left_alone():
    before = dict(matplotlib.rcParams)
    problem, solution = fitted(1)
    ax = Figure().add_subplot()
    assert plot_certificate(problem, solution.network, ax) is ax
    assert plot_function(problem, solution.network, ax) is ax
    assert plot_convergence(solution.history, ax) is ax
    assert dict(matplotlib.rcParams) == before
