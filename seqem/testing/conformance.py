"""The battery every distribution must pass: EM's identities, checked by finite differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.tree import tree_add, tree_leaves
from seqem.distributions.protocol import Distribution
from seqem.distributions.tied import Tied
from seqem.errors import DegenerateWarning
from seqem.shapes import AnyArray, Array

_STEP = 1e-5


def check_distribution(distribution: Distribution, x: Any, *, n_components: int = 2, rng: np.random.Generator) -> None:
    """Assert that a distribution does what the protocol promises, on small data of its kind.

    Parameters
    ----------
    distribution : Distribution
        What is tested; with priors, they are tested too.
    x : array-like, shape (N,) or (N, D)
        Observations, without missing ones; some 100 rows are enough. Sequential families see one sequence.
    n_components : int
        K.
    rng : Generator
        Source of the weights and samples.

    Raises
    ------
    AssertionError
        With the name of the promise that is broken.

    Examples
    --------
    >>> from seqem.distributions.poisson import Poisson
    >>> check_distribution(Poisson(), [0, 3, 1, 7, 2, 9, 1], rng=np.random.default_rng(0))
    """
    rows = observations(distribution, x)
    params = distribution.initial(rows, n_components, rng)
    resp = rng.dirichlet(np.ones(n_components), len(rows))
    check_shapes(distribution, params, rows, n_components)
    check_packing(distribution, params)
    check_additive(distribution, params, rows, resp)
    check_score(distribution, params, rows, resp)
    check_recentred(distribution, params, rows, resp)
    check_maximum(distribution, params, rows, resp)
    check_fixed(distribution, params, rows, resp)
    check_missing(distribution, params, rows, resp)
    check_empty(distribution, params, rows, resp)
    check_monotone(distribution, rows, n_components, rng)
    check_sample(distribution, params, n_components, rng)


def observations(distribution: Any, x: Any) -> AnyArray:
    """Return ``x`` as the distribution takes it, sequential families' design rows included."""
    if hasattr(distribution, "prepare"):
        x = distribution.prepare(SequenceBatch.from_lengths(x)).values
    return distribution.check(x)


def gradient(function: Callable[[Array], Any], at: Array) -> Array:
    """Return central differences of ``function`` by each coordinate, shape (P, ...)."""
    steps = _STEP * np.eye(len(at))
    return np.array([(np.asarray(function(at + s)) - np.asarray(function(at - s))) / (2 * _STEP) for s in steps])


def _close(promise: str, got: Any, want: Any, tolerance: float) -> None:
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    assert got.shape == want.shape, f"{promise}: shape {got.shape}, expected {want.shape}"
    error = np.abs(got - want).max(initial=0.0)
    assert error <= tolerance, f"{promise}: off by {error:.3g}, tolerance {tolerance:.3g}"


def _trees_close(promise: str, got: Any, want: Any, tolerance: float) -> None:
    pairs = list(zip(tree_leaves(got), tree_leaves(want), strict=True))
    for (name, a), (_, b) in pairs:
        _close(f"{promise} ({name})", a, b, tolerance * (1.0 + float(np.abs(b).max(initial=0.0))))


def check_shapes(distribution: Distribution, params: Any, rows: AnyArray, n_components: int) -> None:
    """Assert the shapes and names that the protocol promises."""
    assert params._fields == distribution.fields, "fields: must name the parameters"
    log_likelihood = distribution.log_likelihood(params, rows)
    assert log_likelihood.shape == (len(rows), n_components), "log_likelihood: shape must be (N, K)"
    assert log_likelihood.dtype == np.float64, "log_likelihood: must be float64"
    assert not np.isnan(log_likelihood).any(), "log_likelihood: must never be NaN"
    assert distribution.missing(rows).shape == (len(rows),), "missing: shape must be (N,)"


def check_packing(distribution: Distribution, params: Any) -> None:
    """Assert that pack and unpack are inverse and that n_free counts what pack returns."""
    vector = distribution.pack(params)
    assert vector.shape == (distribution.n_free(params),), "n_free: must be the length of pack"
    _trees_close("pack round trip", distribution.unpack(vector, params), params, 1e-9)
    moved = vector + 0.1
    _close("unpack round trip", distribution.pack(distribution.unpack(moved, params)), moved, 1e-8)


def check_additive(distribution: Distribution, params: Any, rows: AnyArray, resp: Array) -> None:
    """Assert that statistics of parts add up to those of the whole."""
    cut = len(rows) // 3
    parts = [distribution.accumulate(params, rows[s], resp[s]) for s in (slice(0, cut), slice(cut, None))]
    _trees_close("additivity", tree_add(*parts), distribution.accumulate(params, rows, resp), 1e-10)


def check_recentred(distribution: Distribution, params: Any, rows: AnyArray, resp: Array) -> None:
    """Assert that Q of recentred statistics is that of the statistics, but for a constant."""
    stats, at = distribution.accumulate(params, rows, resp), distribution.pack(params)
    elsewhere, a, b = (distribution.unpack(at + step, params) for step in (0.1, -0.05, 0.07))
    moved = distribution.recentre(stats, params, elsewhere)

    def gain(statistics: Any, reference: Any) -> float:
        expected = distribution.expected_log_likelihood
        return expected(statistics, a, reference) - expected(statistics, b, reference)

    size = 1.0 + abs(distribution.expected_log_likelihood(stats, a, params))
    _close("recentre", gain(moved, elsewhere), gain(stats, params), 1e-10 * size)


