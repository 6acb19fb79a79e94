"""SpeechRecogniser: learns words from recordings and transcripts, then recognises and aligns them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.checks import at_least
from seqem.core.rng import generator
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.shared_mixture import SharedMixture
from seqem.em.callbacks import Callback
from seqem.em.driver import FitResult
from seqem.em.estimator import EMEstimator
from seqem.em.history import History
from seqem.em.stop import StopReason, StopRule
from seqem.errors import DataError, ParameterError, RecordingsError
from seqem.shapes import AnyArray, Array
from seqem.speech.acoustic import AcousticModel, AcousticParams, Spoken
from seqem.speech.aligner import align
from seqem.speech.alignment import Alignment
from seqem.speech.composite import Composite
from seqem.speech.decoder import Decoder, Search
from seqem.speech.design import PHONE_STATES, affordable_parts, designed, word_states
from seqem.speech.each import for_each
from seqem.speech.emission import Emission
from seqem.speech.feature_transform import combined, log_determinant, transformed
from seqem.speech.features import Features
from seqem.speech.front_end import FrontEnd
from seqem.speech.graph import StateGraph
from seqem.speech.inference import NO_BEAM, forward
from seqem.speech.lexicon import Lexicon
from seqem.speech.live import Hearing, Level
from seqem.speech.network import WordNetwork, one_of, transcript, weighed, word_loop
from seqem.speech.quiet import quiet_frames
from seqem.speech.reading import decoded, label_posteriors, recognition, words_of
from seqem.speech.recognition import Recognition
from seqem.speech.speaker_adaptation import METHODS, cmllr, map_adapted, mllr, pause_classes
from seqem.speech.starts import even_cut
from seqem.speech.training import Cut, Trained, Training
from seqem.speech.units import Inventory

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
    codebook : int, optional
        Gaussians that all states share, each with weights of its own (semi-continuous), in the place of ``n_mix``.
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
    beam : float, optional
        What is further below the best of a frame is cut off, in natural logarithms; where nothing is left of a recording, it is
        done again without. By default nothing is cut off: half the time is saved at best, and in long recordings the right path
        may be lost for another.
    language_weight, word_penalty : float
        What logarithms of the language are multiplied by, and what is added for each word, when words are recognised.
    adaptive_passes : int
        How often, at the end of the training, the frames of each speaker are transformed to what all have in common and the
        training goes on with them; a model so trained wants to be adapted to whom it listens to.
    random_state : int, Generator or None
        Draws among pronunciations, and finds the pauses, at the start.

    Attributes
    ----------
    words_ : list of str
        Words of the training.
    composite_ : Composite
        How they are joined of units, whose inventory and lexicon are ``inventory_`` and ``lexicon_``.
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
        codebook: int | None = None,
        pauses: bool = True,
        features: Features = Features(),  # noqa: B008 - frozen
        normalise: str | None = "utterance",
        variance: bool = False,
        variance_floor: float = 0.05,
        training: str = "posterior",
        n_iter: int = 8,
        tol: float = 1e-4,
        method: str = "em",
        beam: float | None = None,
        language_weight: float = 10.0,
        word_penalty: float = 0.0,
        adaptive_passes: int = 0,
        random_state: Any = None,
    ) -> None:
        self.lexicon = lexicon
        self.n_states = n_states
        self.n_mix = n_mix
        self.codebook = codebook
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
        self._check()
        said, rng, front_end = self._said(X, transcripts), generator(self.random_state), self._front_end
        raw = front_end.raw(X)
        frames = front_end.normalised(raw, speakers)
        words = sorted({word for each in said for word in each})
        quiet = (quiet_frames(frames, rng) if self.pauses else None) or [np.zeros(len(f), dtype=bool) for f in frames]
        spoken = sum(int((~part).sum()) for part in quiet) / max(1, sum(map(len, said)))
        n_states = self.n_states or (word_states(spoken) if self.lexicon is None else PHONE_STATES)
        composite = designed(words, self.lexicon or Lexicon.of_words(words), n_states, self.pauses)
        emissions = [even_cut(each, part, composite, rng) for each, part in zip(said, quiet, strict=True)]
        shards: Sequence[list[Spoken]] = composite.shards(frames, said)
        cut = Cut(np.concatenate(frames), np.concatenate(emissions), shards)
        options: dict[str, Any] = {"executor": executor, "callbacks": callbacks}
        training = self._training(composite)
        trained = self._first(training, cut, rng, **options)
        for _ in range(self.adaptive_passes):
            shards = training.in_common(trained, frames, said, speakers, executor=executor)
            trained = training.gone_on(trained, shards, **options)
        rows, alone = np.concatenate(raw), all(len(each) == 1 for each in said)
        self._learnt(composite, trained, words, alone, (rows.mean(axis=0), rows.std(axis=0)))
        self._training_shards = shards
        return self

    def _check(self) -> None:
        for name in ("n_states", "n_mix", "codebook"):
            if getattr(self, name) is not None:
                at_least(getattr(self, name), 1, name)
        at_least(self.adaptive_passes, 0, "adaptive_passes")
        at_least(0.0 if self.beam is None else self.beam, 0.0, "beam")

    def _learnt(
        self, composite: Composite, trained: Trained, words: list[str], alone: bool, level: tuple[Array, Array] | None
    ) -> None:
        """Take over what was learnt, all at once: a fit that fails leaves the last one whole."""
        self.composite_, self.words_, self._alone = composite, words, alone
        self.distribution_, self.result_ = trained
        self._level = level  # where a stream begins
        self._transform: Array | None = None

    def _training(self, composite: Composite) -> Training:
        return Training(composite, self.training, self._beam, self._stop_rule(), self.method)

    @property
    def _beam(self) -> float:
        return NO_BEAM if self.beam is None else self.beam

    def _first(self, training: Training, cut: Cut, rng: np.random.Generator, **options: Any) -> Trained:
        variance = cut.frames.var(axis=0)
        constant = np.flatnonzero(variance <= 0)
        if len(constant):
            raise DataError(f"feature {constant[0]} is the same in all frames", hint="leave it out")
        gaussian = Gaussian("diag", floor=self.variance_floor * variance)
        if self.codebook is not None:
            return training.shared(gaussian, self.codebook, cut, rng, **options)
        n_parts = self.n_mix or affordable_parts(len(cut.frames) / training.composite.inventory.n_emissions)
        return training.grown(gaussian, n_parts, cut, **options)

    def _said(self, X: Sequence[Any], transcripts: Sequence[Transcript]) -> list[tuple[str, ...]]:
        """Return the words of each recording."""
        if len(X) != len(transcripts) or not len(X):
            got = f"{len(X)} recordings, {len(transcripts)} transcripts"
            raise DataError("each recording needs a transcript", got=got)
        unknown = [i for i, each in enumerate(transcripts) if each is None]
        if unknown:
            raise RecordingsError(dict.fromkeys(unknown, "it has no transcript"))
        said = [tuple(each.split() if isinstance(each, str) else each) for each in transcripts]
        if not self.pauses and not all(said):
            mute = [i for i, words in enumerate(said) if not words]
            raise RecordingsError(dict.fromkeys(mute, "nothing is said in it, and there are no pauses"))
        return said

    def _frames(self, X: Sequence[Any], speakers: Sequence[Any] | None) -> list[Array]:
        """Return recordings as the frames the models know."""
        frames = self._front_end(X, speakers)
        if frames:
            self._check_width(frames[0].shape[1])
        return [self._moved(part) for part in frames]

    def _check_width(self, width: int) -> None:
        known = None if self._level is None else len(self._level[0])
        if known not in (None, width):
            raise DataError("recordings have other features than those of the training", got=width, expected=known)

    def _moved(self, frames: Array) -> Array:
        return frames if self._transform is None else transformed(self._transform, frames)

    @property
    def _front_end(self) -> FrontEnd:
        return FrontEnd(self.features, self.normalise, self.variance)

    def _model(self) -> AcousticModel:
        return self._training(self.composite_).model(self.distribution_)

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.n_iter, rel_tol=self.tol)

    def _shards(self, X: Any, **known: Any) -> list[list[Spoken]]:
        frames = self._frames(X, known.get("speakers"))
        return self.composite_.shards(frames, self._said(X, known["transcripts"]))

    @property
    def lexicon_(self) -> Lexicon:
        """How the words that may be heard are pronounced."""
        return self.composite_.lexicon

    @property
    def inventory_(self) -> Inventory:
        """The units."""
        return self.composite_.inventory

    @classmethod
    def of_models(
        cls,
        composite: Composite,
        distribution: Emission,
        params: AcousticParams,
        **options: Any,
    ) -> Self:
        """Return a recogniser with models that were trained elsewhere.

        Parameters
        ----------
        composite : Composite
            Lexicon and units.
        distribution, params
            Emissions of the units, and the parameters of both.
        **options
            Of the constructor.
        """
        model = cls(composite.lexicon, **options)
        no_data = float("nan")
        result = FitResult(params, no_data, no_data, 0, StopReason.MAX_ITER, "made, not fitted", History())
        model._learnt(composite, Trained(distribution, result), sorted(composite.lexicon.entries), False, None)
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
        if not isinstance(self.distribution_, (MixtureOf, SharedMixture)):
            raise ParameterError("only mixtures of Gaussians can be adapted", got=type(self.distribution_).__name__)
        speakers = ["speaker"] * len(X)
        said = self.predict(X, network, speakers=speakers) if transcripts is None else self._said(X, transcripts)
        shards, out = self.composite_.shards(self._frames(X, speakers), said), copy(self)
        if method == "cmllr":
            found = cmllr(self._model(), self.params_, shards, executor=executor)
            out._transform = found if self._transform is None else combined(found, self._transform)
        else:
            pauses = self.composite_.pauses
            classes = pause_classes(self._model(), self.params_, pauses and pauses.unit)
            moved = partial(mllr, classes=classes) if method == "mllr" else map_adapted
            params = moved(self._model(), self.params_, shards, executor=executor)
            out.result_ = replace(self.result_, params=params)
        return out

    # -- use -------------------------------------------------------------------------------------------

    @property
    def params_(self) -> AcousticParams:
        """Transition probabilities and the mixtures."""
        return self._fitted.params

    def predict(
        self, X: Sequence[Any], network: WordNetwork | Search | None = None, *, speakers: Sequence[Any] | None = None
    ) -> list[tuple[str, ...]]:
        """Return the words of each recording; arguments and errors are those of :meth:`recognise`."""
        search, frames = self.search(network), self._frames(X, speakers)
        found = for_each(partial(decoded, search), self._all_emitted(search.graph, frames))
        return [words_of(search, readings[0]) for readings in found]

    def recognise(
        self,
        X: Sequence[Any],
        network: WordNetwork | Search | None = None,
        *,
        speakers: Sequence[Any] | None = None,
        n_best: int = 1,
    ) -> list[list[Recognition]]:
        """Return the best readings of each recording, best first.

        Parameters
        ----------
        X : sequence of arrays
            Recordings, as samples (N,) or features (T, D).
        network : WordNetwork or Search, optional
            What may be said; by default a word of the training, or any words one after another where the training had more.
            A search, of :meth:`search`, is taken as it is.
        speakers : sequence, optional
            Who speaks, for ``normalise="speaker"``.
        n_best : int
            Most readings of each, which differ in their words.
        """
        search, frames = self.search(network, n_best=n_best), self._frames(X, speakers)
        pairs = zip(frames, self._all_emitted(search.graph, frames), strict=True)
        return for_each(lambda pair: self._recognised(search, *pair), pairs)

    def search(self, network: WordNetwork | Search | None = None, *, n_best: int = 1) -> Search:
        """Return a search of a network, for :class:`seqem.speech.decoder.Decoder`; it may be made once for many recordings."""
        if isinstance(network, Search):
            return network
        transitions = self.params_.transitions
        if network is None:
            network = (one_of if self._alone else word_loop)(self.words_)
        graph = self.composite_.script(weighed(network, self.language_weight, self.word_penalty)).graph
        return Search(graph, graph.weights(transitions), self._beam, n_best)

    def listen(self, blocks: Iterable[AnyArray], network: WordNetwork | Search | None = None) -> Iterator[Hearing]:
        """Yield what is heard in samples that come in blocks, after each block and at the end.

        The mean of a feature, where it is normalised, is that of the stream until then and of a second of the training before it;
        so the last words may differ from those of :meth:`predict`, which knows the whole.

        Parameters
        ----------
        blocks : iterable of arrays
            Samples (N,), as from a microphone or :func:`seqem.io.audio.audio_blocks`.
        network : WordNetwork or Search, optional
            As for :meth:`recognise`.

        Raises
        ------
        DataError
            Where the stream ends before anything of the network can have been said.
        """
        search = self.search(network)
        decoder, graph = Decoder(search), search.graph
        level = None if self.normalise is None or self._level is None else Level(*self._level)
        n_frames = 0
        for frames in self.features.stream(blocks):
            self._check_width(frames.shape[1])
            known = frames if level is None else level(frames, variance=self.variance)
            decoder.feed(self._emitted(graph, self._moved(known)))
            n_frames += len(frames)
            best = decoder.partial
            if best is not None:
                yield Hearing(words_of(search, best), n_frames * self.features.step, False)
        found = decoder.finish()
        if not found:
            raise DataError(
                "the stream ended too early", got=f"{n_frames} frames", expected=f"at least {graph.shortest}"
            )
        yield Hearing(words_of(search, found[0]), n_frames * self.features.step, True)

    def align(
        self, X: Sequence[Any], transcripts: Sequence[Transcript], *, speakers: Sequence[Any] | None = None
    ) -> list[Alignment]:
        """Return when each word, phone and state of the transcripts was said.

        Raises
        ------
        DataError
            Where a word is not in the lexicon, or a transcript does not fit its recording.
        """
        _, said = self.params_, self._said(X, transcripts)
        recordings = zip(self._frames(X, speakers), said, X, strict=True)
        return for_each(lambda recording: self._aligned(*recording), recordings)

    def _aligned(self, frames: Array, words: Sequence[str], recording: Any) -> Alignment:
        script = self.composite_.script(transcript(words))
        shift = self.features.step
        duration = len(recording) / self.features.sample_rate if np.ndim(recording) == 1 else len(frames) * shift
        weights = script.graph.weights(self.params_.transitions)
        return align(script, weights, self._emitted(script.graph, frames), shift, duration, self._beam)

    def _emitted(self, graph: StateGraph, frames: Array) -> Array:
        """Return the log-likelihoods of the emissions of a graph, (T, P)."""
        mixture = self.distribution_
        return mixture.log_likelihood(mixture.of_states(self.params_.emission, graph.emissions), frames)

    def _all_emitted(self, graph: StateGraph, frames: Sequence[Array]) -> Iterator[Array]:
        """Yield the log-likelihoods of the emissions of a graph for each recording; short ones are worked on together."""
        for part in SequenceBatch.of(frames).shards(_ROWS_AT_ONCE):
            yield from part.with_values(self._emitted(graph, part.values))

    def _recognised(self, search: Search, frames: Array, emitted: Array) -> list[Recognition]:
        scale = 1.0 / max(self.language_weight, 1.0)
        found, posterior = decoded(search, emitted), label_posteriors(search, emitted, scale)
        likelihoods = [self._log_likelihood(frames, words_of(search, hypothesis)) for hypothesis in found]
        shift = self.features.step
        return [recognition(search, h, posterior, shift, at) for h, at in zip(found, likelihoods, strict=True)]

    def _log_likelihood(self, frames: Array, words: Sequence[str]) -> float:
        """Return the log-likelihood of the frames of a recording, given its words."""
        graph = self.composite_.script(transcript(words)).graph
        found = forward(graph, graph.weights(self.params_.transitions), self._emitted(graph, frames)).log_likelihood
        # In the space of the recording, whatever its frames were transformed to.
        return found if self._transform is None else found + len(frames) * log_determinant(self._transform)
