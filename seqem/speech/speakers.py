"""GMMUBM: who is speaking, by a background mixture and its adaptation to each speaker."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, Self

import numpy as np

from seqem.core.rng import generator
from seqem.core.rows import Rows
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.em.callbacks import Callback
from seqem.em.estimator import EMEstimator
from seqem.em.stop import StopRule
from seqem.errors import DataError, ParameterError
from seqem.models.inputs import silent_columns
from seqem.models.mixture_model import MixtureModel
from seqem.shapes import Array
from seqem.speech.background import Background, block_rows, checked_recordings
from seqem.speech.enrolment import Enrolment
from seqem.speech.features import Features
from seqem.speech.front_end import FrontEnd


class GMMUBM(EMEstimator):
    """Recognise speakers by Gaussian mixtures adapted from a background model.

    The universal background model is a diagonal mixture of the frames of many speakers. A speaker's model is the mode of the
    posterior around it, by EM with conjugate priors, so that components of which the speaker has said nothing stay as they are.

    Parameters
    ----------
    n_components : int
        C, components of the background.
    relevance : float
        Frames that the background counts for in each component; 0 for maximum likelihood.
    adapt : str
        What is adapted, some of "m" (means), "c" (variances) and "w" (weights).
    adapt_iter : int
        EM steps of an enrolment. One, from the background's alignment of the frames, is that of Reynolds et al.
    variance_floor : float
        Smallest variance, as a share of that of all frames.
    tol : float
        The background has converged when the gain to come is no more than this share of its log-likelihood, see
        ``StopRule.rest_tol``.
    max_iter : int
        EM steps of the background at most.
    method : str
        How the background climbs; see ``seqem.catalog.METHODS``.
    features : Features
        What samples are turned to.
    random_state : int, Generator or None
        Draws the start of the background, k-means clusters.

    Attributes
    ----------
    speakers_ : list of str
        Who is enrolled, in the order of the columns of ``scores``.
    background_ : Background
    weights_, means_, variances_ : ndarray, shapes (C,), (C, D), (C, D)
        Of the background.
    log_likelihood_ : float
        Of the training frames, each coefficient in units of its standard deviation.

    Notes
    -----
    How speakers are adapted: :class:`seqem.speech.enrolment.Enrolment`.

    References
    ----------
    D. Reynolds, T. Quatieri and R. Dunn (2000). Speaker verification using adapted Gaussian mixture models. Digital Signal
    Processing 10, 19-41.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ann, bob = ([rng.normal(at, 1, (50, 2)) for _ in range(3)] for at in (-1, 1))
    >>> model = GMMUBM(2, random_state=0).fit(ann + bob, ["ann"] * 3 + ["bob"] * 3)
    >>> model.identify([rng.normal(1, 1, (50, 2))])
    ['bob']
    """

    def __init__(
        self,
        n_components: int = 32,
        *,
        relevance: float = 4.0,
        adapt: str = "m",
        adapt_iter: int = 5,
        variance_floor: float = 0.01,
        tol: float = 1e-5,
        max_iter: int = 100,
        method: str = "em",
        features: Features = Features(),  # noqa: B008 - frozen
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.relevance = relevance
        self.adapt = adapt
        self.adapt_iter = adapt_iter
        self.variance_floor = variance_floor
        self.tol = tol
        self.max_iter = max_iter
        self.method = method
        self.features = features
        self.random_state = random_state

    # -- the background --------------------------------------------------------------------------------

    def _model(self) -> MixtureModel:
        return MixtureModel(MixtureOf(Gaussian("diag", floor=self.variance_floor), self.n_components))

    def _stop_rule(self) -> StopRule:
        return StopRule(max_iter=self.max_iter, rest_tol=self.tol)

    def _shards(self, X: Any, **known: Any) -> list[Rows]:
        """Return standardised frames of recordings in blocks."""
        values = checked_recordings(self._frames(X), len(self._centre)).values
        return Rows((values - self._centre) / self._scale).blocks(block_rows(self.n_components))

    def _frames(self, recordings: Any) -> Any:
        """Return recordings with samples (N,) turned to frames."""
        if isinstance(recordings, np.ndarray) and recordings.ndim == 2:
            return recordings
        parts = [recordings] if isinstance(recordings, np.ndarray) and recordings.ndim == 1 else list(recordings)
        sounds = any(np.ndim(part) == 1 for part in parts)
        return FrontEnd(self.features, None)(parts) if sounds else parts

    def fit(
        self,
        recordings: Sequence[Array],
        speakers: Sequence[str] | None = None,
        *,
        executor: Executor | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Train the background on all recordings, then enrol who speaks in them.

        Parameters
        ----------
        recordings : sequence of ndarray, shapes (T_i, D) or (N_i,)
            Frames, or samples.
        speakers : sequence of str, optional
            Who speaks in each; without, nobody is enrolled.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over blocks of frames; the result does not depend on it.
        callbacks : sequence of callables
            Told of every step of the background.

        Raises
        ------
        DataError, ParameterError
            For recordings or parameters that cannot be.
        """
        self._check()
        batch = checked_recordings(self._frames(recordings))
        names = [None] * len(batch) if speakers is None else [_name(speaker) for speaker in speakers]
        if len(names) != len(batch):
            raise DataError("speakers do not fit", got=f"{len(names)} names", expected=f"{len(batch)}")
        if batch.n_rows < self.n_components:
            raise DataError("fewer frames than components", got=batch.n_rows, expected=f"at least {self.n_components}")
        constant = np.flatnonzero(silent_columns(batch.values)[1])
        if len(constant):
            raise DataError(f"feature {constant[0]} is the same in all frames", hint="leave it out")
        centre, scale = batch.values.mean(axis=0), batch.values.std(axis=0)
        frames = Rows((batch.values - centre) / scale)
        start = self._model().mixture.initial(frames.x, 1, generator(self.random_state))
        self._centre, self._scale = centre, scale
        self._run(start, frames.blocks(block_rows(self.n_components)), executor=executor, callbacks=callbacks)
        self._enrolled: dict[str, MixtureParams] = {}
        for name in dict.fromkeys(name for name in names if name is not None):
            own = [part for part, who in zip(batch, names, strict=True) if who == name]
            self.enrol(name, own, executor=executor)
        return self

    def _check(self) -> None:
        if not (isinstance(self.n_components, int | np.integer) and self.n_components >= 1):
            raise ParameterError("n_components is off", got=self.n_components, expected="a positive integer")
        _ = self._adaptation()  # refuses what is off

    # -- enrolment -------------------------------------------------------------------------------------

    def _adaptation(self) -> Enrolment:
        return Enrolment(self.relevance, self.adapt, self.adapt_iter, self.variance_floor)

    def enrol(self, speaker: str, recordings: Any, *, executor: Executor | None = None) -> Self:
        """Adapt the background to a speaker; who is enrolled already is enrolled anew.

        Parameters
        ----------
        speaker : str
            Name.
        recordings : ndarray, shape (T, D) or (N,), or sequence of them
            Frames, or samples.
        executor : concurrent.futures.Executor, optional
            Maps the E-step over blocks of frames.

        Raises
        ------
        DataError, ParameterError
            For a name that is no text, or recordings that cannot be.
        """
        name, background, shards = _name(speaker), self._fitted.params, self._shards(recordings)
        self._enrolled[name] = self._adaptation().adapted(background, shards, executor)
        return self

    # -- what was learned ------------------------------------------------------------------------------

    @property
    def background_(self) -> Background:
        """The background model and its units."""
        mixture = self._fitted.params
        return Background(self._centre, self._scale, mixture)

    @property
    def speakers_(self) -> list[str]:
        """Names of who is enrolled."""
        _ = self._fitted
        return list(self._enrolled)

    @property
    def weights_(self) -> Array:
        """Weights of the background, shape (C,)."""
        return self._fitted.params.weights[0]

    @property
    def means_(self) -> Array:
        """Means of the background, shape (C, D)."""
        return self._fitted.params.component.mean * self._scale + self._centre

    @property
    def variances_(self) -> Array:
        """Variances of the background, shape (C, D)."""
        return self._fitted.params.component.covariance * np.square(self._scale)

    def speaker_means(self, speaker: str) -> Array:
        """Return the means of a speaker's model, shape (C, D)."""
        return self._model_of(speaker).component.mean * self._scale + self._centre

    def _model_of(self, speaker: str) -> MixtureParams:
        if speaker not in self.speakers_:
            raise ParameterError("the speaker is not enrolled", got=repr(speaker), expected=f"one of {self.speakers_}")
        return self._enrolled[speaker]

    # -- using it --------------------------------------------------------------------------------------

    def _ratios(self, recordings: Any, models: Sequence[MixtureParams]) -> Array:
        background = self.background_
        means = background.frame_means([background.mixture, *models], background.standardised(self._frames(recordings)))
        return means[:, 1:] - means[:, :1]

    def scores(self, recordings: Any) -> Array:
        """Return the log-likelihood ratios of every speaker to the background, a mean over the frames.

        Parameters
        ----------
        recordings : ndarray, shape (T, D) or (N,), or sequence of them
            Frames, or samples.

        Returns
        -------
        ndarray, shape (n_recordings, n_speakers)
            Above 0 where the speaker's model says more than the background.

        Raises
        ------
        ParameterError
            Where nobody is enrolled.
        DataError
            For recordings that cannot be.
        """
        if not self.speakers_:
            raise ParameterError("no speaker is enrolled", hint="pass names to fit, or call enrol")
        return self._ratios(recordings, list(self._enrolled.values()))

    def identify(self, recordings: Any, *, threshold: float | None = None) -> list[str | None]:
        """Return who speaks in each recording; None where nobody scores above ``threshold``."""
        scores = self.scores(recordings)
        least = -np.inf if threshold is None else threshold
        return [self.speakers_[row.argmax()] if row.max() > least else None for row in scores]

    def verify(self, frames: Array, speaker: str) -> float:
        """Return the log-likelihood ratio of a speaker to the background in one recording, a mean over its frames.

        Raises
        ------
        ParameterError
            Where the speaker is not enrolled.
        """
        return float(self._ratios([frames], [self._model_of(speaker)])[0, 0])

    def score(self, recordings: Any, speakers: Sequence[str]) -> float:
        """Return the share of recordings whose speaker is identified."""
        found = self.identify(recordings)
        if len(speakers) != len(found):
            raise DataError("speakers do not fit", got=f"{len(speakers)} names", expected=f"{len(found)}")
        return float(np.mean([name == who for name, who in zip(found, speakers, strict=True)]))


def _name(speaker: Any) -> str:
    if not isinstance(speaker, str):
        raise ParameterError("a speaker's name is no text", got=repr(speaker), expected="str")
    return str(speaker)
