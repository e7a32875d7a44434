"""Networks in one dimension for given fitted values: canonical, sparsest, and all of them.

For distinct sorted x with values z let ``d_i = (z_{i+1} - z_i) / (x_{i+1} - x_i)`` and
``k_i = d_i - d_{i-1}``. Every f through the points has TV(f') >= sum_i |k_i|; those that attain it
are linear except on *runs* of neighbouring points whose k have one sign (Debarre, Denoyelle, Unser
and Fageot, "Sparsest piecewise-linear regression of one-dimensional data", 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.checks import Array, as_float_array
from ...problems.network import RidgeSpline
from .._circle_kernels import Ints
from ._kernels import kinks_of, worst_deviations

EPS = float(np.finfo(np.float64).eps)


def spline_of(
    positions: Array, kinks: Array, slope: float, origin: float, value: float
) -> RidgeSpline:
    """Return ``value + slope (x - origin) + sum_k kinks_k relu(x - positions_k)``."""
    return RidgeSpline(
        np.asarray(kinks),
        np.ones((len(kinks), 1)),
        np.asarray(positions),
        np.array([slope]),
        float(value - slope * origin),
    )


def checked(x: Array, z: Array) -> tuple[Array, Array]:
    """Return both as arrays, x ascending and distinct, or raise a ValueError."""
    x = as_float_array("x", np.ravel(x), ndim=1)
    z = as_float_array("z", np.ravel(z), ndim=1)
    if len(x) != len(z) or len(x) == 0:
        raise ValueError(
            f"x and z have {len(x)} and {len(z)} entries; pass one value per point, at least one."
        )
    if not (np.diff(x) > 0.0).all():
        i = int(np.argmin(np.diff(x) > 0.0))
        raise ValueError(
            f"x[{i}] = {x[i]:.6g} and x[{i + 1}] = {x[i + 1]:.6g} are not ascending and distinct; "
            "pass the x and z of a LineFit, or sort and merge equal points."
        )
    return x, z


def significant(x: Array, z: Array, tolerance: float) -> Ints:
    """Return the points where f bends by more than rounding, both ends included.

    A kink is rounding if it is at most `tolerance` times what errors of eps in x and z make of
    it, ``eps (|z| + |d| |x|) (1 / h_left + 1 / h_right)``. Chords over such points must still meet
    all of them to the same accuracy, or the worst of each chord comes back: many tiny kinks in a
    row are a curve.
    """
    n = len(x)
    if n <= 2:
        return np.arange(n)
    h = np.diff(x)
    slope = np.diff(z) / h
    size = np.abs(z) + np.abs(x) * np.maximum(
        np.append(np.abs(slope), 0.0), np.append(0.0, np.abs(slope))
    )
    size = np.maximum(np.maximum(size, np.append(size[1:], 0.0)), np.append(0.0, size[:-1]))
    allowed = tolerance * EPS * size
    bends = np.abs(np.diff(slope)) > allowed[1:-1] * (1.0 / h[:-1] + 1.0 / h[1:])
    keep = np.concatenate([[True], bends, [True]])
    while True:
        knots = np.flatnonzero(keep)
        missing = worst_deviations(x, z, knots, allowed)
        if not len(missing):
            return knots
        keep[missing] = True


def knots_of(x: Array, z: Array, *, tolerance: float = 8.0) -> RidgeSpline:
    """Return the function that connects the dots, one neuron for each kink at a data point.

    Parameters
    ----------
    x, z : ndarray of shape (n_points,)
        Distinct ascending inputs and values.
    tolerance : float, default=8.0
        Kinks that rounding errors of so many eps in x and z explain count as 0. It does not depend
        on units.
    """
    x, z = checked(x, z)
    at = significant(x, z, tolerance)
    inner, kinks = _bends(x, z, at)
    return spline_of(x[inner], kinks, _first_slope(x[at], z[at]), x[0], z[0])


def sparsest(x: Array, z: Array, *, tolerance: float = 8.0) -> RidgeSpline:
    """Return a function through the points of least TV(f') with the fewest kinks.

    In a run of r points, neighbours merge in pairs into a kink ``k_i + k_{i+1}`` at
    ``(k_i x_i + k_{i+1} x_{i+1}) / (k_i + k_{i+1})``: ceil(r / 2) neurons. A point without a kink
    ends a run: f is straight on both sides of it.

    Parameters
    ----------
    x, z : ndarray of shape (n_points,)
        Distinct ascending inputs and values.
    tolerance : float, default=8.0
        As in `knots_of`.
    """
    x, z = checked(x, z)
    at = significant(x, z, tolerance)
    inner, kinks = _bends(x, z, at)
    joined = (np.diff(inner) == 1) & (np.sign(kinks[1:]) == np.sign(kinks[:-1]))
    # The place of each point in its run: those at even places take their right neighbour.
    begins = np.concatenate([[True], ~joined]) if len(kinks) else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(begins)
    place = np.arange(len(kinks)) - np.repeat(starts, np.diff(np.append(starts, len(kinks))))
    takes = np.append(joined, False)[: len(kinks)] & (place % 2 == 0)
    taken = place % 2 == 1
    total = kinks + np.where(takes, np.append(kinks[1:], 0.0)[: len(kinks)], 0.0)
    positions = x[inner].copy()
    i = np.flatnonzero(takes)
    share = kinks[i + 1] / total[i]
    positions[i] += share * (x[inner[i + 1]] - x[inner[i]])
    return spline_of(
        positions[~taken], total[~taken], _first_slope(x[at], z[at]), float(x[0]), float(z[0])
    )


def _bends(x: Array, z: Array, at: Ints) -> tuple[Ints, Array]:
    """Return the points among `at` where the chords between them bend, and the kinks there.

    A point may bend against its neighbours but not against the chords over points left out.
    """
    kinks = kinks_of(x[at], z[at])
    bent = kinks != 0.0
    return at[bent], kinks[bent]


def _first_slope(x: Array, z: Array) -> float:
    return float((z[1] - z[0]) / (x[1] - x[0])) if len(x) > 1 else 0.0


@dataclass(frozen=True)
class Run:
    """Points first..last (indices) at which all optimal f bend in the direction `sign`."""

    first: int
    last: int
    sign: int

    @property
    def fewest_kinks(self) -> int:
        """ceil(r / 2) for r points."""
        return (self.last - self.first + 2) // 2


@dataclass(frozen=True, eq=False)
class SolutionSet:
    """All f through the points (x, z) with least TV(f').

    They agree with connecting the dots outside of the free intervals. On a run they are exactly the
    convex (sign 1) or concave (-1) functions through its points and the two beside it that are
    straight on its first and its last interval.

    Attributes
    ----------
    x, z : ndarray of shape (n_points,)
    runs : tuple of Run
    free : ndarray of bool, shape (n_points - 1,)
        Intervals between points on which f is not determined.
    rtv : float
        The least TV(f').
    """

    x: Array
    z: Array
    runs: tuple[Run, ...]
    free: np.ndarray
    rtv: float

    @property
    def unique(self) -> bool:
        """Whether connecting the dots is the only one."""
        return not bool(self.free.any())

    @property
    def fewest_kinks(self) -> int:
        """The number of neurons of the sparsest one."""
        return sum(run.fewest_kinks for run in self.runs)

    @property
    def linear_intervals(self) -> Array:
        """Largest intervals (from, to) on which every f is straight, shape (m, 2).

        The first starts at -inf and the last ends at inf.
        """
        bends = np.zeros(len(self.x), dtype=bool)
        for run in self.runs:
            bends[run.first : run.last + 1] = True
        inner = np.flatnonzero(bends)
        cuts = np.concatenate([[-np.inf], self.x[inner], [np.inf]])
        open_between = np.zeros(len(cuts) - 1, dtype=bool)
        if len(inner) > 1:
            open_between[1:-1] = (np.diff(inner) == 1) & self.free[inner[:-1]]
        pairs = np.stack([cuts[:-1], cuts[1:]], axis=1)
        return np.asarray(pairs[~open_between], dtype=np.float64)

    def bounds(self, t: Array) -> tuple[Array, Array]:
        """Return the least and the largest value of all f at the points t.

        On a free interval one bound is the chord, the other the larger (convex; smaller if concave)
        of the two neighbouring chords prolonged. Each is attained.
        """
        t = np.asarray(t, dtype=np.float64)
        x, z = self.x, self.z
        if len(x) == 1:
            return np.full_like(t, z[0]), np.full_like(t, z[0])
        slope = np.diff(z) / np.diff(x)
        k = np.clip(np.searchsorted(x, t, side="right") - 1, 0, len(x) - 2)
        nearer = t - x[k] < x[k + 1] - t
        chord = np.where(nearer, z[k] + slope[k] * (t - x[k]), z[k + 1] - slope[k] * (x[k + 1] - t))
        before, after = slope[np.maximum(k - 1, 0)], slope[np.minimum(k + 1, len(slope) - 1)]
        left, right = z[k] + before * (t - x[k]), z[k + 1] - after * (x[k + 1] - t)
        convex = before < after
        other = np.where(convex, np.maximum(left, right), np.minimum(left, right))
        other = np.where(self.free[k], other, chord)
        return np.minimum(chord, other), np.maximum(chord, other)


def solution_set(x: Array, z: Array, *, tolerance: float = 8.0) -> SolutionSet:
    """Return the description of all f with f(x) = z and least TV(f').

    Parameters
    ----------
    x, z : ndarray of shape (n_points,)
        Distinct ascending inputs and values, those of an optimal fit to describe all optimal f.
    tolerance : float, default=8.0
        As in `knots_of`.
    """
    x, z = checked(x, z)
    at = significant(x, z, tolerance)
    kinks = kinks_of(x[at], z[at])
    sign = np.zeros(len(x))
    sign[at] = np.sign(kinks)
    free = sign[:-1] * sign[1:] > 0.0
    bends = np.flatnonzero(sign)
    cut = np.flatnonzero((np.diff(bends) > 1) | (np.diff(sign[bends]) != 0.0)) + 1
    runs = tuple(
        Run(int(part[0]), int(part[-1]), int(sign[part[0]]))
        for part in np.split(bends, cut)
        if len(part)
    )
    return SolutionSet(x, z, runs, free, float(np.abs(kinks).sum()))
