"""How the problem is minimised, and how optimality is proved."""

from ..problems import register_sup_oracle
from ..problems.higher_order import register_power_oracle
from ..problems.multi_output import register_vector_oracle
from .driver import solve
from .events import Event, History
from .kinds import sup_of_outputs, sup_of_powers
from .kinked_alpha_max import kinked_alpha_max
from .path import path
from .proof import prove, search_sup
from .solution import Solution, Status
from .sparsify import sparsify
from .verify import Verification, verify

register_sup_oracle(search_sup, kinked_alpha_max)
register_vector_oracle(sup_of_outputs)
register_power_oracle(sup_of_powers)

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
