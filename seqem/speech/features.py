"""Features: the recipe that takes samples to feature frames, as HTK, Kaldi or Sphinx computes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.fft import rfft

from seqem.errors import DataError, ParameterError
from seqem.shapes import AnyArray, Array
from seqem.speech.cepstra import (
    SPHINX_TRANSFORMS,
    cosine_matrix,
    equal_loudness,
    lifter,
    perceptual_cepstra,
    sphinx_matrix,
)
from seqem.speech.deltas import with_deltas
from seqem.speech.filterbank import FilterBank, Warp, hertz, htk_bank, kaldi_bank, sphinx_bank
from seqem.speech.frames import cut, emphasised, hamming, log_energy, povey
from seqem.speech.sphinx_streams import STREAMS, sphinx_streams

_KINDS = ("mfcc", "fbank", "plp", "spectrogram")
_STYLES = ("htk", "kaldi", "sphinx")
_ENERGIES = ("c0", "log", None)
_CHOICES = {
    "kind": _KINDS, "style": _STYLES, "energy": _ENERGIES, "transform": SPHINX_TRANSFORMS, "streams": (*STREAMS, None),
}  # fmt: skip
_DELTA_WINDOW = 2
# Frames that are worked on at once, in float32: they stay in the cache.
_BLOCK = 128
_FULL_SCALE = 32768.0
# Smallest filter output: HTK's for samples of 16 bits; Kaldi's is the rounding of float32; Sphinx adds it.
_FLOORS = {"htk": 1.0, "kaldi": float(np.finfo(np.float32).eps), "sphinx": 1e-4}


@dataclass(frozen=True)
class Features:
    """Compute feature frames of speech.

    Parameters
    ----------
    kind : {"mfcc", "plp", "fbank", "spectrogram"}
        Mel-frequency cepstra, perceptual linear prediction, log mel energies, or log power of each frequency.
    style : {"htk", "kaldi", "sphinx"}
        Whose numbers: HTK's to 1e-3, with the energy last, or Kaldi's or Sphinx's without dither, with the energy first.
    sample_rate : float
        Samples a second.
    width, shift : float
        Length of a frame and time from one to the next, in seconds.
    pre_emphasis : float
        Share of the sample before that is subtracted.
    n_channels : int
        Filters.
    low, high : float, optional
        Band of the filters in hertz; by default up to half the sample rate.
    n_ceps : int
        Cepstra beside the energy.
    lifter : float
        Length of the cepstral lifter, 0 for none.
    energy : {"c0", "log", None}
        Cepstrum 0, the logarithm of the energy of the samples, or none.
    delta_order : int
        How many times slopes are taken of the features and appended.
    warp : Warp, optional
        Vocal-tract-length normalisation, of HTK's filters.
    transform : {"legacy", "dct", "htk"}
        How Sphinx scales its cepstra.
    round_filters, remove_dc : bool
        Whether Sphinx's filters begin and end at a bin of the spectrum, and frames lose their mean.
    streams : {"1s_c_d_dd", "s2_4x", None}
        Sphinx's differences in the place of slopes, of cepstra less their mean over the recording.

    Examples
    --------
    >>> features = Features(sample_rate=8000)
    >>> features(np.sin(np.arange(8000.0))).shape
    (98, 39)
    """

    kind: str = "mfcc"
    style: str = "htk"
    sample_rate: float = 16000.0
    width: float = 0.025
    shift: float = 0.010
    pre_emphasis: float = 0.97
    n_channels: int = 26
    low: float = 0.0
    high: float | None = None
    n_ceps: int = 12
    lifter: float = 22.0
    energy: str | None = "c0"
    delta_order: int = 2
    warp: Warp | None = None
    transform: str = "legacy"
    round_filters: bool = True
    remove_dc: bool = False
    streams: str | None = None

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise ParameterError(f"unknown {name}", got=repr(getattr(self, name)), expected=f"one of {known}")
        if self.style != "htk" and (self.kind == "plp" or self.warp is not None):
            raise ParameterError("PLP and warping are HTK's here", got=self.style, expected="style='htk'")
        if self.streams is not None and (self.style != "sphinx" or self.kind != "mfcc" or self.energy != "c0"):
            got = {"style": self.style, "kind": self.kind, "energy": self.energy}
            raise ParameterError("streams are of Sphinx's cepstra", got=got, expected="style='sphinx', 'mfcc', 'c0'")
        if not (self.shift > 0 and self._samples(self.width) >= 2):
            raise ParameterError("frames are off", got=(self.width, self.shift), expected="positive seconds")
        _ = self._bank  # refuses a band that does not fit

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.sample_rate)

    @cached_property
    def _n_fft(self) -> int:
        return 1 << (self._samples(self.width) - 1).bit_length()

    @cached_property
    def _bank(self) -> FilterBank:
        high = self.sample_rate / 2 if self.high is None else self.high
        place = self.sample_rate, self._n_fft, self.n_channels, self.low, high
        if self.style == "sphinx":
            return sphinx_bank(*place, rounded=self.round_filters)
        return htk_bank(*place, self.warp) if self.style == "htk" else kaldi_bank(*place)

    @cached_property
    def _window(self) -> AnyArray:
        return (povey if self.style == "kaldi" else hamming)(self._samples(self.width)).astype(np.float32)

    @cached_property
    def _transform(self) -> Array:
        if self.style == "sphinx":
            return sphinx_matrix(self.n_channels, self.n_ceps, self.transform) * lifter(self.n_ceps, self.lifter)
        matrix = cosine_matrix(self.n_channels, self.n_ceps) * lifter(self.n_ceps, self.lifter)
        if self.style == "kaldi":
            matrix[:, 0] *= np.sqrt(0.5)
        return matrix

    def __call__(self, samples: AnyArray) -> Array:
        """Return the features (T, D) of samples (N,): 16-bit integers, or floats of full scale 1.

        Raises
        ------
        DataError
            For samples that are not finite or not in one channel; shorter than a frame they give none.
        """
        static = self._static(self._scaled(samples))
        if self.streams is not None and len(static):
            return sphinx_streams(static, self.streams)
        return with_deltas(static, self.delta_order, _DELTA_WINDOW)

    def stream(self, blocks: Iterable[AnyArray]) -> Iterator[Array]:
        """Yield the features of samples that come in blocks: put together, those of all samples at once.

        Slopes wait for the frames they need: two for each order.

        Raises
        ------
        ParameterError
            For Sphinx's style, whose frames want the whole recording.
        """
        if self.style == "sphinx":
            raise ParameterError("Sphinx's features are of whole recordings", got=self.style, expected="another style")
        shift, ahead = self._samples(self.shift), _DELTA_WINDOW * self.delta_order
        rest, frames, given = np.zeros(0), np.zeros((0, self.n_static)), 0
        for block in blocks:
            rest = np.concatenate([rest, self._scaled(block)])
            new = self._static(rest)
            rest, frames = rest[len(new) * shift :], np.concatenate([frames, new])
            ready = len(frames) - ahead
            if ready > given:
                yield with_deltas(frames, self.delta_order, _DELTA_WINDOW)[given:ready]
                # Frames further back than slopes reach are known no more.
                spare = max(0, ready - 2 * ahead - 1)
                frames, given = frames[spare:], ready - spare
        if len(frames) > given:
            yield with_deltas(frames, self.delta_order, _DELTA_WINDOW)[given:]

    @property
    def step(self) -> float:
        """Seconds from frame to frame: a whole number of samples."""
        return self._samples(self.shift) / self.sample_rate

    @property
    def n_static(self) -> int:
        """Number of features without slopes."""
        if self.kind == "fbank":
            return self.n_channels
        return self._n_fft // 2 + 1 if self.kind == "spectrogram" else self.n_ceps + (self.energy is not None)

    def loudness(self, frames: Array) -> Array | None:
        """Return the level of features (T, D) in natural logarithms (T,), up to a constant; None where they do not tell it.

        Mel energies tell it, and HTK's and Kaldi's cepstra with an energy.
        """
        if self.kind in ("fbank", "spectrogram"):
            return frames[:, : self.n_static].mean(axis=1)
        known = self.kind == "mfcc" and self.style in ("htk", "kaldi") and self.energy is not None
        if not known or frames.shape[1] != self.n_static * (self.delta_order + 1):
            return None
        column = frames[:, self.n_static - 1 if self.style == "htk" else 0]
        if self.energy == "log":
            return column
        return column / np.sqrt(self.n_channels * (2.0 if self.style == "htk" else 1.0))

    def _scaled(self, samples: AnyArray) -> Array:
        """Return samples as float64 on the scale of 16 bits."""
        array = np.asarray(samples)
        if array.ndim != 1 or array.dtype.kind not in "fiu":
            raise DataError(
                "samples are off", got=f"{array.dtype} {array.shape}", expected="one channel of numbers, (N,)"
            )
        if array.dtype.kind != "f":
            return array.astype(np.float64) * (_FULL_SCALE / 2.0 ** (8 * array.dtype.itemsize - 1))
        bad = np.flatnonzero(~np.isfinite(array))
        if len(bad):
            raise DataError(f"sample {bad[0]} is not finite", got=array[bad[0]], expected="finite samples")
        return array.astype(np.float64) * _FULL_SCALE

    def _static(self, samples: Array) -> Array:
        """Return the features without slopes."""
        width, shift = self._samples(self.width), self._samples(self.shift)
        raw, sharp = cut(samples, width, shift), cut(emphasised(samples, self.pre_emphasis), width, shift)
        out = np.empty((len(raw), self.n_static))
        buffer = np.zeros((_BLOCK, self._n_fft), dtype=np.float32)
        for start in range(0, len(raw), _BLOCK):
            at = slice(start, min(start + _BLOCK, len(raw)))
            out[at] = self._of(raw[at], sharp[at], buffer[: at.stop - start])
        return out

    def _of(self, raw: Array, sharp: Array, buffer: AnyArray) -> Array:
        """Return the features of some frames, as recorded and emphasised; ``buffer`` holds zeros beyond the frames' width."""
        width = raw.shape[1]
        mean = raw.mean(axis=1, keepdims=True) if self.style == "kaldi" else np.zeros((1, 1))
        self._emphasise(raw, sharp, mean, buffer[:, :width])
        buffer[:, :width] *= self._window
        spectrum = rfft(buffer, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        if self.kind == "spectrogram":
            return self._log(power)
        energies = (power @ self._weights).astype(np.float64)
        if self.kind == "fbank":
            return self._log(energies)
        return self._ordered(self._cepstra(energies), raw - mean if self.energy == "log" else raw)

    def _emphasise(self, raw: Array, sharp: Array, mean: Array, out: AnyArray) -> None:
        """Fill ``out`` with frames as they are windowed, from those recorded and emphasised."""
        if self.style == "sphinx":
            gone = sharp.mean(axis=1, keepdims=True) if self.remove_dc else 0.0
            np.subtract(sharp, gone, out=out, casting="same_kind")
            return
        # Frames are emphasised one by one: what is before the first sample of each is taken for that sample.
        left = 1.0 - self.pre_emphasis
        np.subtract(sharp, left * mean, out=out, casting="same_kind")
        out[:, :1] = left * (raw[:, :1] - mean)

    def _log(self, energies: AnyArray) -> Array:
        """Return logarithms that stay finite."""
        floor = _FLOORS[self.style]
        return np.log(energies + floor if self.style == "sphinx" else np.maximum(energies, floor))

    @cached_property
    def _weights(self) -> AnyArray:
        return self._bank.weights.astype(np.float32)

    def _cepstra(self, energies: Array) -> Array:
        """Return cepstra 0 to n_ceps."""
        if self.kind == "mfcc":
            return self._log(energies) @ self._transform
        loudness = equal_loudness(hertz(self._bank.centres))
        return perceptual_cepstra(energies, loudness, self.n_ceps, self.n_ceps) * lifter(self.n_ceps, self.lifter)

    def _ordered(self, cepstra: Array, frames: Array) -> Array:
        """Return the cepstra with the energy where the style has it."""
        if self.energy is None:
            return cepstra[:, 1:]
        first = log_energy(frames)[:, None] if self.energy == "log" else cepstra[:, :1]
        return np.concatenate([cepstra[:, 1:], first] if self.style == "htk" else [first, cepstra[:, 1:]], axis=1)
