"""
How long a state lasts
======================

In a hidden Markov model the length of a stay is geometric: most likely one row, then less and less likely. Real segments
are seldom so: a heartbeat, a phoneme, an exon has a typical length. ``SemiMarkovHMM`` gives every state a distribution
of durations of its own.
"""

import matplotlib.pyplot as plt
import numpy as np

import seqem
from seqem.plot.states import state_posteriors

# %%
# Segments with a typical length
# ------------------------------
# Two states by turns, one lasting about 12 rows and one about 30, seen through so much noise that a single row says
# little.

rng = np.random.default_rng(8)
durations = 1 + rng.negative_binomial(40, 40 / (40 + np.tile([11.0, 29.0], 60)))
truth = np.repeat(np.tile([0, 1], 60), durations)
x = truth[:, None] + rng.normal(0.0, 1.0, (len(truth), 1))
print(f"{len(durations)} segments, mean lengths {durations[::2].mean():.1f} and {durations[1::2].mean():.1f}")

# %%
# Two models
# ----------
# Durations may be shifted negative binomial, shifted Poisson, or free. ``max_duration`` bounds them and costs time.

ordinary = seqem.HMM(seqem.Gaussian(), 2, n_iter=300, random_state=0).fit(x)
explicit = seqem.SemiMarkovHMM(seqem.Gaussian(), 2, "negative-binomial", 80, n_iter=300, random_state=0).fit(x)


def in_order(model):
    """Return the states by rising mean."""
    return np.argsort(model.emission_.mean[:, 0])


def accuracy(model):
    """Return the share of rows that are decoded rightly."""
    return (np.argsort(in_order(model))[model.predict(x)] == truth).mean()


print(f"ordinary: BIC {ordinary.bic(x):.1f}, {accuracy(ordinary):.1%} of the rows right")
print(f"explicit: BIC {explicit.bic(x):.1f}, {accuracy(explicit):.1%} of the rows right")

# %%
# The durations that they learnt
# ------------------------------
# The ordinary chain has no choice but a geometric law; the grey bars are the true segments.

rows = np.arange(1, 81)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for k, ax in enumerate(axes):
    stay = np.diag(ordinary.transmat_)[in_order(ordinary)][k]
    ax.hist(durations[k::2], bins=np.arange(0.5, 81, 2), density=True, color="#D9D9D9", label="segments")
    ax.plot(rows, (1 - stay) * stay ** (rows - 1), "--", color="#E69F00", label="ordinary")
    ax.plot(rows, explicit.durations_[in_order(explicit)][k], color="#0072B2", label="explicit")
    ax.set(title=f"state {k}", xlabel="rows")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("probability")
axes[1].legend(frameon=False)

# %%
# The first 400 rows, seen by both. The ribbon is the best path.

fig, axes = plt.subplots(3, 1, figsize=(9, 6), sharex=True, layout="constrained", height_ratios=[1, 2, 2])
axes[0].plot(x[:400, 0], ".", color="#999999", markersize=3)
axes[0].step(np.arange(400), truth[:400], color="#333333")
axes[0].spines[["top", "right"]].set_visible(False)
axes[0].set(ylabel="data")
for ax, model, title in ((axes[1], ordinary, "ordinary"), (axes[2], explicit, "explicit durations")):
    order = in_order(model)
    state_posteriors(model.predict_proba(x)[:400, order], np.argsort(order)[model.predict(x)][:400], ax)
    ax.set_title(title, fontsize="medium", loc="left")
axes[1].set_xlabel("")

# %%
# What this page told, checked:

means = explicit.durations_[in_order(explicit)] @ rows
assert explicit.bic(x) < ordinary.bic(x) - 20
assert accuracy(explicit) > accuracy(ordinary) + 0.05
assert np.allclose(means, [durations[::2].mean(), durations[1::2].mean()], rtol=0.1)
assert np.all(np.diff(explicit.history_.objective) >= -1e-9)
