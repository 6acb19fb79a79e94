"""Reading: what a search finds in a recording, with times and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from seqem.errors import DataError, RecordingsError
from seqem.shapes import Array
from seqem.speech.aligner import seconds
from seqem.speech.alignment import Segment
from seqem.speech.decoder import Decoder, Hypothesis, Search, confidences
from seqem.speech.inference import forward, smooth
from seqem.speech.recognition import Recognition

Result = TypeVar("Result")


def decoded(search: Search, emitted: Array) -> list[Hypothesis]:
    """Return the readings of a recording, best first; where the beam leaves none, the whole graph is searched.

    Parameters
    ----------
    emitted : ndarray, shape (T, P)
        Log-likelihoods of the graph's emissions.

    Raises
    ------
    DataError
        Where the recording is too short for anything the graph can say.
    """
    for beam in (search.beam, np.inf):
        decoder = Decoder(replace(search, beam=beam))
        decoder.feed(emitted)
        if found := decoder.finish():
            return found
    raise DataError(
        "no words of the network fit the recording",
        got=f"{len(emitted)} frames",
        expected=f"at least {search.graph.shortest}",
    )


def for_each(work: Callable[[Any], Result], items: Iterable[Any]) -> list[Result]:
    """Return what ``work`` makes of each recording; RecordingsError that names all that it refuses."""
    results, reasons = [], {}
    for number, item in enumerate(items):
        try:
            results.append(work(item))
        except DataError as error:
            reasons[number] = str(error)
    if reasons:
        raise RecordingsError(reasons)
    return results


def words_of(search: Search, hypothesis: Hypothesis) -> tuple[str, ...]:
    """Return the words of a reading."""
    graph = search.graph
    return tuple(graph.labels[spot.mark] for spot in hypothesis.spotted if spot.mark < graph.n_words)


def label_posteriors(search: Search, emitted: Array, scale: float) -> Array:
    """Return the posterior of each word and pause in each frame (T, labels), with all logarithms times ``scale``.

    Neighbouring frames are far from independent: without a scale below one everything would seem sure.
    """
    graph, weights, emitted = search.graph, search.weights * scale, emitted * scale
    alpha = forward(graph, weights, emitted).alpha
    out = np.zeros((len(emitted), len(graph.labels)))
    smooth(graph, weights, emitted, alpha, graph.label_of, np.zeros(len(weights)), out)
    return out


def recognition(
    search: Search, hypothesis: Hypothesis, posterior: Array, shift: float, log_likelihood: float
) -> Recognition:
    """Return a reading in seconds, from frames that are ``shift`` seconds apart."""
    graph = search.graph
    pairs = list(zip(hypothesis.spotted, confidences(hypothesis, posterior), strict=True))
    words = [(spot, float(sure)) for spot, sure in pairs if spot.mark < graph.n_words]
    segments = tuple(
        Segment(*seconds(spot.begin, spot.end, shift), graph.labels[spot.mark], spot.score, sure)
        for spot, sure in words
    )
    trust = [sure for _, sure in (words or pairs)]
    return Recognition(segments, hypothesis.score, log_likelihood, float(np.mean(trust)))
