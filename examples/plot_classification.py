"""
Classes: where the boundary runs, and how sure it is
====================================================

Two classes that no straight line separates, and three that share their neurons. The classifier is a
network whose values are scores; the boundary is where scores tie. A logistic fit minimises

    (1/n) sum_i log(1 + exp(-y_i f(x_i))) + alpha RTV(f),        y_i = -1 or 1,

and with three classes the loss of their softmax, where a neuron that serves several classes costs
the length of its amplitudes. In two dimensions the proof that no function does better is exact.
"""

import os
import sys

import matplotlib.pyplot as plt
import numpy as np

from radontv import RadonTVClassifier

COLOURS = np.array(["#0072B2", "#E69F00", "#009E73"])
QUICK = "RADONTV_EXAMPLES_QUICK" in os.environ

rng = np.random.default_rng(0)
n = 80 if QUICK else 160
X = rng.uniform(-1, 1, size=(n, 2))
height = np.abs(X[:, 0]) - X[:, 1] + 0.15 * rng.normal(size=n)
two = np.where(height > 0.4, "below", "above")
three = np.digitize(height, [0.1, 0.7])

# %%
# Two classes, and the proof.
binary = RadonTVClassifier(alpha=0.01, scope="global").fit(X, two)
print(binary.certificate_)
assert binary.certificate_.scope.name == "GLOBAL"
assert binary.certificate_.relative_gap <= 1e-4
assert binary.label_smoothing_ == 0.0  # the classes overlap: an optimum exists

# %%
# Three classes share neurons.
shared = RadonTVClassifier(alpha=0.01, scope="global").fit(X, three)
print(shared.certificate_)
print(f"{shared.n_neurons_} neurons; amplitudes:\n{shared.network_.amplitudes.round(2)}")
assert shared.certificate_.relative_gap <= 1e-4

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
side = np.linspace(-1, 1, 101 if QUICK else 201)
square = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
for axis, model, labels in zip(axes, (binary, shared), (two, three), strict=True):
    shares = model.predict_proba(square)
    rgb = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in COLOURS])
    mixed = shares @ rgb[: shares.shape[1]]
    picture = (0.35 + 0.65 * mixed).reshape(len(side), len(side), 3)
    axis.imshow(picture, origin="lower", extent=(-1, 1, -1, 1), interpolation="bilinear")
    codes = np.searchsorted(model.classes_, labels)
    axis.scatter(*X.T, c=COLOURS[codes], s=22, ec="white", lw=0.6)
    for w, b in zip(model.network_.weights, model.network_.biases, strict=True):
        if abs(b) < 1.4:
            axis.axline(b * w, b * w + np.array([-w[1], w[0]]), color="black", lw=0.9, ls=":")
    gap = model.certificate_.relative_gap
    axis.set(
        xlim=(-1, 1), ylim=(-1, 1), xticks=(-1, 0, 1), xlabel="$x_1$",
        title=f"{len(model.classes_)} classes: {100 * model.score(X, labels):.0f} % right, "
        f"{model.n_neurons_} neuron{'s' * (model.n_neurons_ > 1)}\nrelative gap {gap:.0e}, proved",
    )  # fmt: skip
axes[0].set_ylabel("$x_2$")
figure.suptitle("Colour: probabilities; dotted: the folds of the neurons")

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)
elif plt.get_backend().lower() != "agg":
    plt.show()
