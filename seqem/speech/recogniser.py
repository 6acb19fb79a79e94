"""SpeechRecogniser: learns words from recordings and transcripts, then recognises and aligns them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.rng import generator
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf
from seqem.em.callbacks import Callback
from seqem.em.driver import FitResult
from seqem.em.driver import fit as run_fit
from seqem.em.estimator import EMEstimator
from seqem.em.history import History
from seqem.em.methods import accelerator
from seqem.em.stop import StopReason, StopRule
from seqem.errors import DataError, ParameterError
from seqem.shapes import Array
from seqem.speech.acoustic import AcousticModel, AcousticParams, Spoken
from seqem.speech.aligner import align, seconds
from seqem.speech.alignment import Alignment, Segment
from seqem.speech.composite import Composite
from seqem.speech.contexts import Contexts
from seqem.speech.decoder import Decoder, Hypothesis, Search, confidences
from seqem.speech.emission import Emission
from seqem.speech.feature_transform import combined, transformed
from seqem.speech.features import Features
from seqem.speech.front_end import FrontEnd
from seqem.speech.graph import StateGraph
from seqem.speech.inference import forward, smooth
from seqem.speech.lexicon import Lexicon
from seqem.speech.network import WordNetwork, one_of, transcript, word_loop
from seqem.speech.quiet import quiet_frames
from seqem.speech.recognition import Recognition
from seqem.speech.speaker_adaptation import METHODS, cmllr, map_adapted, mllr
from seqem.speech.starts import even_cut, flat_start, growing, split
from seqem.speech.unit_network import Pauses
from seqem.speech.units import Inventory, left_right, silence

_PAUSE = "sil"
_PAUSE_STATES = 3
_PHONE_STATES = 3
# Whole words: frames that a state lasts, and how many states there may be.
_FRAMES_A_STATE = 5
_FEWEST, _MOST = 3, 12
# Frames that pay for one more Gaussian.
_FRAMES_A_PART = 200
_MOST_PARTS = 16

# Rows of which emissions are computed together.
_ROWS_AT_ONCE = 4096

Transcript = str | Sequence[str]


class SpeechRecogniser(EMEstimator):
    """Hidden Markov models of words or phones with Gaussian mixtures, learnt from recordings of which only the words are known.

    Parameters
    ----------
    lexicon : Lexicon, optional
        Words to phones; by default each word is a unit of its own.
    n_states : int, optional
        States of a unit; by default three for phones, and for words by their mean length.
    n_mix : int, optional
        Gaussians of a state, at the end; by default as many as the data pay for.
    pauses : bool
        Whether there may be silence before, between and after words.
    features : Features
        What samples are turned to.
    normalise : {"utterance", "speaker", None}
        Over what the mean of each feature is removed; ``variance`` divides by the deviation too.
    variance_floor : float
        Smallest variance, as a share of that of all frames.
    training : {"posterior", "viterbi"}
        Baum-Welch, or segmental k-means on the best paths.
    n_iter : int
        Iterations of EM for each size of the mixtures, which grow by splitting: 1, 2, 4 ...
    tol : float
        A size is done when the objective gains no more than this share of itself.
    method : str
        How the driver climbs, such as "em" or "squarem".
    beam : float
        What is further below the best of a frame is cut off, in natural logarithms; where nothing is left of a training recording
        or an alignment, it is done again without.
    language_weight, word_penalty : float
        What logarithms of the language are multiplied by, and what is added for each word, when words are recognised.
    adaptive_passes : int
        How often, at the end of the training, the frames of each speaker are transformed to what all have in common and the
        training goes on with them; a model so trained wants to be adapted to whom it listens to.
    random_state : int, Generator or None
        Draws among pronunciations, and finds the pauses, at the start.

    Attributes
    ----------
    lexicon_ : Lexicon
        That of the words of the training.
    inventory_ : Inventory
        The units.
    distribution_ : distribution
        Of the emissions.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def say(level):
    ...     return rng.normal(level, 0.1, (20, 2))
    >>> spoken = [np.concatenate([say(0), say(5)]), np.concatenate([say(5), say(5)]), np.concatenate([say(5), say(0)])] * 4
    >>> model = SpeechRecogniser(n_states=2, n_mix=1, pauses=False, normalise=None, random_state=0)
    >>> model = model.fit(spoken, ["low high", "high high", "high low"] * 4)
    >>> model.predict([np.concatenate([say(5), say(0), say(5)])])
    [('high', 'low', 'high')]
    """

    def __init__(
        self,
        lexicon: Lexicon | None = None,
        *,
        n_states: int | None = None,
        n_mix: int | None = None,
        pauses: bool = True,
        features: Features = Features(),  # noqa: B008 - frozen
        normalise: str | None = "utterance",
        variance: bool = False,
        variance_floor: float = 0.05,
        training: str = "posterior",
        n_iter: int = 8,
        tol: float = 1e-4,
        method: str = "em",
        beam: float = 400.0,
        language_weight: float = 10.0,
        word_penalty: float = 0.0,
        adaptive_passes: int = 0,
        random_state: Any = None,
    ) -> None:
        self.lexicon = lexicon
        self.n_states = n_states
        self.n_mix = n_mix
        self.pauses = pauses
        self.features = features
        self.normalise = normalise
        self.variance = variance
        self.variance_floor = variance_floor
        self.training = training
        self.n_iter = n_iter
        self.tol = tol
        self.method = method
        self.beam = beam
        self.language_weight = language_weight
        self.word_penalty = word_penalty
        self.adaptive_passes = adaptive_passes
        self.random_state = random_state

    # What joins units where they were not learnt here: the pause, and units in context.
    _joins: Mapping[str, Any] | None = None

    # -- training --------------------------------------------------------------------------------------

    def fit(
        self,
        X: Sequence[Any],
        transcripts: Sequence[Transcript],
        *,
        speakers: Sequence[Any] | None = None,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Learn from recordings and what was said in them.

        Parameters
        ----------
        X : sequence of arrays
            Recordings, as samples (N,) or features (T, D).
        transcripts : sequence of str or of sequences of str
            Words of each; a string is split at spaces.
        speakers : sequence, optional
            Who speaks, for ``normalise="speaker"``.
        executor : concurrent.futures.Executor, optional
            Maps the E-step; the result does not depend on it.
        callbacks : sequence of callables
            Told of every step.

        Raises
        ------
        DataError
            For recordings that cannot be used, words that are not in the lexicon, and transcripts longer than the recording.
        """
        self._transform: Array | None = None
        self._joins = None
        frames, said = self._frames(X, speakers), _as_words(X, transcripts)
        rng = generator(self.random_state)
        words = sorted({word for each in said for word in each})
        lexicon = self._lexicon_of(words)
        quiet = (quiet_frames(frames, rng) if self.pauses else None) or [np.zeros(len(f), dtype=bool) for f in frames]
        self.lexicon_, self._alone = lexicon, all(len(each) == 1 for each in said)
        self.inventory_ = self._inventory(lexicon, sum(int((~q).sum()) for q in quiet) / max(1, sum(map(len, said))))
        emissions = np.concatenate(
            [even_cut(each, q, self._composite, rng) for each, q in zip(said, quiet, strict=True)]
        )
        shards = self._shards(frames, transcripts=said)
        rows = np.concatenate(frames)
        self.distribution_ = MixtureOf(Gaussian("diag", floor=self.variance_floor * rows.var(axis=0)), 1)
        self.result_ = self._grown(rows, emissions, shards, executor=executor, callbacks=callbacks)
        for _ in range(self.adaptive_passes):
            shards = self._shards(self._common(frames, said, speakers, executor), transcripts=said)
            later = self._climbed(self.params_, shards, executor=executor, callbacks=callbacks)
            self.result_ = _joined(self.result_, later)
        self._training_shards = shards
        return self

    def _common(self, frames: list[Array], said: Any, speakers: Any, executor: Executor | None) -> list[Array]:
        """Return the frames of each speaker transformed to what the models of all expect."""
        if speakers is None or len(speakers) != len(frames):
            raise DataError("adaptive passes need a speaker for each recording", got=speakers)
        out, model = list(frames), self._model()
        for speaker in dict.fromkeys(speakers):
            own = [i for i, name in enumerate(speakers) if name == speaker]
            shards = self._shards([frames[i] for i in own], transcripts=[said[i] for i in own])
            transform = cmllr(model, self.params_, shards, executor=executor)
            for i in own:
                out[i] = transformed(transform, frames[i])
        return out

    def _grown(self, rows: Array, emissions: Any, shards: list[list[Spoken]], **options: Any) -> FitResult:
        """Return the last of the fits with mixtures that grow, with the history of all."""
        result = self._climbed(flat_start(self._model(), rows, emissions), shards, **options)
        for size in growing(self.n_mix or _affordable(len(rows) / self.inventory_.n_emissions))[1:]:
            self.distribution_ = MixtureOf(self.distribution_.component, size)
            params = result.params._replace(emission=split(result.params.emission, size))
            result = _joined(result, self._climbed(params, shards, **options))
        return result

    def _climbed(self, params: AcousticParams, shards: list[list[Spoken]], **options: Any) -> FitResult:
        step = accelerator(self.method)
        return run_fit(self._model(), params, shards, stop=self._stop_rule(), accelerate=step, **options)

    def _lexicon_of(self, words: Sequence[str]) -> Lexicon:
        if self.lexicon is None:
            return Lexicon.of_words(words)
        missing = self.lexicon.missing(words)
        if missing:
            raise DataError(
                "words are not in the lexicon", got=list(missing), hint="add them, or leave out their recordings"
            )
        return Lexicon({word: self.lexicon[word] for word in words})

    def _inventory(self, lexicon: Lexicon, frames_a_word: float) -> Inventory:
        n = self.n_states or _PHONE_STATES
        if self.n_states is None and self.lexicon is None:
            n = int(np.clip(round(frames_a_word / _FRAMES_A_STATE), _FEWEST, _MOST))
        units = {name: left_right(range(n * i, n * i + n)) for i, name in enumerate(lexicon.units)}
        if self.pauses:
            first = n * len(units)
            units[_PAUSE] = silence(range(first, first + _PAUSE_STATES))
        return Inventory(units)

    def _frames(self, X: Sequence[Any], speakers: Sequence[Any] | None) -> list[Array]:
        """Return recordings as the frames the models know."""
        frames = FrontEnd(self.features, self.normalise, self.variance)(X, speakers)
        transform = self._transform
        return frames if transform is None else [transformed(transform, part) for part in frames]

    def _model(self) -> AcousticModel:
        return AcousticModel(self.inventory_, self.distribution_, self.training, self.beam)

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.n_iter, rel_tol=self.tol)

    def _shards(self, X: Any, **known: Any) -> list[list[Spoken]]:
        return self._composite.shards(X, known["transcripts"])

    @property
    def _composite(self) -> Composite:
        if self._joins is None:
            return Composite(self.lexicon_, self.inventory_, Pauses(_PAUSE) if self.pauses else None)
        pauses = Pauses(self._joins["pause"], self._joins["probability"])
        units = self._joins["contexts"]
        return Composite(self.lexicon_, self.inventory_, pauses, Contexts(units, pauses.unit) if units else None)

    @classmethod
    def of_models(
        cls,
        lexicon: Lexicon,
        inventory: Inventory,
        distribution: Emission,
        params: AcousticParams,
        *,
        pauses: Pauses,
        contexts: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Self:
        """Return a recogniser with models that were trained elsewhere.

        Parameters
        ----------
        lexicon : Lexicon
            Words to units of the inventory, or to those that ``contexts`` is about.
        inventory, distribution, params
            The units, their emissions, and the parameters of both.
        pauses : Pauses
            The unit of silence, and the probability of one before and after each word.
        contexts : mapping, optional
            Units that depend on those beside them, as in :class:`seqem.speech.contexts.Contexts`.
        **options
            Of the constructor.
        """
        model = cls(lexicon, **options)
        model.lexicon_, model.inventory_, model.distribution_ = lexicon, inventory, distribution
        model._alone, model._transform = False, None
        model._joins = {"pause": pauses.unit, "probability": pauses.probability, "contexts": dict(contexts or {})}
        no_data = float("nan")
        model.result_ = FitResult(params, no_data, no_data, 0, StopReason.MAX_ITER, "made, not fitted", History())
        return model

    def adapt(
        self,
        X: Sequence[Any],
        transcripts: Sequence[Transcript] | None = None,
        *,
        method: str = "cmllr",
        network: WordNetwork | None = None,
        executor: Executor | None = None,
    ) -> Self:
        """Return a recogniser for the one speaker of these recordings.

        Parameters
        ----------
        X : sequence of arrays
            Recordings of one speaker.
        transcripts : sequence, optional
            What was said; by default what this recogniser hears.
        method : {"cmllr", "mllr", "map"}
            Transform the frames, transform the means, or move each Gaussian as far as the data ask for.
        network : WordNetwork, optional
            What may have been said, without transcripts.
        executor : concurrent.futures.Executor, optional
            Maps the E-step.

        Raises
        ------
        DataError, ParameterError
            As for ``fit``; for an unknown method.
        """
        if method not in METHODS:
            raise ParameterError("unknown method of adaptation", got=repr(method), expected=f"one of {METHODS}")
        speakers = ["speaker"] * len(X)
        said = self.predict(X, network, speakers=speakers) if transcripts is None else _as_words(X, transcripts)
        model, params, pauses = self._model(), self.params_, self._composite.pauses
        shards = self._shards(self._frames(X, speakers), transcripts=said)
        out = copy(self)
        if method == "cmllr":
            found = cmllr(model, params, shards, executor=executor)
            out._transform = found if self._transform is None else combined(found, self._transform)
        elif method == "mllr":
            out.result_ = replace(
                self.result_, params=mllr(model, params, shards, pauses and pauses.unit, executor=executor)
            )
        else:
            out.result_ = replace(self.result_, params=map_adapted(model, params, shards, executor=executor))
        return out

    # -- use -------------------------------------------------------------------------------------------

    @property
    def params_(self) -> AcousticParams:
        """Transition probabilities and the mixtures."""
        return self._fitted.params

    def predict(
        self, X: Sequence[Any], network: WordNetwork | None = None, *, speakers: Sequence[Any] | None = None
    ) -> list[tuple[str, ...]]:
        """Return the words of each recording; arguments and errors are those of :meth:`recognise`."""
        search = self.search(network)
        graph, frames = search.graph, self._frames(X, speakers)
        found = (self._decoded(search, emitted)[0] for emitted in self._all_emitted(graph, frames))
        return [tuple(graph.labels[w.mark] for w in best.spotted if w.mark < graph.n_words) for best in found]

    def recognise(
        self,
        X: Sequence[Any],
        network: WordNetwork | None = None,
        *,
        speakers: Sequence[Any] | None = None,
        n_best: int = 1,
    ) -> list[list[Recognition]]:
        """Return the best readings of each recording, best first.

        Parameters
        ----------
        X : sequence of arrays
            Recordings, as samples (N,) or features (T, D).
        network : WordNetwork, optional
            What may be said; by default a word of the training, or any words one after another where the training had more.
        speakers : sequence, optional
            Who speaks, for ``normalise="speaker"``.
        n_best : int
            Most readings of each, which differ in their words.
        """
        search = self.search(network, n_best=n_best)
        frames = self._frames(X, speakers)
        pairs = zip(frames, self._all_emitted(search.graph, frames), strict=True)
        return [self._recognised(search, part, emitted) for part, emitted in pairs]

    def search(self, network: WordNetwork | None = None, *, n_best: int = 1) -> Search:
        """Return a search of a network, for :class:`seqem.speech.decoder.Decoder`."""
        transitions = self.params_.transitions
        if network is None:
            network = (one_of if self._alone else word_loop)(list(self.lexicon_.entries))
        graph = self._composite.script(_weighed(network, self.language_weight, self.word_penalty)).graph
        return Search(graph, graph.weights(transitions), self.beam, n_best)

    def align(
        self, X: Sequence[Any], transcripts: Sequence[Transcript], *, speakers: Sequence[Any] | None = None
    ) -> list[Alignment]:
        """Return when each word, phone and state of the transcripts was said.

        Raises
        ------
        DataError
            Where a word is not in the lexicon, or a transcript does not fit its recording.
        """
        _, said = self.params_, _as_words(X, transcripts)
        return [self._aligned(f, w, x) for f, w, x in zip(self._frames(X, speakers), said, X, strict=True)]

    def _aligned(self, frames: Array, words: Sequence[str], recording: Any) -> Alignment:
        script = self._composite.script(transcript(words))
        shift = self.features.shift
        duration = len(recording) / self.features.sample_rate if np.ndim(recording) == 1 else len(frames) * shift
        weights = script.graph.weights(self.params_.transitions)
        return align(script, weights, self._emitted(script.graph, frames), shift, duration, self.beam)

    def _emitted(self, graph: StateGraph, frames: Array) -> Array:
        """Return the log-likelihoods of the emissions of a graph, (T, P)."""
        mixture = self.distribution_
        return mixture.log_likelihood(mixture.of_states(self.params_.emission, graph.emissions), frames)

    def _all_emitted(self, graph: StateGraph, frames: Sequence[Array]) -> Iterator[Array]:
        """Yield the log-likelihoods of the emissions of a graph for each recording; short ones are worked on together."""
        for part in SequenceBatch.of(frames).shards(_ROWS_AT_ONCE):
            yield from part.with_values(self._emitted(graph, part.values))

    def _decoded(self, search: Search, emitted: Array) -> list[Hypothesis]:
        for beam in (search.beam, np.inf):
            decoder = Decoder(replace(search, beam=beam))
            decoder.feed(emitted)
            if found := decoder.finish():
                return found
        raise DataError(
            "no words of the network fit the recording", got=f"{len(emitted)} frames",
            expected=f"at least {search.graph.shortest}",
        )  # fmt: skip

    def _recognised(self, search: Search, frames: Array, emitted: Array) -> list[Recognition]:
        found, posterior = self._decoded(search, emitted), self._posterior(search, emitted)
        return [self._read(search.graph, hypothesis, posterior, frames) for hypothesis in found]

    def _posterior(self, search: Search, emitted: Array) -> Array:
        """Return the posterior of each word and pause in each frame, with sound weighed down to what language weighs."""
        scale = 1.0 / max(self.language_weight, 1.0)
        graph, weights, emitted = search.graph, search.weights * scale, emitted * scale
        alpha = forward(graph, weights, emitted).alpha
        out = np.zeros((len(emitted), len(graph.labels)))
        smooth(graph, weights, emitted, alpha, graph.label_of, np.zeros(len(weights)), out)
        return out

    def _read(self, graph: StateGraph, hypothesis: Hypothesis, posterior: Array, frames: Array) -> Recognition:
        sure, shift = confidences(hypothesis, posterior), self.features.shift
        pairs = list(zip(hypothesis.spotted, sure, strict=True))
        words = [(w, float(c)) for w, c in pairs if w.mark < graph.n_words]
        segments = tuple(
            Segment(*seconds(w.begin, w.end, shift), graph.labels[w.mark], w.score, confidence)
            for w, confidence in words
        )
        said = self._composite.script(transcript([segment.label for segment in segments])).graph
        likelihood = forward(said, said.weights(self.params_.transitions), self._emitted(said, frames)).log_likelihood
        trust = [confidence for _, confidence in (words or pairs)]
        return Recognition(segments, hypothesis.score, likelihood, float(np.mean(trust)))


def _joined(before: FitResult, after: FitResult) -> FitResult:
    """Return the later of two fits with the history of both."""
    n, seconds = before.n_iter, before.history[-1].seconds
    later = (r._replace(iteration=r.iteration + n, seconds=r.seconds + seconds) for r in after.history)
    return replace(after, n_iter=n + after.n_iter, history=History([*before.history, *later]))


def _as_words(X: Sequence[Any], transcripts: Sequence[Transcript]) -> list[tuple[str, ...]]:
    if len(X) != len(transcripts) or not len(X):
        raise DataError("each recording needs a transcript", got=f"{len(X)} recordings, {len(transcripts)} transcripts")
    return [tuple(each.split() if isinstance(each, str) else each) for each in transcripts]


def _affordable(frames_a_state: float) -> int:
    """Return how many Gaussians a state can have: a power of two."""
    return int(np.clip(2 ** np.floor(np.log2(max(1.0, frames_a_state / _FRAMES_A_PART))), 1, _MOST_PARTS))


def _weighed(network: WordNetwork, language_weight: float, word_penalty: float) -> WordNetwork:
    arcs = (
        arc._replace(log_weight=language_weight * arc.log_weight + (0.0 if arc.word is None else word_penalty))
        for arc in network.arcs
    )
    return replace(network, arcs=tuple(arcs))
