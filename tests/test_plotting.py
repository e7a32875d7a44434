"""Pictures are made, show the neurons where they belong, and leave matplotlib alone."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from radontv.plot_certificate import profile, slice_plane
from radontv.plotting import fold_line, plot_certificate, plot_convergence, plot_function
from radontv.problems import RadonTVProblem, RidgeSpline
from radontv.solvers import History, solve


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
    """Draw the figure, so that a fault in any artist shows."""
    ax.figure.canvas.draw()
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


def test_affine_fits_are_drawn():
    for d in (1, 2, 4):
        X = np.random.default_rng(d).normal(size=(20, d))
        problem = RadonTVProblem(X, X[:, 0] + 0.1 * X[:, -1] ** 2, alpha=10.0)
        ax = draw(plot_certificate(problem, problem.affine_fit()))
        assert len(marks(ax)) == 0
        assert "no neurons" in ax.get_title()


def test_slice_contains_the_strongest_neurons():
    problem, solution = fitted(3)
    plane, share = slice_plane(problem, solution.network.merged())
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


def test_convergence_without_history():
    draw(plot_convergence([]))


@pytest.mark.parametrize("d", [1, 2])
def test_function_takes_problems_and_arrays(d):
    problem, solution = fitted(d)
    names = ["dose", "age"][:d]
    ax = draw(plot_function(problem, solution.network, feature_names=names, target_name="t"))
    assert ax.get_xlabel() == "dose"
    draw(plot_function((problem.X, problem.y), solution.network))


def test_function_of_three_inputs_is_refused():
    with pytest.raises(ValueError, match="plot_certificate"):
        plot_function((np.zeros((2, 3)), np.zeros(2)), RidgeSpline.affine([0.0, 0.0, 0.0]))


def test_constant_function_is_drawn():
    draw(plot_function((np.zeros((3, 2)), np.zeros(3)), RidgeSpline.affine([0.0, 0.0])))
    draw(plot_function((np.zeros((3, 1)), np.zeros(3)), RidgeSpline.affine([0.0])))


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
