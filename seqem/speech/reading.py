"""Reading: what a search finds in a recording, with times and how sure it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqem.errors import DataError
from seqem.shapes import Array
from seqem.speech.aligner import seconds
from seqem.speech.alignment import Segment
from seqem.speech.decoder import Decoder, Hypothesis, Search, confidences
from seqem.speech.inference import posteriors
from seqem.speech.recognition import Recognition


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


def words_of(search: Search, hypothesis: Hypothesis) -> tuple[str, ...]:
    """Return the words of a reading."""
    graph = search.graph
    return tuple(graph.labels[spot.mark] for spot in hypothesis.spotted if spot.mark < graph.n_words)


def label_posteriors(search: Search, emitted: Array, scale: float) -> Array:
    """Return the posterior of each word and pause in each frame (T, labels), with all logarithms times ``scale``.

    Neighbouring frames are far from independent: without a scale below one everything would seem sure.
    """
    graph = search.graph
    return posteriors(graph, search.weights * scale, emitted * scale, graph.label_of, len(graph.labels))


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
