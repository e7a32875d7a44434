"""Compiled local search for sup |eta|: climbing along circles of hyperplanes.

Maxima mostly sit on kinks, where the hyperplane meets more data: the search then *holds* that
point (moves on in the face) and *releases* held points one at a time where the one-sided slope
says so, each release being again a circle. Nothing creeps.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..problems.checks import Array
from ._circle_kernels import ON_PLANE, ONE_SIDE, OPTIONS, Words, best_bias, circle, project
from ._hold_kernels import Scratch, rotate, scratch, stand
from ._release_kernels import FRESH, SPENT, next_direction


@njit(**OPTIONS)
def ascend(XT: Array, q: Array, w: Array, max_moves: int, own: Scratch) -> tuple[float, int]:
    """Climb from the normal w to a local maximum of |eta|; w is overwritten.

    The end point cannot be improved by any bias, nor by the gradient of its face, nor by
    releasing any one held point (for several bases where ties hold more points than dimensions).
    Returns (|eta|, anchor).
    """
    d, n = XT.shape
    p, r, active, work, order, slots, bins, on_plane, held, basis, tri, releases, gains, e, g, _ = (
        own
    )
    best, anchor = best_bias(XT, q, w, p, work, order, slots, bins)
    if d == 1:
        return best, anchor
    value, count, size = stand(XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, 0)
    best = abs(value)
    stage, rotation = FRESH, 0
    for _ in range(max_moves):
        sign = 1.0 if value >= 0.0 else -1.0
        stage = next_direction(
            q, sign, w, size, stage, 1e-10 * best, g, held, basis, tri, releases, gains, e
        )
        if stage == SPENT:
            if rotation == 0:
                other_value, other = best_bias(XT, q, w, r, work, order, slots, bins)
                if other_value > best * (1.0 + 1e-12):
                    anchor = other
                    value, count, size = stand(
                        XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, 0
                    )
                    best = abs(value)
                    stage = FRESH
                    continue
            # The same vertex has other bases, hence other edges; the anchor is one of its points.
            rotation += 1
            if count == 0 or rotation > (2 * d if count > size else 1):
                break
            anchor = on_plane[(rotation * 7919) % count]
            value, count, size = stand(
                XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, rotation * 104729
            )
            stage = FRESH
            continue
        project(XT, e, r)
        base = r[anchor]
        for i in range(n):
            b = r[i] - base
            r[i] = b if abs(b) > ON_PLANE else 0.0
        _, cot, point, _ = circle(
            q, p, r, 0.0, 0.0, ONE_SIDE, work, order, slots, bins, best * (1.0 + 1e-12)
        )
        if point > -2:
            rotate(XT, anchor, w, e, cot, point, held, basis, tri, p, r, on_plane, count)
            value, count, size = stand(
                XT, q, anchor, w, p, active, g, on_plane, held, basis, tri, 0
            )
            best = abs(value)
            stage, rotation = FRESH, 0
    return best, anchor


@njit(**OPTIONS)
def hash_plane(margins: Array, bias: float, keys: Words) -> np.uint64:
    """Return a hash of the pattern {above, on}, equal for (w, b) and (-w, -b)."""
    above, below, on = np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(len(margins)):
        side = margins[i] - bias
        if side > 10 * ON_PLANE:
            above ^= keys[i]
        elif side < -10 * ON_PLANE:
            below ^= keys[i]
        else:
            on ^= keys[i]
    return min(above, below) ^ (on * np.uint64(0x9E3779B97F4A7C15))


@njit(**OPTIONS)
def ascend_all(
    XT: Array,
    q: Array,
    starts: Array,
    max_moves: int,
    keys: Words,
    values: Array,
    biases: Array,
    signatures: Words,
) -> None:
    """Run `ascend` from every row of `starts` (overwritten by the maxima), filling the outputs.

    `signatures` are those of `hash_plane`: equal ones mean the same vertex, face or cell.
    """
    d, n = XT.shape
    own = scratch(n, d)
    margins = own[0]
    for m in range(starts.shape[0]):
        w = starts[m]
        norm = 0.0
        for k in range(d):
            norm += w[k] * w[k]
        norm = np.sqrt(norm)
        for k in range(d):
            w[k] /= norm
        values[m], anchor = ascend(XT, q, w, max_moves, own)
        project(XT, w, margins)
        biases[m] = margins[anchor]
        signatures[m] = hash_plane(margins, biases[m], keys)
