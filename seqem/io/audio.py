"""Recordings: any format that libsndfile reads, one channel, at any sample rate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from scipy.signal import resample_poly

from seqem.errors import DataError, FormatError, ParameterError
from seqem.io.streams import FilePath
from seqem.shapes import Array

_SIMPLEST_RATIO = 10_000
_UNKNOWN_LENGTH = 0x7FFFFFFF


class Audio(NamedTuple):
    """Samples (N,) of full scale 1, and how many there are a second."""

    samples: Array
    sample_rate: int


def read_audio(path: FilePath, *, sample_rate: int | None = None, channel: int | None = None) -> Audio:
    """Read a recording as one channel.

    Parameters
    ----------
    path : path-like
        A file that libsndfile reads: WAV, FLAC, OGG, AIFF, MP3 and others.
    sample_rate : int, optional
        Resample to it; by default that of the file.
    channel : int, optional
        Which channel, from 0; by default the mean of all.

    Raises
    ------
    FormatError
        Where the file is not audio, is damaged, or holds no samples.
    DataError
        Where a sample is not finite.
    ParameterError
        Where there is no such channel.

    Examples
    --------
    >>> import pathlib, soundfile, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.zeros((800, 2)), 8000)
    >>> audio = read_audio(path, sample_rate=16000)
    >>> audio.samples.shape, audio.sample_rate
    ((1600,), 16000)
    """
    with _opened(path) as file:
        samples = _mono(_read(file, path), channel, path)
        rate = file.samplerate
    if not len(samples):
        raise FormatError("holds no samples", path=str(path))
    if sample_rate is None or sample_rate == rate:
        return Audio(samples, rate)
    if sample_rate <= 0:
        raise ParameterError("sample_rate is off", got=sample_rate, expected="a positive number")
    ratio = Fraction(sample_rate, rate).limit_denominator(_SIMPLEST_RATIO)
    return Audio(resample_poly(samples, ratio.numerator, ratio.denominator), sample_rate)


def audio_blocks(path: FilePath, *, seconds: float = 10.0, channel: int | None = None) -> Iterator[Array]:
    """Yield the samples of a recording in blocks, for :meth:`seqem.speech.features.Features.stream`.

    Parameters and errors are those of :func:`read_audio`, without resampling.

    Examples
    --------
    >>> import pathlib, soundfile, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.zeros(1000), 8000)
    >>> [len(block) for block in audio_blocks(path, seconds=0.1)]
    [800, 200]
    """
    with _opened(path) as file:
        size = max(1, round(seconds * file.samplerate))
        while len(block := _read(file, path, size)):
            yield _mono(block, channel, path)


def _opened(path: FilePath) -> Any:
    import soundfile

    try:
        file = soundfile.SoundFile(os.fspath(path))
    except (soundfile.LibsndfileError, OSError) as error:
        raise FormatError("is no audio that can be read", got=str(error), path=str(path)) from error
    if file.format == "WAV":
        try:
            _refuse_cut(path)
        except FormatError:
            file.close()
            raise
    return file


def _refuse_cut(path: FilePath) -> None:
    """Refuse a WAV file that is shorter than its head says, which libsndfile takes for a short recording."""
    with open(path, "rb") as handle:
        head = handle.read(8)
    told, there = int.from_bytes(head[4:8], "little") + 8, os.path.getsize(path)
    # Who writes to a pipe cannot know the length, and tells the largest there is, or none.
    if head[:4] == b"RIFF" and there < told < _UNKNOWN_LENGTH:
        raise FormatError("is cut short", got=f"{there} bytes", expected=f"{told}, as its head says", path=str(path))


def _read(file: Any, path: FilePath, size: int = -1) -> Array:
    """Return samples (N, channels)."""
    import soundfile

    try:
        block: Array = file.read(size, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise FormatError("is damaged audio", got=str(error), path=str(path)) from error
    return block


def _mono(samples: Array, channel: int | None, path: FilePath) -> Array:
    n_channels = samples.shape[1]
    if channel is not None and not 0 <= channel < n_channels:
        raise ParameterError(f"{path}: no such channel", got=channel, expected=f"0 to {n_channels - 1}")
    one = samples.mean(axis=1) if channel is None else samples[:, channel]
    bad = np.flatnonzero(~np.isfinite(one))
    if len(bad):
        raise DataError(f"{path}: sample {bad[0]} is not finite", expected="finite samples")
    return np.ascontiguousarray(one)
