"""Background: the mixture of what anybody's speech sounds like, and the statistics of recordings under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqem.core.batch import SequenceBatch
from seqem.core.checks import refuse, rows
from seqem.core.rows import Rows
from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf, MixtureParams
from seqem.errors import DataError
from seqem.models.mixture_model import BLOCK
from seqem.shapes import Array


class BaumWelch(NamedTuple):
    """What is left of S recordings: frames by component (S, C), and their sums about the means in units of deviation (S, C, D)."""

    counts: Array
    first: Array


class Background(NamedTuple):
    """A diagonal mixture of frames, each coefficient less ``centre`` (D,) over ``scale`` (D,).

    In these units one floor is the same share of the variance of every coefficient, and the clusters of the start do not go by
    the largest of them alone.
    """

    centre: Array
    scale: Array
    mixture: MixtureParams

    @property
    def n_components(self) -> int:
        """Number of components C."""
        return self.mixture.weights.shape[1]

    def standardised(self, recordings: Any) -> SequenceBatch:
        """Return checked recordings in the units of the model."""
        batch = checked_recordings(recordings, len(self.centre))
        return batch.with_values((batch.values - self.centre) / self.scale)

    def frame_means(self, models: Sequence[MixtureParams], batch: SequenceBatch) -> Array:
        """Return the mean log-likelihood of a frame of each standardised recording under each model, shape (S, len(models))."""
        mixture = MixtureOf(Gaussian("diag"), self.n_components)
        parts = Rows(batch.values).blocks(block_rows(self.n_components))
        frames = (np.concatenate([mixture.log_likelihood(model, part.x)[:, 0] for part in parts]) for model in models)
        sums = [np.add.reduceat(scores, batch.offsets[:-1]) for scores in frames]
        return np.stack(sums, axis=1) / batch.lengths[:, None]

    def statistics(self, recordings: Any) -> BaumWelch:
        """Return the Baum-Welch statistics of recordings (Dehak et al. 2011, equations 3 and 5).

        Parameters
        ----------
        recordings : sequence of ndarray, shapes (T_i, D)
            Frames.

        Raises
        ------
        DataError
            For recordings without frames, with other features, or with numbers that are not finite.
        """
        mixture = MixtureOf(Gaussian("diag"), self.n_components)
        deviation = np.sqrt(self.mixture.component.covariance)
        found = [mixture.weigh(self.mixture, part, np.ones(len(part)))[1] for part in self.standardised(recordings)]
        first = np.stack([stats.component.first for stats in found])
        return BaumWelch(np.concatenate([stats.counts for stats in found]), first / deviation)


def block_rows(n_components: int) -> int:
    """Return how many frames are worked on at once."""
    return max(1024, BLOCK // n_components)


def checked_recordings(recordings: Any, n_features: int | None = None) -> SequenceBatch:
    """Return frames of recordings, one array (T, D) or a sequence of them, as a batch.

    Raises
    ------
    DataError
        For recordings without frames, with other numbers of features, or with numbers that are not finite.

    Examples
    --------
    >>> len(checked_recordings([np.zeros((3, 2)), np.ones((5, 2))]))
    2
    """
    alone = isinstance(recordings, np.ndarray) and recordings.ndim == 2
    batch = SequenceBatch.of([rows(frames) for frames in ([recordings] if alone else recordings)])
    empty = np.flatnonzero(batch.lengths == 0)
    if len(empty):
        raise DataError(f"recording {empty[0]} has no frames", hint="leave it out, or look at what finds the speech")
    refuse(np.isnan(batch.values), batch.values, "a frame is not finite", expected="finite numbers")
    found = batch.values.shape[1]
    if n_features not in (None, found):
        raise DataError("frames have other features", got=f"{found} features", expected=f"{n_features}, as in training")
    return batch
