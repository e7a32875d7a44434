"""What is minimised: data, losses, networks, RTV, the dual and the certificate.

Nothing here knows how a problem is solved. Symbols, in formulas and in code:

============  ==========================================  ==================  ===================
symbol        meaning                                     shape               name
============  ==========================================  ==================  ===================
X, y, s       inputs, targets, weights of sum 1           (n,d), (n,), (n,)   ``X, y, s``
alpha         penalty that multiplies RTV                 scalar              ``alpha``
a, w, b       amplitudes, unit normals, biases            (K,), (K,d), (K,)   ``amplitudes``, ...
c, c0         skip connection                             (d,), scalar        ``coef, intercept``
RTV(f)        sum_k abs(a_k), equal neurons merged        scalar              ``network.rtv``
q, p = q/s    dual point, pseudo-residual                 (n,)                ``q, p``
eta           dual certificate sum_i q_i relu(w.x_i - b)  function of (w, b)  ``eta``
U             upper bound of sup abs(eta)                 scalar              ``sup_bound``
t, D, F, gap  dual scale, dual and primal value, F - D    scalars             ``scale``, ...
============  ==========================================  ==================  ===================
"""

from typing import TYPE_CHECKING, Any

from . import losses
from .certificate import Certificate, Scope
from .higher_order import HigherOrderProblem
from .multi_output import MultiOutputProblem
from .network import Layers, RidgeSpline
from .problem import RadonTVProblem
from .sup_oracles import register_sup_oracle

if TYPE_CHECKING:
    from . import library

__all__ = [
    "Certificate",
    "HigherOrderProblem",
    "Layers",
    "MultiOutputProblem",
    "RadonTVProblem",
    "RidgeSpline",
    "Scope",
    "library",
    "losses",
    "register_sup_oracle",
]


def __getattr__(name: str) -> Any:
    # Few need the library, and it reads a file.
    if name == "library":
        from importlib import import_module

        return import_module(".library", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
