"""Features against HTK's own files, Kaldi's own code, and their traps."""

import re

import numpy as np
import pytest

from seqem.errors import DataError, FormatError, ParameterError
from seqem.io.htk import read_htk, write_htk
from seqem.speech.deltas import deltas
from seqem.speech.features import Features
from seqem.speech.filterbank import Warp, htk_bank

soundfile = pytest.importorskip("soundfile")
RNG = np.random.default_rng(0)
NOISE = (2000 * RNG.normal(size=4000)).astype(np.int16)
KINDS = {"MFCC": "mfcc", "PLP": "plp", "FBANK": "fbank"}
RUNS = [
    *((f"hcopy{i}", f"fea_htk.{i}") for i in range(1, 7)),
    ("plp1", "plp_htk.1"),
    *((f"fbank{i}", f"fbank_htk.{i}") for i in range(1, 5)),
]


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "speech" / "kaldi_htk_mfcc"


@pytest.fixture(scope="module")
def recording(folder):
    return soundfile.read(folder / "test.wav", dtype="int16")[0]


def recipe(path):
    """Return the features that a configuration of HCopy describes."""
    lines = (line.split("#")[0] for line in path.read_text().splitlines())
    known = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines) if value}
    kind, *marks = known["TARGETKIND"].split("_")
    warp = None
    if "WARPFREQ" in known:
        warp = Warp(*(float(known[name]) for name in ("WARPFREQ", "WARPLCUTOFF", "WARPUCUTOFF")))
    return Features(
        KINDS[kind], "htk", 1e7 / float(known["SOURCERATE"]), pre_emphasis=float(known["PREEMCOEF"]),
        n_channels=int(known["NUMCHANS"]), low=float(known["LOFREQ"]), high=float(known["HIFREQ"]),
        energy="log" if "E" in marks else "c0", delta_order=sum(mark in "DA" for mark in marks), warp=warp,
    )  # fmt: skip


@pytest.mark.parametrize(("configuration", "output"), RUNS)
def test_htk_in_all_configurations(folder, recording, configuration, output):
    wanted = read_htk(folder / f"test.wav.{output}")
    found = recipe(folder / f"{configuration}.conf")(recording)
    assert found.shape == wanted.frames.shape
    assert wanted.shift == pytest.approx(0.01)
    np.testing.assert_allclose(found, wanted.frames, atol=1.5e-4)


@pytest.mark.parametrize("energy", ["c0", "log"])
@pytest.mark.parametrize("kind", ["mfcc", "fbank"])
def test_kaldi_without_dither(kind, energy):
    kaldi = pytest.importorskip("kaldi_native_fbank")
    options = kaldi.MfccOptions() if kind == "mfcc" else kaldi.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = 16000.0
    options.mel_opts.num_bins = 23
    if kind == "mfcc":
        options.use_energy = energy == "log"
        options.num_ceps = 13
    peer = (kaldi.OnlineMfcc if kind == "mfcc" else kaldi.OnlineFbank)(options)
    peer.accept_waveform(16000.0, NOISE.astype(np.float32).tolist())
    peer.input_finished()
    wanted = np.array([peer.get_frame(i) for i in range(peer.num_frames_ready)])
    ours = Features(kind, "kaldi", 16000, n_channels=23, low=20.0, energy=energy, delta_order=0)(NOISE)
    assert ours.shape == wanted.shape
    np.testing.assert_allclose(ours, wanted, atol=1e-3)


@pytest.mark.parametrize("kind", ["mfcc", "plp", "fbank", "spectrogram"])
@pytest.mark.parametrize("sizes", [[4000], [1, 399, 1, 2000, 1599], [700] * 6, [10] * 400])
def test_blocks_give_the_frames_of_the_whole(kind, sizes):
    features = Features(kind)
    cuts = np.cumsum(sizes)[:-1]
    parts = list(features.stream(np.split(NOISE, cuts[cuts < len(NOISE)])))
    # Sums in single precision depend on how many frames a product gets at once.
    np.testing.assert_allclose(np.concatenate(parts), features(NOISE), rtol=1e-5, atol=1e-5)


def test_integers_and_floats_are_on_one_scale():
    features = Features()
    np.testing.assert_allclose(features(NOISE / 32768.0), features(NOISE), atol=1e-9)
    np.testing.assert_allclose(features(NOISE.astype(np.int32) * 65536), features(NOISE), atol=1e-9)


# -- the traps -----------------------------------------------------------------------------------------


def test_the_lifter_counts_cepstra_from_1():
    plain, liftered = (Features(lifter=length, delta_order=0, energy=None)(NOISE) for length in (0, 22))
    weights = 1 + 11 * np.sin(np.pi * np.arange(1, 13) / 22)
    np.testing.assert_allclose(liftered, plain * weights, rtol=1e-12)


def test_bins_below_the_band_are_dropped_as_htk_does():
    with_all, without = (htk_bank(16000, 512, 23, low, 8000.0).weights for low in (0.0, 20.0))
    assert with_all[1].any()
    assert not without[1].any()
    assert without[2].any()


def test_c0_is_a_sum_by_root_two_over_n_in_htk_and_by_root_one_over_n_in_kaldi():
    logs = Features("fbank", delta_order=0)(NOISE)
    c0 = Features(delta_order=0)(NOISE)[:, -1]
    np.testing.assert_allclose(c0, np.sqrt(2 / 26) * logs.sum(axis=1), rtol=1e-12)
    logs = Features("fbank", "kaldi", delta_order=0)(NOISE)
    c0 = Features("mfcc", "kaldi", delta_order=0)(NOISE)[:, 0]
    np.testing.assert_allclose(c0, np.sqrt(1 / 26) * logs.sum(axis=1), rtol=1e-12)


