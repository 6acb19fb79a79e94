"""
Labels and missing values
=========================

Often somebody has looked at a part of the data: an expert has marked some segments, and some rows were lost. Both are
arguments of ``fit``: known states are labels, lost values are NaN. Here we take the casino's rolls again, hide a third
of them, and tell the die for the first hundred only.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import seqem
from seqem.plot.states import state_posteriors

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
rolls = seqem.read(HERE.parent / "data" / "casino_rolls.csv", columns=["roll"], label_column="loaded")
x, truth = rolls.values - 1.0, rolls.labels

# %%
# Hide some rolls
# ---------------
# NaN is a missing symbol; say the number of symbols, as the data may not show them all. A missing row says nothing about
# the state, but time still passes.

rng = np.random.default_rng(11)
lost = rng.random(len(x)) < 1 / 3
x[lost] = np.nan
labels = np.where(np.arange(300) < 100, truth, -1)
print(f"{lost.sum()} rolls lost, {(labels >= 0).sum()} labelled")

# %%
# Three fits
# ----------
# From all labels, from the first hundred, from none. With all labels the fit is counting. With a few, labelled rows also
# set the start and the order of the states. Without any, the rolls that are left are too few to find the two dice: the
# fit is free to explain something else in them, and its likelihood is the best of the three.

NAMES = ["fair", "loaded"]


def fitted(labels):
    """Return a model from the rolls and the labels that are known."""
    model = seqem.CategoricalHMM(2, n_features=6, n_iter=500, tol=1e-6, n_init=20, random_state=1)
    return model.fit(x, labels=labels)


full, some, none = fitted(truth), fitted(labels), fitted(None)
for name, model in (("all labels", full), ("some", some), ("none", none)):
    print(f"{name:10s} sixes {model.emissionprob_[:, 5].round(2)}, log-likelihood of the rolls {model.score(x):.2f}")

# %%
# The labels are told at fitting only. Decoding sees the rolls: the posterior below is what the model of some labels says
# about the 200 rolls that nobody marked.

posterior = some.predict_proba(x)
path = posterior.argmax(axis=1)
fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 4), sharex=True, layout="constrained", height_ratios=[1, 3])
top.imshow(truth[None, :], aspect="auto", cmap="Greys", extent=(0, 300, 0, 1), vmax=1.5)
top.set(yticks=[], title="the loaded die in fact (dark)")
state_posteriors(posterior, path, bottom, names=NAMES)
bottom.set_xlabel("roll")

# %%
# Soft labels
# -----------
# ``state_prior`` takes a weight for each state at each row, which multiplies the likelihood: a witness who is right four
# times out of five, say. Weights of 0 and 1 are labels.

witness = np.where(rng.random(300) < 0.8, truth, 1 - truth)
weights = np.where(witness[:, None] == [0, 1], 0.8, 0.2)
helped = (some.predict_proba(x, state_prior=weights).argmax(1) == truth).mean()
alone = (path == truth).mean()
print(f"right without the witness {alone:.1%}, with {helped:.1%}")

# %%
# What this page told, checked:

counted = np.array([(x[(truth == k) & ~lost, 0] == 5).mean() for k in (0, 1)])
assert np.allclose(full.emissionprob_[:, 5], counted)  # with all labels, EM counts
assert some.emissionprob_[1, 5] > 0.3 > some.emissionprob_[0, 5]  # the labels name the states
assert helped > alone > 0.6
assert none.score(x) > max(some.score(x), full.score(x))