def check_score(distribution: Distribution, params: Any, rows: AnyArray, resp: Array) -> None:
    """Assert Fisher's identity: at the reference, Q has the gradient of the weighted log-likelihood."""
    stats = distribution.accumulate(params, rows, resp)
    at = distribution.pack(params)

    def weighted(vector: Array) -> float:
        return float((resp * distribution.log_likelihood(distribution.unpack(vector, params), rows)).sum())

    def expected(vector: Array) -> float:
        return distribution.expected_log_likelihood(stats, distribution.unpack(vector, params), params)

    want = gradient(weighted, at)
    _close("Fisher's identity", gradient(expected, at), want, 1e-5 * (len(rows) + float(np.abs(want).max(initial=0.0))))


def check_maximum(distribution: Distribution, params: Any, rows: AnyArray, resp: Array) -> None:
    """Assert that maximise ends where the gradient of Q + log prior vanishes, and not lower than it began."""
    stats = distribution.accumulate(params, rows, resp)
    best = distribution.maximise(stats, params)

    def objective(p: Any) -> float:
        return distribution.expected_log_likelihood(stats, p, params) + distribution.log_prior(p)

    assert objective(best) >= objective(params) - 1e-8 * len(rows), "maximise: lowers Q + log prior"
    slope = gradient(lambda v: objective(distribution.unpack(v, best)), distribution.pack(best))
    _close("stationarity of maximise", slope, np.zeros_like(slope), 2e-5 * len(rows))


def check_fixed(distribution: Any, params: Any, rows: AnyArray, resp: Array) -> None:
    """Assert that each field can be fixed, stays, and leaves the rest at its own maximum."""
    for name in distribution.fields if hasattr(distribution, "fixed") else ():
        if not isinstance(getattr(params, name), np.ndarray):
            continue
        held = replace(distribution, fixed={name: True})
        after = held.maximise(held.accumulate(params, rows, resp), params)
        assert np.array_equal(getattr(after, name), getattr(params, name)), f"fixed: {name} moved"
        if held.n_free(params):
            check_maximum(held, params, rows, resp)


def check_missing(distribution: Distribution, params: Any, rows: AnyArray, resp: Array) -> None:
    """Assert that missing rows have log-likelihood 0 and change no statistic."""
    plain = rows.reshape(len(rows), -1).astype(np.float64)
    lost = distribution.check(np.vstack([plain, np.full((2, plain.shape[1]), np.nan)]))
    assert distribution.missing(lost)[-2:].all(), "missing: all-NaN rows must be named"
    _close(
        "log_likelihood of missing rows",
        distribution.log_likelihood(params, lost)[-2:],
        np.zeros((2, resp.shape[1])),
        0.0,
    )
    stats = distribution.accumulate(params, lost, np.vstack([resp, resp[:2]]))
    _trees_close("statistics with missing rows", stats, distribution.accumulate(params, rows, resp), 1e-10)


def check_empty(distribution: Distribution, params: Any, rows: AnyArray, resp: Array) -> None:
    """Assert that a component without mass keeps its parameters, finite and with a warning."""
    resp = resp.copy()
    resp[:, 0] = 0.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        after = distribution.maximise(distribution.accumulate(params, rows, resp), params)
    assert any(issubclass(w.category, DegenerateWarning) for w in caught), "empty component: no DegenerateWarning"
    assert all(np.isfinite(leaf).all() for _, leaf in tree_leaves(after)), "empty component: not finite"
    before = distribution.log_likelihood(params, rows)[:, 0]
    if _is_private(distribution, params, rows, resp):
        _close("empty component", distribution.log_likelihood(after, rows)[:, 0], before, 1e-9 * np.abs(before).max())


def _is_private(distribution: Distribution, params: Any, rows: AnyArray, resp: Array) -> bool:
    """Return whether no parameter is shared: every leaf of the parameters grows with K."""
    if isinstance(distribution, Tied):
        return False
    wider = distribution.initial(rows, resp.shape[1] + 1, np.random.default_rng(0))
    pairs = zip(tree_leaves(params), tree_leaves(wider), strict=True)
    return all(a.shape[0] < b.shape[0] for (_, a), (_, b) in pairs)


def check_monotone(distribution: Distribution, rows: AnyArray, n_components: int, rng: np.random.Generator) -> None:
    """Assert that no EM step of a mixture lowers log-likelihood plus log prior."""
    params = distribution.initial(rows, n_components, rng)
    weights = np.full(n_components, 1.0 / n_components)
    last = -np.inf
    for iteration in range(12):
        joint = distribution.log_likelihood(params, rows) + np.log(weights)
        top = joint.max(axis=1, keepdims=True)
        odds = np.exp(joint - top)
        total = odds.sum(axis=1, keepdims=True)
        objective = float((top + np.log(total)).sum()) + distribution.log_prior(params)
        assert objective >= last - 1e-9 * (1.0 + abs(last)), f"EM: fell by {last - objective:.3g} at step {iteration}"
        last, resp = objective, odds / total
        weights = resp.mean(axis=0)
        params = distribution.maximise(distribution.accumulate(params, rows, resp), params)


def check_sample(distribution: Any, params: Any, n_components: int, rng: np.random.Generator) -> None:
    """Assert that samples are legal rows whose score has mean zero at the parameters that drew them."""
    states = np.repeat(np.arange(n_components), 2000)
    rows = observations(distribution, distribution.sample(params, states, rng))

    def own(vector: Array) -> Array:
        return distribution.log_likelihood(distribution.unpack(vector, params), rows)[np.arange(len(states)), states]

    score = gradient(own, distribution.pack(params))
    spread = score.std(axis=1) * np.sqrt(len(states))
    far = np.abs(score.sum(axis=1)) / np.where(spread > 0, spread, 1.0)
    assert far.max(initial=0.0) < 5.5, f"sample: score is {far.max():.1f} standard errors from zero"
