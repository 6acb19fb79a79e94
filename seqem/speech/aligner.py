"""Aligner: the best path through a transcript, as words, phones and states in seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from seqem.errors import DataError
from seqem.shapes import AnyArray, Array
from seqem.speech.alignment import Alignment, Segment
from seqem.speech.graph import StateGraph
from seqem.speech.inference import best_path, posteriors
from seqem.speech.unit_network import UnitNetwork


class Script(NamedTuple):
    """What was said: the network of a transcript in units, and its graph."""

    network: UnitNetwork
    graph: StateGraph


def align(script: Script, weights: Array, frames: Array, shift: float, duration: float, beam: float) -> Alignment:
    """Return the alignment of a recording to a transcript.

    Parameters
    ----------
    script : Script
        The transcript.
    weights : ndarray, shape (A,)
        Of the graph's arcs.
    frames : ndarray, shape (T, P)
        Log-likelihoods of the graph's emissions.
    shift, duration : float
        Seconds from frame to frame, and of the recording; nothing ends later.
    beam : float
        Where it leaves no path, the whole graph is searched.

    Raises
    ------
    DataError
        Where the recording is shorter than its transcript can be said in.
    """
    graph = script.graph
    path = best_path(graph, weights, frames, beam) or best_path(graph, weights, frames)
    if path is None:
        raise DataError(
            "the transcript does not fit the recording",
            got=f"{len(frames)} frames",
            expected=f"at least {graph.shortest}",
        )
    everyone = np.arange(graph.n_states, dtype=np.int32)
    posterior = posteriors(graph, weights, frames, everyone, graph.n_states)
    gained = frames[np.arange(len(frames)), graph.column[path.states]]
    arcs = script.network.arcs
    word = np.array([arc.word for arc in arcs])[graph.arc_of]
    unit, place = [arcs[a].unit for a in graph.arc_of], graph.state_of

    def tier(key: AnyArray, label: Callable[[int], str | None]) -> tuple[Segment, ...]:
        """Return the runs of states with the same ``key`` (E,) along the path."""
        same = np.zeros((len(frames), int(key.max(initial=0)) + 1))
        np.add.at(same.T, np.where(key < 0, 0, key), np.where(key < 0, 0.0, posterior).T)
        along = key[path.states]
        cuts = np.flatnonzero(np.diff(along, prepend=-2, append=-2))
        runs = [
            (begin, end, label(int(path.states[begin])), same[begin:end, along[begin]])
            for begin, end in pairwise(cuts.tolist())
        ]
        return tuple(
            Segment(*seconds(begin, end, shift, duration), name, float(gained[begin:end].sum()), float(share.mean()))
            for begin, end, name, share in runs
            if name is not None
        )

    tiers = {
        "words": tier(word, lambda e: None if word[e] < 0 else graph.labels[graph.label_of[e]]),
        "phones": tier(graph.arc_of, lambda e: unit[e]),
        "states": tier(everyone, lambda e: f"{unit[e]}_{place[e]}"),
    }
    return Alignment(duration, tiers, path.log_probability)


def seconds(begin: int, end: int, shift: float, duration: float = math.inf) -> tuple[float, float]:
    """Return where frames ``begin`` to ``end`` lie, to the microsecond."""
    return round(min(float(begin * shift), duration), 6), round(min(float(end * shift), duration), 6)
