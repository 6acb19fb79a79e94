"""
Moving from hmmlearn
====================

A script written for hmmlearn changes its import and nothing else: names, arguments, attributes and calls are those of
hmmlearn 0.3.3. Here one script runs with both, and then shows what else it could do.
"""

import hmmlearn.hmm
import numpy as np
from sklearn.base import clone

import seqem

# %%
# One script, two imports
# -----------------------
# Three sequences of two-dimensional rows from a chain of three states.

rng = np.random.default_rng(7)
centres, lengths = np.array([[0.0, 0.0], [2.5, 0.5], [0.5, 2.5]]), [400, 250, 350]
states = (np.arange(sum(lengths)) // 25) % 3
X = centres[states] + rng.normal(0.0, 1.0, (sum(lengths), 2))


def script(hmm):
    """Fit, score, decode: what many scripts do."""
    model = hmm.GaussianHMM(n_components=3, covariance_type="diag", n_iter=10, tol=-1, init_params="")
    model.startprob_ = np.full(3, 1 / 3)
    model.transmat_ = np.full((3, 3), 0.1) + 0.7 * np.eye(3)
    model.means_ = centres + 0.5
    model.covars_ = np.full((3, 2), 2.0)
    model.fit(X, lengths)
    return model, model.score(X, lengths), model.predict(X, lengths), model.predict_proba(X, lengths)


old, old_score, old_path, old_posterior = script(hmmlearn.hmm)
new, new_score, new_path, new_posterior = script(seqem)
print(f"hmmlearn {old_score:.10f}\nseqem    {new_score:.10f}")
print("largest difference of the means     ", f"{np.abs(old.means_ - new.means_).max():.1e}")
print("largest difference of the posteriors", f"{np.abs(old_posterior - new_posterior).max():.1e}")

# %%
# The start is set by hand here because the two libraries draw different random numbers: with ``random_state`` alone they
# would begin at different places. And the number of steps is: a negative ``tol`` never stops a fit. With a tolerance,
# hmmlearn's parameters are one EM step past the log-likelihood that stopped it, seqem's belong to it.
#
# What differs
# ------------
# ``monitor_.converged`` is true only if the tolerance was met. hmmlearn also says true when the iterations ran out or the
# likelihood fell; seqem gives the reason.

print("hmmlearn:", old.monitor_.converged, "| seqem:", new.monitor_.converged, new.stop_reason_)

# %%
# What is new
# -----------
# **Missing values.** NaN is missing, whole rows or single coordinates.

holes = X.copy()
holes[rng.random(X.shape) < 0.2] = np.nan
patchy = seqem.GaussianHMM(3, n_iter=100, random_state=0).fit(holes, lengths)
nearest = np.linalg.norm(patchy.means_[:, None] - centres, axis=2).argmin(axis=1)  # states come in any order
complete = (nearest[patchy.predict(holes, lengths)] == states).mean()
print(f"a fifth of the values missing: {complete:.1%} of the states right")

# %%
# **Labels.** Known states of some rows, -1 where unknown; the states then have the order that you gave them.

labels = np.where(rng.random(len(X)) < 0.05, states, -1)
labelled = seqem.GaussianHMM(3, n_iter=100, random_state=0).fit(X, lengths, labels=labels)
agreement = (labelled.predict(X, lengths) == states).mean()
print(f"nothing missing, 5 % of the rows labelled: {agreement:.1%} right")

# %%
# **Topologies** and more starts. Left-right chains for speech, cycles for the cell cycle, or your own mask.

cyclic = seqem.GaussianHMM(3, n_iter=100, topology="cyclic", n_init=5, random_state=0).fit(X, lengths)
print(
    "zeros of the cycle:",
    int((cyclic.transmat_ == 0).sum()),
    "| objective of each start:",
    cyclic.starts_.objective.round(2),
)

# %%
# **Fewer iterations.** ``method="squarem"`` extrapolates EM steps and never accepts a lower objective. It pays where EM
# creeps, as it does where states overlap.

blurred = np.random.default_rng(2).normal((np.arange(3000) // 10 % 2) * 0.8, 1.0)
recipe = seqem.GaussianHMM(2, n_iter=2000, tol=1e-7, random_state=0)
slow, fast = recipe.fit(blurred), clone(recipe).set_params(method="squarem").fit(blurred)
print(f"EM: {slow.n_iter_} steps, SQUAREM: {fast.n_iter_}")

# %%
# And a list of arrays in place of ``X, lengths``, standard errors, end probabilities, executors: see the how-to pages.
#
# What this page told, checked:

parts = np.split(X, np.cumsum(lengths)[:-1])
assert abs(old_score - new_score) < 1e-9 * abs(old_score)
assert np.abs(old_posterior - new_posterior).max() < 1e-9
assert np.abs(old.means_ - new.means_).max() < 1e-9
assert np.abs(old.transmat_ - new.transmat_).max() < 1e-9
assert np.array_equal(old_path, new_path)
assert new.stop_reason_ == "max_iter"
assert not new.monitor_.converged
assert np.isfinite(patchy.means_).all()
assert agreement > complete > 0.9
assert (cyclic.transmat_ == 0).sum() == 3
assert abs(slow.log_likelihood_ - fast.log_likelihood_) < 1e-3
assert fast.n_iter_ < slow.n_iter_ / 2
assert new.score(parts) == new_score
