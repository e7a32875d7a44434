r"""
How wide must the layers of a deep network be?
==============================================

A network with three hidden layers is trained by scikit-learn. Each hidden layer, with all others
frozen, is a shallow network with several outputs: the pre-activations of the layer after it. For
such a network the least path norm, sum_k \|v_k\| \|w_k\|, of any layer of any width with the same
outputs on the data follows from a convex program, and the search for it finds narrower layers.

`compress_layer` takes the layers from the last to the first, since fewer units in one layer are
fewer outputs of the one before. The outputs on the data stay, to rounding; no path norm grows. The
bounds are about one layer at a time. Nothing is proved about the deep network as a whole, and away
from the data the two networks may differ: the picture on the left shows by how much. The bounds
grant affine functions for free, which layers pay with units: later layers, whose inputs are learned
features, do most of their work by affine functions, and there the bounds are far below.
"""

import os
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from radontv.solvers.layer_blocks import layer_inputs
from radontv.solvers.layers import compress_layer

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#BBBBBB"
QUICK = bool(os.environ.get("RADONTV_EXAMPLES_QUICK"))

n = 25 if QUICK else 40
X = np.linspace(-2, 2, n)[:, None]
y = np.abs(np.abs(X[:, 0]) - 1) + 0.5 * np.maximum(X[:, 0], 0)

warnings.simplefilter("ignore", ConvergenceWarning)
sizes = (20, 20, 20) if QUICK else (40, 40, 40)
model = MLPRegressor(
    hidden_layer_sizes=sizes, solver="lbfgs", alpha=1e-3, max_iter=2000, random_state=0
).fit(X, y)
trained = [(W.T, b) for W, b in zip(model.coefs_, model.intercepts_, strict=True)]

# %%
# Compress, the last hidden layer first.
layers, results = trained, {}
for index in reversed(range(len(sizes))):
    results[index] = compress_layer(layers, X, index, time_limit=5 if QUICK else 60)
    layers = results[index].layers
    print(results[index])
outputs = layer_inputs(trained, X)[-1]
change = np.abs(layer_inputs(layers, X)[-1] - outputs).max() / np.abs(outputs).max()
print(f"largest change of the outputs on the data: {change:.1e} of the largest")
assert change < 1e-6

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
line = np.linspace(-2.6, 2.6, 800)[:, None]
left.plot(line, layer_inputs(trained, line)[-1], color=ORANGE, lw=3, label="as trained")
left.plot(line, layer_inputs(layers, line)[-1], color=BLUE, lw=1.2, label="compressed")
left.plot(X[:, 0], outputs, ".", color="black", ms=5, label="its outputs on the data")
left.set(xlabel="x", ylabel="f(x)", title="Equal on the data")
left.legend(frameon=False)

place = np.arange(len(sizes))
ordered = [results[index] for index in place]
for shift, colour, label, widths in (
    (-0.2, ORANGE, "as trained", [r.width_before for r in ordered]),
    (0.2, BLUE, "compressed", [r.width_after for r in ordered]),
):
    bars = middle.bar(place + shift, widths, 0.38, color=colour, label=label)
    middle.bar_label(bars)
middle.set(ylabel="units", title="Widths")
for shift, colour, label, norms in (
    (-0.27, ORANGE, "as trained", [r.path_norm_before for r in ordered]),
    (0.0, BLUE, "compressed", [r.path_norm_after for r in ordered]),
    (0.27, GREY, "no layer with these outputs has less", [
        r.certificate.lower_bound for r in ordered
    ]),
):  # fmt: skip
    right.bar(place + shift, norms, 0.26, color=colour, label=label)
scope = ordered[0].certificate.scope.value
right.set(ylabel="path norm", title=f"Path norm, other layers frozen ({scope} bound)")
for axes in (middle, right):
    axes.set_xticks(place, [f"hidden layer {index + 1}" for index in place])
    axes.legend(frameon=False, loc="upper center", fontsize="small")
    axes.margins(y=0.3)

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