def test_silence_has_finite_features():
    for style in ("htk", "kaldi"):
        for energy in ("c0", "log"):
            assert np.isfinite(Features(style=style, energy=energy)(np.zeros(1000, np.int16))).all()
    assert (Features("fbank", delta_order=0)(np.zeros(1000, np.int16)) == 0.0).all()


def test_kaldi_takes_the_mean_of_a_frame_away_and_htk_does_not():
    high = NOISE.astype(np.float64) / 32768 + 0.2
    level = {}
    for style in ("htk", "kaldi"):
        features = Features("fbank", style, delta_order=0, pre_emphasis=0.0)
        level[style] = np.abs(features(high) - features(NOISE)).max()
    assert level["kaldi"] < 1e-6
    assert level["htk"] > 0.5


def test_the_band_ends_at_half_the_sample_rate():
    assert Features(sample_rate=8000)(NOISE).shape[1] == 39
    with pytest.raises(ParameterError, match=re.escape("0 to 8000 Hz; expected within 0 to 4000 Hz")):
        Features(sample_rate=8000, high=8000.0)


def test_slopes_repeat_the_ends():
    ramp = np.arange(6.0)[:, None]
    np.testing.assert_allclose(deltas(ramp)[2:4, 0], 1.0)
    assert deltas(ramp)[0, 0] == pytest.approx((1 * 1 + 2 * 2) / 10)
    assert deltas(np.zeros((0, 3))).shape == (0, 3)


# -- what cannot be ----------------------------------------------------------------------------------


def test_short_recordings_have_no_frames():
    assert Features()(np.zeros(1, np.int16)).shape == (0, 39)
    assert Features()(np.zeros(0)).shape == (0, 39)
    assert Features()(np.zeros(400, np.int16)).shape == (1, 39)


def test_samples_that_cannot_be():
    with pytest.raises(DataError, match="sample 3 is not finite"):
        Features()(np.array([0.0, 0.0, 0.0, np.nan]))
    with pytest.raises(DataError, match="one channel"):
        Features()(np.zeros((10, 2)))


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "lpc"}, {"style": "julius"}, {"energy": "c1"}, {"style": "kaldi", "kind": "plp"}, {"shift": 0.0},
        {"width": 0.0}, {"n_channels": 0}, {"low": 5000.0, "high": 4000.0},
    ],
)  # fmt: skip
def test_recipes_that_cannot_be(options):
    with pytest.raises(ParameterError):
        Features(**options)


# -- files ---------------------------------------------------------------------------------------------


def test_htk_files_come_back(tmp_path):
    frames = RNG.normal(size=(7, 39))
    write_htk(tmp_path / "a", frames, 0.01, "MFCC_0_D_A")
    found = read_htk(tmp_path / "a")
    np.testing.assert_allclose(found.frames, frames, rtol=1e-6)
    assert set(found.kind.split("_")) == {"MFCC", "0", "D", "A"}
    assert found.shift == pytest.approx(0.01)
    with pytest.raises(FormatError, match="unknown kind"):
        write_htk(tmp_path / "b", frames, 0.01, "CEPSTRA")
    assert not (tmp_path / "b").exists()


def test_the_kind_of_htks_own_files(folder):
    assert set(read_htk(folder / "test.wav.fea_htk.1").kind.split("_")) == {"MFCC", "D", "A", "0"}
    assert read_htk(folder / "test.wav.fbank_htk.1").kind == "FBANK"


@pytest.mark.parametrize("damage", [lambda b: b[:5], lambda b: b[:-3], lambda b: b + b"\0", lambda b: b""])
def test_damaged_files_are_refused(tmp_path, damage):
    write_htk(tmp_path / "a", RNG.normal(size=(7, 3)), 0.01, "USER")
    (tmp_path / "a").write_bytes(damage((tmp_path / "a").read_bytes()))
    with pytest.raises(FormatError):
        read_htk(tmp_path / "a")


def test_the_energy_is_last_in_htk_and_first_in_kaldi():
    samples = np.random.default_rng(3).normal(0, 0.1, 4000)
    for style, place, rest in (("htk", -1, slice(0, -1)), ("kaldi", 0, slice(1, None))):
        bare = Features(style=style, sample_rate=8000, delta_order=0, energy=None)(samples)
        whole = Features(style=style, sample_rate=8000, delta_order=0, energy="log")(samples)
        np.testing.assert_allclose(whole[:, rest], bare, rtol=1e-12)
        loud = Features(style=style, sample_rate=8000, delta_order=0, energy="log")(samples * 2)
        # twice the samples: the energy, and nothing else, is larger by log 4
        np.testing.assert_allclose(loud[:, place] - whole[:, place], np.log(4.0), atol=1e-4)
        np.testing.assert_allclose(loud[:, rest], bare, atol=1e-3)


def test_pre_emphasis_is_of_each_frame_alone():
    samples = np.random.default_rng(4).normal(0, 0.1, 480)
    recipe = Features(kind="spectrogram", sample_rate=8000, delta_order=0, pre_emphasis=0.9)
    frame = samples[160:360] * 32768.0
    sharp = np.append(frame[0] * (1 - 0.9), frame[1:] - 0.9 * frame[:-1])
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(200) / 199)
    power = np.abs(np.fft.rfft(sharp * window, 256)) ** 2
    np.testing.assert_allclose(recipe(samples)[2], np.log(np.maximum(power, 1.0)), rtol=1e-4, atol=1e-4)
