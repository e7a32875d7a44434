"""How the problem is minimised, and how optimality is proved."""

from ..problems import RadonTVProblem, register_sup_oracle
from ..problems.higher_order import HigherOrderProblem
from ..problems.multi_output import MultiOutputProblem
from .driver import solve
from .events import Event, History
from .kinds import least_sup_of_outputs, sup_of_outputs, sup_of_powers
from .kinked_alpha_max import kinked_alpha_max
from .path import path
from .proof import search_sup
from .proving import prove
from .solution import Solution, Status
from .sparsify import sparsify
from .verify import Verification, verify

register_sup_oracle(RadonTVProblem, search_sup, kinked_alpha_max)
register_sup_oracle(MultiOutputProblem, sup_of_outputs, least_sup_of_outputs)
register_sup_oracle(HigherOrderProblem, sup_of_powers)

__all__ = [
    "Event",
    "History",
    "Solution",
    "Status",
    "Verification",
    "path",
    "prove",
    "solve",
    "sparsify",
    "verify",
]
