"""Recordings through libsndfile: formats, channels, rates, and what cannot be read."""

import numpy as np
import pytest
import soundfile

from seqem.errors import DataError, FormatError, ParameterError
from seqem.io.audio import audio_blocks, read_audio

RNG = np.random.default_rng(0)
TWO = 0.3 * RNG.uniform(-1, 1, (1000, 2))


@pytest.mark.parametrize(
    ("end", "subtype", "within"),
    [("wav", "PCM_16", 1e-4), ("wav", "FLOAT", 1e-7), ("flac", "PCM_24", 1e-6), ("aiff", "PCM_32", 1e-8)],
)
def test_formats_and_channels(tmp_path, end, subtype, within):
    path = tmp_path / f"a.{end}"
    soundfile.write(path, TWO, 8000, subtype=subtype)
    np.testing.assert_allclose(read_audio(path).samples, TWO.mean(axis=1), atol=within)
    np.testing.assert_allclose(read_audio(path, channel=1).samples, TWO[:, 1], atol=within)
    assert read_audio(path).sample_rate == 8000
    np.testing.assert_array_equal(np.concatenate(list(audio_blocks(path, seconds=0.03))), read_audio(path).samples)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_resampling_keeps_a_tone(tmp_path, rate):
    path, time = tmp_path / "a.wav", np.arange(22050) / 22050
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * time), 22050, subtype="FLOAT")
    audio = read_audio(path, sample_rate=rate)
    assert len(audio.samples) == rate
    inner = slice(rate // 10, -rate // 10)
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    np.testing.assert_allclose(audio.samples[inner], wanted[inner], atol=2e-3)


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is no sound")
    soundfile.write(tmp_path / "header.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    soundfile.write(tmp_path / "a.flac", TWO, 8000)
    (tmp_path / "cut.flac").write_bytes((tmp_path / "a.flac").read_bytes()[:600])
    for name in ("empty.wav", "text.wav", "header.wav", "missing.wav", "cut.flac"):
        with pytest.raises(FormatError, match=name):
            read_audio(tmp_path / name)
    with pytest.raises(DataError, match=r"nan\.wav: sample 1 is not finite"):
        read_audio(tmp_path / "nan.wav")
    with pytest.raises(ParameterError, match="no such channel"):
        read_audio(tmp_path / "a.flac", channel=2)


def test_a_wav_that_is_cut_short_is_refused_and_a_stream_is_not(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.sin(np.arange(4000.0)), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    with pytest.raises(FormatError, match="cut short"):
        read_audio(path)
    # what ffmpeg and sox write to a pipe
    path.write_bytes(whole[:4] + b"\xff\xff\xff\xff" + whole[8:40] + b"\xff\xff\xff\xff" + whole[44:])
    assert len(read_audio(path).samples) == 4000
