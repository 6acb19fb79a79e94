"""Training: from a first cut of recordings to emissions, in fits that each begin where the last one ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from seqem.distributions.gaussian import Gaussian
from seqem.distributions.mixture import MixtureOf
from seqem.distributions.shared_mixture import SharedMixture
from seqem.em.driver import FitResult, fit
from seqem.em.history import History
from seqem.em.methods import accelerator
from seqem.em.stop import StopRule
from seqem.shapes import AnyArray, Array
from seqem.speech.acoustic import AcousticModel, AcousticParams, Spoken
from seqem.speech.composite import Composite
from seqem.speech.each import by_speaker
from seqem.speech.emission import Emission
from seqem.speech.feature_transform import transformed
from seqem.speech.speaker_adaptation import cmllr
from seqem.speech.starts import flat_start, growing, shared_start, split

# Transitions of each kind that come before those of the data: what recordings as short as can be do not show is not impossible.
_SEEN_BEFORE = 0.1
# Dirichlet parameter of the weights in a common codebook: none of them vanishes.
_SHARED_PRIOR = 1.1

Shards = Sequence[list[Spoken]]


class Cut(NamedTuple):
    """Frames of all recordings (N, D), the emission each is taken for at first (N,), and the recordings in portions."""

    frames: Array
    emissions: AnyArray
    shards: Shards


class Trained(NamedTuple):
    """A distribution of emissions and the fit that ended with it."""

    distribution: Emission
    result: FitResult


@dataclass(frozen=True)
class Training:
    """Train emissions.

    Attributes
    ----------
    composite : Composite
        What the recordings are models of.
    kind : str
        "posterior" or "viterbi", as of :class:`AcousticModel`.
    beam : float
        As of :class:`AcousticModel`.
    stop : StopRule
        When each fit is done.
    method : str
        How the driver climbs.
    """

    composite: Composite
    kind: str
    beam: float
    stop: StopRule
    method: str

    def model(self, distribution: Emission) -> AcousticModel:
        """Return the model with these emissions."""
        inventory = self.composite.inventory
        return AcousticModel(inventory, distribution, self.kind, self.beam, _SEEN_BEFORE * inventory.transitions(0.5))

    def grown(self, gaussian: Gaussian, n_parts: int, cut: Cut, **options: Any) -> Trained:
        """Return mixtures of ``n_parts`` Gaussians that grow by splitting, with the history of all sizes."""
        mixture = MixtureOf(gaussian, 1)
        trained = self._climbed(
            mixture, flat_start(self.model(mixture), cut.frames, cut.emissions), cut.shards, **options
        )
        for size in growing(n_parts)[1:]:
            params = trained.result.params._replace(emission=split(trained.result.params.emission, size))
            trained = _joined(trained, self._climbed(MixtureOf(gaussian, size), params, cut.shards, **options))
        return trained

    def shared(self, gaussian: Gaussian, n_parts: int, cut: Cut, rng: np.random.Generator, **options: Any) -> Trained:
        """Return mixtures that share ``n_parts`` Gaussians."""
        mixture = SharedMixture(gaussian, n_parts, weight_prior=_SHARED_PRIOR)
        return self._climbed(
            mixture, shared_start(self.model(mixture), cut.frames, cut.emissions, rng), cut.shards, **options
        )

    def gone_on(self, trained: Trained, shards: Shards, **options: Any) -> Trained:
        """Return the same emissions after a fit to other frames of the same recordings."""
        return _joined(trained, self._climbed(trained.distribution, trained.result.params, shards, **options))

    def _climbed(self, distribution: Emission, params: AcousticParams, shards: Shards, **options: Any) -> Trained:
        step = accelerator(self.method)
        return Trained(
            distribution, fit(self.model(distribution), params, shards, stop=self.stop, accelerate=step, **options)
        )

    def in_common(
        self,
        trained: Trained,
        frames: Sequence[Array],
        said: Sequence[Sequence[str]],
        speakers: Sequence[Any] | None,
        **options: Any,
    ) -> Shards:
        """Return recordings with the frames of each speaker transformed to what the models of all expect.

        Speaker-adaptive training of Gales (1998), section 5, by transforms of the frames.
        """
        members = by_speaker(speakers, len(frames), "adaptive passes need")
        out, model = list(frames), self.model(trained.distribution)
        for own in members:
            shards = self.composite.shards([frames[i] for i in own], [said[i] for i in own])
            transform = cmllr(model, trained.result.params, shards, **options)
            for i in own:
                out[i] = transformed(transform, frames[i])
        return self.composite.shards(out, said)


def _joined(before: Trained, after: Trained) -> Trained:
    """Return the later of two fits with the history of both."""
    first, last = before.result, after.result
    n, seconds = first.n_iter, first.history[-1].seconds
    later = (r._replace(iteration=r.iteration + n, seconds=r.seconds + seconds) for r in last.history)
    return after._replace(result=replace(last, n_iter=n + last.n_iter, history=History([*first.history, *later])))
