"""
The dishonest casino
====================

A casino has two dice. One is fair, the other shows a six every second time, and somebody changes them under the table.
We see the rolls only. Which die was it, roll by roll?

This is the first example of *Biological Sequence Analysis* (Durbin, Eddy, Krogh and Mitchison 1998), and its 300 rolls
(figure 3.5 there) come with seqem. The file also says which die was thrown, so that we can check.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import seqem
from seqem.io.segments import runs
from seqem.plot.emissions import emission_bars
from seqem.plot.history import training_curve
from seqem.plot.states import state_posteriors
from seqem.plot.transitions import transition_matrix

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
rolls = seqem.read(HERE.parent / "data" / "casino_rolls.csv", columns=["roll"], label_column="loaded")
x, truth = rolls.values.astype(int) - 1, rolls.labels
print(f"{len(x)} rolls, {truth.sum()} of them with the loaded die, sixes: {(x == 5).mean():.0%}")

# %%
# A model whose parameters are known
# ----------------------------------
# The book gives the parameters, so there is nothing to fit yet: set them and ask. ``init_params=""`` says that nothing is
# to be initialised from data. Symbols count from 0, so a six is symbol 5.

NAMES = ["fair", "loaded"]
casino = seqem.CategoricalHMM(2, init_params="")
casino.startprob_ = np.array([0.5, 0.5])
casino.transmat_ = np.array([[0.95, 0.05], [0.10, 0.90]])
casino.emissionprob_ = np.array([[1 / 6] * 6, [0.1] * 5 + [0.5]])

log_likelihood = casino.score(x)
best, path = casino.decode(x)
print(f"log-likelihood {log_likelihood:.6f}, best path {best:.6f}")
print(" ".join(f"{NAMES[path[a]][0].upper()}{b - a}" for a, b in zip(*runs(path), strict=True)))

# %%
# ``decode`` gives the single most probable path (Viterbi). ``predict_proba`` gives the probability of each die at each
# roll, which also tells how sure we may be. The ribbon above the picture is the path.

posterior = casino.predict_proba(x)
fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
state_posteriors(posterior, path, ax, names=NAMES)
right = (path == truth).mean()
ax.set(xlabel="roll", title=f"the best path is right at {right:.0%} of the rolls")

# %%
# Parameters from the rolls alone
# -------------------------------
# Now forget the book. EM (here: Baum-Welch) begins at a rough guess and never makes the likelihood smaller. ``tol`` is
# the gain below which it stops; ``stop_reason_`` says why it did.

fitted = seqem.CategoricalHMM(2, init_params="", n_iter=500, tol=1e-9)
fitted.startprob_ = np.array([0.5, 0.5])
fitted.transmat_ = np.array([[0.9, 0.1], [0.2, 0.8]])
fitted.emissionprob_ = np.array([[1 / 6] * 6, [0.15] * 5 + [0.25]])
fitted.fit(x)
print(f"{fitted.stop_reason_} after {fitted.n_iter_} steps: {fitted.log_likelihood_:.6f}")

fig, (left, right_ax) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained", width_ratios=[1, 1.4])
training_curve(fitted.history_.objective, left)
left.set_ylabel("log-likelihood")
emission_bars(fitted.emissionprob_, symbols="123456", names=NAMES, ax=right_ax)

# %%
# The matrix of transitions: how often a die stays in the hand.

fig, ax = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
transition_matrix(fitted.transmat_, names=NAMES, ax=ax)

# %%
# What this page told, checked:

lengths = [int(b - a) for a, b in zip(*runs(path), strict=True)]
assert abs(log_likelihood - -516.9277122794) < 1e-9
assert abs(best - -539.4940026458) < 1e-9
assert lengths == [48, 18, 12, 34, 67, 13, 78, 19, 11]  # fair first, then in turn
assert (path == 1).sum() == 84
assert abs(fitted.log_likelihood_ - -514.25826192) < 1e-7
assert np.all(np.diff(fitted.history_.objective) >= 0)
assert fitted.converged_
