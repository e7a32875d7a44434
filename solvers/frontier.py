"""What a proof by branch and bound has still to do, and how it is kept on disk."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problems.atomic_files import whole_file
from .oracle import Array
from .proof_state import remaining_seconds

Ints = NDArray[np.int64]
FORMAT = "radontv-frontier-2"


@dataclass(frozen=True, eq=False)
class Frontier:
    """Boxes of directions that are not proved below `level`; everywhere else |eta| <= level.

    Attributes
    ----------
    digest : str
        Of the inputs and the dual point that the proof is about.
    level : float
        Largest goal that boxes were dropped at, rounding margin excluded.
    anchors : ndarray of shape (n_open,)
        Index of the data point on the boxes' hyperplanes; -1 for slabs.
    signs : ndarray of shape (n_open,)
        The sigma of sigma eta.
    boxes : ndarray of shape (n_open, 2 n_features + 2)
        Rows (centre, half widths), see `_branch_kernels`.
    bounds : ndarray of shape (n_open,)
        Upper bounds on |eta| in the boxes.
    leads : ndarray of shape (m, n_features)
        Directions of large |eta| met on the way.
    n_boxes : int
        Boxes examined so far.
    seconds : float
        Time used so far, over all runs.
    margin : float
        Rounding margin of the bounds.
    share : float
        Part of all hyperplanes that lies in open slabs, in [0, 1].
    """

    digest: str
    level: float
    anchors: Ints
    signs: Array
    boxes: Array
    bounds: Array
    leads: Array
    n_boxes: int
    seconds: float
    margin: float
    share: float = 1.0

    @property
    def n_open(self) -> int:
        """Return the number of boxes above `level`."""
        return int(np.count_nonzero(self.bounds > self.level))

    @property
    def bound(self) -> float:
        """Return what is proved for every direction."""
        return max(self.level, float(self.bounds.max(initial=0.0))) + self.margin

    @property
    def remaining(self) -> float:
        """Return an estimate of the seconds still needed, as if boxes were spread evenly.

        A box halved k times counts 2^-k of its root, so the closed share of directions estimates
        the share of the tree that is done (Knuth, "Estimating the efficiency of backtrack
        programs", 1975). Hard boxes come last: expect more.
        """
        return remaining_seconds(self.seconds, self.share)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz file; a crash while writing leaves the previous one."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        with whole_file(Path(path)) as part, part.open("wb") as stream:
            np.savez(stream, allow_pickle=False, format=FORMAT, **fields)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Frontier:
        """Return the frontier that `save` wrote.

        Raises
        ------
        ValueError
            If the file is something else, or damaged.
        """
        try:
            # A stream of our own is closed whatever np.load thinks of its content.
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                fields: dict[str, Any] = dict(stored)
            if str(fields.pop("format")) != FORMAT:
                raise KeyError("format")
            fields["digest"] = str(fields["digest"])
            for name in ("level", "seconds", "margin", "share"):
                fields[name] = float(fields[name])
            fields["n_boxes"] = int(fields["n_boxes"])
            return cls(**fields)
        # What numpy says of such a file, to load it as a pickle, would be unsafe: not passed on.
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            raise ValueError(
                f"{path} is not the saved state of a proof, of another version, or damaged; name "
                "another file as checkpoint, or delete this one if it may go."
            ) from None


def saved_state(checkpoint: str | os.PathLike[str]) -> Frontier | None:
    """Return the state in the file, None if there is no file yet but one can be written."""
    try:
        path = Path(checkpoint)
    except TypeError:
        raise TypeError(f"checkpoint must be a path or None, got {checkpoint!r}.") from None
    if path.is_dir():
        raise IsADirectoryError(f"checkpoint is the folder {path}; name a file in it.")
    if path.exists():
        return Frontier.load(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"checkpoint is {path}, but there is no folder {path.parent}; make it first."
        )
    return None


def digest_of(X: Array, q: Array) -> str:
    """Return the SHA-256 of the two arrays: the identity of a proof."""
    work = hashlib.sha256(repr((FORMAT, X.shape)).encode())
    for part in (X, q):
        work.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
    return work.hexdigest()


def root_boxes(n_features: int) -> Array:
    """Return the cube's faces u_f = 1 with all biases, as slabs; eta is even, so they cover it."""
    d = n_features
    return np.hstack([np.eye(d, d + 1), 1.0 - np.eye(d, d + 1)])


def measure(boxes: Array) -> float:
    """Return the volume of slabs; all roots of one sign have d 2^d."""
    if len(boxes) == 0:
        return 0.0
    widths = boxes[:, boxes.shape[1] // 2 :]
    return float(np.where(widths > 0.0, 2.0 * widths, 1.0).prod(axis=1).sum())
