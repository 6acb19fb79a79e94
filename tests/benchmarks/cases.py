"""The five cases of the comparison: data, and one starting point that every package is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Case:
    """Observations (N, D) in sequences, and parameters to start from (weights and a second axis for mixtures)."""

    name: str
    text: str
    kind: str  # "categorical", "gaussian" or "mixture"
    values: np.ndarray
    lengths: list[int]
    start: np.ndarray
    trans: np.ndarray
    emission: dict[str, np.ndarray]


SIZES = {
    "a": ("categorical K=4 M=4, 1 x 1,000,000", "categorical", 4, 4, 1, 1_000_000),
    "b": ("Gaussian diag K=8 D=13, 200 x 500", "gaussian", 8, 13, 200, 500),
    "c": ("mixture diag K=5 M=8 D=39, 100 x 300", "mixture", 5, 39, 100, 300),
    "d": ("Gaussian diag K=64 D=1, 1 x 20,000", "gaussian", 64, 1, 1, 20_000),
    "j": ("Gaussian diag K=10 D=1, 50 x 100", "gaussian", 10, 1, 50, 100),
}
MIXTURE_PARTS = 8


def make(name: str, shrink: int = 1) -> Case:
    """Return a case; ``shrink`` divides the number of rows, for a smoke run."""
    text, kind, K, D, S, T = SIZES[name]
    T = max(T // shrink, 10)
    rng = np.random.default_rng(ord(name))
    true = 0.3 * rng.dirichlet(np.ones(K), K) + 0.7 * np.eye(K)
    states = _states(true, S * T, rng)
    start, trans = np.full(K, 1 / K), 0.9 * true + 0.1 / K
    if kind == "categorical":
        probs = rng.dirichlet(np.ones(D), K)
        values = (rng.random(S * T)[:, None] > probs.cumsum(1)[states]).sum(1).clip(0, D - 1)[:, None]
        emission = {"probs": 0.9 * probs + 0.1 / D}
    elif kind == "gaussian":
        means = rng.normal(0, 2, (K, D))
        values = means[states] + rng.normal(size=(S * T, D))
        emission = {"means": means + 0.1, "variances": np.full((K, D), 1.2)}
    else:
        means = rng.normal(0, 2, (K, MIXTURE_PARTS, D))
        values = means[states, rng.integers(0, MIXTURE_PARTS, S * T)] + rng.normal(size=(S * T, D))
        emission = {
            "weights": np.full((K, MIXTURE_PARTS), 1 / MIXTURE_PARTS),
            "means": means + 0.1,
            "variances": np.full((K, MIXTURE_PARTS, D), 1.2),
        }
    return Case(name, text, kind, values, [T] * S, start, trans, emission)


def _states(trans: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    edges, uniforms, states = trans.cumsum(1).tolist(), rng.random(n).tolist(), np.zeros(n, dtype=np.int64)
    state, last = 0, len(trans) - 1
    for t in range(1, n):
        row, u, j = edges[state], uniforms[t], 0
        while j < last and row[j] <= u:
            j += 1
        states[t] = state = j
    return states
