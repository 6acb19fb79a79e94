"""Recursions over a state graph: likelihood, posteriors, best path, from arrays alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqem.kernels import graph as kernels
from seqem.shapes import AnyArray, Array
from seqem.speech.graph import StateGraph

NO_BEAM = float("inf")


class Trellis(NamedTuple):
    """Forward variables of a recording (T + 1, N) and its log-likelihood, -inf where no path is left."""

    alpha: Array
    log_likelihood: float


class Path(NamedTuple):
    """The best path: its log-probability, the state of each frame (T,), and how often it takes each arc (A,)."""

    log_probability: float
    states: AnyArray
    counts: Array


def forward(graph: StateGraph, weights: Array, frames: Array, beam: float = NO_BEAM) -> Trellis:
    """Return the forward variables.

    Parameters
    ----------
    weights : ndarray, shape (A,)
        Of :meth:`StateGraph.weights`.
    frames : ndarray, shape (T, P)
        Log-likelihoods of the graph's emissions.
    beam : float
        Natural logarithm; what is further below the best of a frame is cut off.
    """
    alpha = np.empty((len(frames) + 1, graph.n_nodes))
    ends = graph.start, graph.final
    score = kernels.forward(graph.first, graph.source, weights, graph.column, *ends, frames, beam, alpha)
    return Trellis(alpha, float(score))


def smooth(
    graph: StateGraph,
    weights: Array,
    frames: Array,
    alpha: Array,
    column: AnyArray,
    counts: Array,
    resp: Array,
    mass: float = 1.0,
) -> None:
    """Add the posteriors of arcs to ``counts`` (A,), and of states to the columns ``column`` (E,) of ``resp`` (T, C)."""
    scratch = np.zeros(graph.n_nodes), np.zeros(graph.n_nodes)
    kernels.smooth(
        graph.first,
        graph.source,
        weights,
        graph.column,
        graph.final,
        frames,
        alpha,
        mass,
        column,
        *scratch,
        counts,
        resp,
    )


def posteriors(graph: StateGraph, weights: Array, frames: Array, column: AnyArray, n_columns: int) -> Array:
    """Return the posterior of states in each frame, added up by ``column`` (E,), shape (T, n_columns)."""
    out = np.zeros((len(frames), n_columns))
    smooth(graph, weights, frames, forward(graph, weights, frames).alpha, column, np.zeros(len(weights)), out)
    return out


def best_path(graph: StateGraph, weights: Array, frames: Array, beam: float = NO_BEAM) -> Path | None:
    """Return the best path, None where the beam leaves none."""
    back = np.empty((len(frames) + 1, graph.n_nodes), dtype=np.int32)
    scratch = np.empty(graph.n_nodes), np.empty(graph.n_nodes)
    ends = graph.start, graph.final
    score = kernels.best_path(graph.first, graph.source, weights, graph.column, *ends, frames, beam, *scratch, back)
    if score == -np.inf:
        return None
    counts, states = np.zeros(len(weights)), np.empty(len(frames), dtype=np.int32)
    kernels.trace(graph.source, back, graph.final, graph.n_states, counts, states)
    return Path(float(score), states, counts)
