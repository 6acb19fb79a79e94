"""Sphinx's features: streams by their definition, cepstra against pocketsphinx."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from seqem.errors import DataError, ParameterError
from seqem.io.sphinx_arrays import read_cepstra
from seqem.speech.features import Features
from seqem.speech.sphinx_streams import sphinx_streams, stream_columns

RNG = np.random.default_rng(0)
CEPSTRA = RNG.normal(3.0, 1.0, (20, 13))
AN4 = {"width": 0.025625, "n_channels": 40, "low": 133.3334, "high": 6855.4976}


def by_hand(cepstra, t):
    """The differences of Sphinx at one frame: over 2 and 4 frames to both sides, and second differences."""
    c = lambda step: cepstra[min(max(t + step, 0), len(cepstra) - 1)]  # noqa: E731
    return c(2) - c(-2), c(4) - c(-4), (c(3) - c(-1)) - (c(1) - c(-3))


def test_one_stream_by_hand():
    found = sphinx_streams(CEPSTRA, "1s_c_d_dd")
    for t in range(20):
        short, _, second = by_hand(CEPSTRA, t)
        assert_allclose(found[t], [*(CEPSTRA[t] - CEPSTRA.mean(axis=0)), *short, *second], atol=1e-12)


def test_four_streams_by_hand():
    found = sphinx_streams(CEPSTRA, "s2_4x")
    columns = stream_columns("s2_4x")
    assert [i for part in columns for i in part] == list(range(51))
    centred = CEPSTRA - CEPSTRA.mean(axis=0)
    for t in range(20):
        short, long, second = by_hand(CEPSTRA, t)
        parts = [centred[t, 1:], [*short[1:], *long[1:]], [centred[t, 0], short[0], second[0]], second[1:]]
        for own, expected in zip(columns, parts, strict=True):
            assert_allclose(found[t, own], expected, atol=1e-12)


def test_frames_without_energy_are_left_out_of_the_mean():
    cepstra = CEPSTRA.copy()
    cepstra[:5, 0] = -1.0
    assert_allclose(sphinx_streams(cepstra, "1s_c_d_dd")[:, :13], cepstra - cepstra[5:].mean(axis=0), atol=1e-12)


def test_cepstra_that_cannot_be():
    with pytest.raises(ParameterError, match="streams"):
        sphinx_streams(CEPSTRA, "1s_c")
    with pytest.raises(DataError, match="13"):
        sphinx_streams(CEPSTRA[:, :12], "s2_4x")
    with pytest.raises(DataError):
        sphinx_streams(CEPSTRA[:0], "s2_4x")


def test_recordings_to_streams():
    features = Features(style="sphinx", lifter=0.0, streams="s2_4x", delta_order=0)
    bare = Features(style="sphinx", lifter=0.0, delta_order=0)
    samples = RNG.normal(0, 1000, 8000).astype(np.int16)
    assert_allclose(features(samples), sphinx_streams(bare(samples), "s2_4x"))
    assert len(features(samples[:100])) == 0
    with pytest.raises(ParameterError, match="whole recordings"):
        list(features.stream([samples]))
    with pytest.raises(ParameterError, match="streams are of Sphinx"):
        Features(streams="s2_4x")
    with pytest.raises(ParameterError, match="narrower"):
        Features(style="sphinx", n_channels=200)


def test_cepstra_that_come_with_pocketsphinx(shared_data):
    # Made with noise removed, which leaves all of the first frame but its cepstrum 0.
    folder = shared_data / "speech" / "pocketsphinx"
    features = Features(
        style="sphinx", width=0.025625, n_channels=25, low=130, high=6800, lifter=22, transform="dct", delta_order=0
    )
    found = features(np.fromfile(folder / "goforward.raw", "<i2"))
    assert_allclose(found[0, 1:], read_cepstra(folder / "goforward.mfc")[0, 1:], atol=1e-5)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {}),
        ({"transform": "dct", "remove_dc": True}, {"transform": "dct", "remove_dc": True}),
        ({"transform": "htk", "lifter": 22}, {"transform": "htk", "lifter": 22.0}),
        ({"round_filters": False, "wlen": 0.025}, {"round_filters": False, "width": 0.025}),
    ],
)
def test_cepstra_are_those_of_pocketsphinx(shared_data, tmp_path, theirs, ours):
    pocketsphinx = pytest.importorskip("pocketsphinx")
    folder = shared_data / "speech" / "pocketsphinx"
    (tmp_path / "go.dic").write_text("go G OW\n")
    decoder = pocketsphinx.Decoder(
        hmm=str(folder / "an4_ci_cont"), dict=str(tmp_path / "go.dic"), lm=None, cmn="none", mfclogdir=str(tmp_path),
        loglevel="FATAL", **theirs,
    )  # fmt: skip
    decoder.add_jsgf_string("go", "#JSGF V1.0; grammar go; public <go> = go+;")
    decoder.activate_search("go")
    samples = np.fromfile(folder / "goforward.raw", "<i2")
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    (log,) = tmp_path.glob("*.mfc")
    expected = read_cepstra(log)[:-1]  # the last frame is not whole
    found = Features(style="sphinx", **{**AN4, "lifter": 0.0, "delta_order": 0, **ours})(samples)
    assert_allclose(found, expected, atol=1e-3)
