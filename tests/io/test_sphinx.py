"""Sphinx's files: models made by hand and those of pocketsphinx's tests, decoding and alignment, and mutated files."""

import json
import random
import struct
from contextlib import suppress
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from seqem.core.tree import tree_equal
from seqem.distributions.gaussian import Gaussian, GaussianParams
from seqem.distributions.mixture import MixtureOf
from seqem.em.driver import fit
from seqem.em.stop import StopRule
from seqem.errors import DataError, FormatError, SeqemError
from seqem.io.fsg import read_fsg
from seqem.io.models import load, save
from seqem.io.pronunciations import read_lexicon
from seqem.io.sphinx import read_features, read_sphinx
from seqem.io.sphinx_arrays import read_cepstra, read_gaussians, read_sendump, read_transitions, read_weights
from seqem.io.sphinx_phones import Chain, read_phones
from seqem.speech.acoustic import AcousticModel
from seqem.speech.lexicon import Lexicon, Pronunciation
from seqem.speech.network import transcript
from seqem.speech.scoring import word_errors
from seqem.speech.sphinx_streams import sphinx_streams
from tests.io.mutations import mutate, survives

RNG = np.random.default_rng(0)
MDEF = """# made by hand
0.3
3 n_base
3 n_tri
24 n_state_map
8 n_tied_state
6 n_tied_ci_state
3 n_tied_tmat
#base lft rt p attrib tmat ... state id's ...
A   - - - n/a    0 0 1 N
B   - - - n/a    1 2 3 N
SIL - - - filler 2 4 5 N
A   B SIL e n/a  0 6 1 N
A   B B   i n/a  0 6 1 N
B   SIL A b n/a  1 2 7 N
"""
TMAT = np.array(
    [[[3.0, 1.0, 0.0], [0.0, 1.0, 1.0]], [[1.0, 1.0, 2.0], [0.0, 3.0, 1.0]], [[9.0, 1.0, 0.0], [0.0, 9.0, 1.0]]]
)
LEXICON = Lexicon({"ba": (Pronunciation(("B", "A")),), "a": (Pronunciation(("A",)),)})
FSG = "# a grammar\nFSG_BEGIN yes\nN 3\nS 0\nF 2\nT 0 1 0.25 ba\nTRANSITION 1 2 1.0\nT 0 2 0.75\nFSG_END\n"


def s3(sizes, values, order="<", magic=True):
    """The bytes of an array of Sphinx-3."""
    body = np.array(sizes, f"{order}u4").tobytes() + np.asarray(values, f"{order}f4").tobytes()
    total = 0
    for word in np.frombuffer(body, f"{order}u4").tolist():
        total = ((total << 20 | total >> 12) + word) & 0xFFFFFFFF
    head = b"s3\nversion 1.0\nchksum0 yes\nendhdr\n" + struct.pack(f"{order}I", 0x11223344)
    return head + body + struct.pack(f"{order}I", total)


def sendump(weights, clusters):
    """The bytes of a dump of weights (states, streams, parts), of 8 bits or, with clusters, of 4."""
    n_states, n_streams, n_parts = weights.shape
    lines = [
        f"feature_count {n_streams}",
        f"mixture_count {n_parts}",
        f"model_count {n_states}",
        "logbase 1.0001",
        "mixw_shift 10",
    ]
    lines += ["cluster_count 16", "cluster_bits 4"] if clusters else ["cluster_count centroids"]
    out = b"".join(
        struct.pack(">i", len(line) + 1) + line.encode() + b"\0" for line in ("a title", *lines)
    ) + struct.pack(">i", 0)
    codes = np.round(-np.log(weights) / np.log(1.0001) / 1024).astype(np.uint8).transpose(1, 2, 0)
    if not clusters:
        return out + struct.pack(">2i", n_parts, n_states) + codes.tobytes()
    book = np.unique(codes)
    assert len(book) <= 16
    index = np.searchsorted(book, codes)
    index = np.concatenate([index, np.zeros((n_streams, n_parts, n_states % 2), int)], axis=2)
    packed = (index[:, :, 0::2] | index[:, :, 1::2] << 4).astype(np.uint8)
    return out + np.pad(book, (0, 16 - len(book))).tobytes() + packed.tobytes()


@pytest.fixture
def model(tmp_path):
    """A folder with a continuous model, and what is in it."""
    mean, variance, weights = RNG.normal(0, 2, (8, 2, 39)), RNG.gamma(2, 1, (8, 2, 39)), RNG.gamma(2, 1, (8, 1, 2))
    (tmp_path / "mdef").write_text(MDEF)
    (tmp_path / "means").write_bytes(s3([8, 1, 2, 39, mean.size], mean))
    (tmp_path / "variances").write_bytes(s3([8, 1, 2, 39, mean.size], variance, ">"))
    (tmp_path / "mixture_weights").write_bytes(s3([8, 1, 2, 16], weights))
    (tmp_path / "transition_matrices").write_bytes(s3([3, 2, 3, TMAT.size], TMAT))
    return tmp_path, mean, variance, weights


# -- single files ------------------------------------------------------------------------------------


def test_arrays_of_both_orders_of_bytes(tmp_path):
    mean = [RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 5))]
    both = np.concatenate([part.reshape(2, -1) for part in mean], axis=1)
    cube = RNG.gamma(1.0, 1.0, (3, 2, 3))
    for order in "<>":
        (tmp_path / "means").write_bytes(s3([2, 2, 3, 4, 5, both.size], both, order))
        (tmp_path / "cube").write_bytes(s3([3, 2, 3, 18], cube, order))
        for found, expected in zip(read_gaussians(tmp_path / "means"), mean, strict=True):
            assert_allclose(found, expected, rtol=1e-6)
        assert_allclose(read_weights(tmp_path / "cube"), cube, rtol=1e-6)
        assert_allclose(read_transitions(tmp_path / "cube"), cube, rtol=1e-6)


def test_a_wrong_byte_is_found_by_the_checksum(tmp_path):
    data = bytearray(s3([3, 2, 3, 18], RNG.random((3, 2, 3))))
    data[-20] ^= 1
    (tmp_path / "w").write_bytes(data)
    with pytest.raises(FormatError, match="checksum is off") as caught:
        read_weights(tmp_path / "w")
    assert caught.value.path == str(tmp_path / "w")


@pytest.mark.parametrize("clusters", [False, True])
def test_dumps_of_weights(tmp_path, clusters):
    levels = np.exp(-np.arange(12) * 0.1024 * 2)
    weights = RNG.choice(levels, (7, 2, 5))
    (tmp_path / "sendump").write_bytes(sendump(weights, clusters))
    assert_allclose(read_sendump(tmp_path / "sendump"), weights, rtol=0.06)


def test_cepstra_of_both_orders_of_bytes(tmp_path):
    frames = RNG.normal(size=(4, 13)).astype(np.float32)
    for order in "<>":
        (tmp_path / "a.mfc").write_bytes(struct.pack(f"{order}i", 52) + frames.astype(f"{order}f4").tobytes())
        assert_array_equal(read_cepstra(tmp_path / "a.mfc"), frames)
    (tmp_path / "a.mfc").write_bytes(struct.pack("<i", 52) + frames.tobytes()[:-4])
    with pytest.raises(FormatError, match="no file of cepstra"):
        read_cepstra(tmp_path / "a.mfc")


def test_phones_in_text(tmp_path):
    (tmp_path / "mdef").write_text(MDEF)
    found = read_phones(tmp_path / "mdef")
    assert list(found.alone) == ["A", "B", "SIL"]
    assert found.fillers == ("SIL",)
    assert found.between["B", "SIL", "A", "b"] == Chain((2, 7), 1)
    assert (found.n_states, found.n_transitions) == (8, 3)


def test_grammars(tmp_path):
    (tmp_path / "a.fsg").write_text(FSG)
    network = read_fsg(tmp_path / "a.fsg")
    assert (network.n_nodes, network.start, network.final) == (3, 0, 2)
    assert [(a.source, a.target, a.word) for a in network.arcs] == [(0, 1, "ba"), (1, 2, None), (0, 2, None)]
    assert_allclose(np.exp([a.log_weight for a in network.arcs]), [0.25, 1.0, 0.75])
    for old, new, message in (
        ("0.25", "1.5", "probability"),
        ("T 0 2", "T 0 3", "transition"),
        ("FSG_END", "", "whole"),
        ("N 3", "N x", "N"),
    ):
        (tmp_path / "a.fsg").write_text(FSG.replace(old, new))
        with pytest.raises(FormatError, match=message):
            read_fsg(tmp_path / "a.fsg")


def test_settings_of_features(tmp_path):
    path = tmp_path / "feat.params"
    path.write_text(
        "-lowerf 1\n-upperf 4000\n-nfilt 20\n-transform dct\n-round_filters no\n-feat s2_4x\n-cmn current\n\n-dither yes\n"
    )
    found = read_features(path)
    assert (found.low, found.high, found.n_channels, found.streams, found.round_filters) == (
        1.0,
        4000.0,
        20,
        "s2_4x",
        False,
    )
    for line in ("-feat 1s_3c", "-svspec 0-12/13-25", "-cmn prior", "-nfilt many", "-lowerf", "-model ptm"):
        path.write_text(line)
        with pytest.raises(FormatError):
            read_features(path)


@pytest.mark.parametrize("kind", ["means", "weights", "sendump", "clusters", "mdef", "fsg", "mfc", "features"])
def test_damaged_files_are_read_or_refused(tmp_path, kind):
    weights = np.exp(-0.2048 * RNG.integers(0, 12, (7, 2, 5)))
    text, read = {
        "means": (s3([2, 1, 3, 4, 24], RNG.normal(size=24)).replace(b"chksum0 yes\n", b"")[:-4], read_gaussians),
        "weights": (s3([3, 2, 3, 18], RNG.random(18)), read_transitions),
        "sendump": (sendump(weights, False), read_sendump),
        "clusters": (sendump(weights, True), read_sendump),
        "mdef": (MDEF.encode(), read_phones),
        "fsg": (FSG.encode(), read_fsg),
        "mfc": (struct.pack("<i", 26) + bytes(104), read_cepstra),
        "features": (b"-lowerf 1\n-upperf 4000\n-nfilt 20\n-feat s2_4x\n", read_features),
    }[kind]
    rng, taken = random.Random(0), 0
    assert survives(tmp_path / "f", text, read, FormatError)
    for _ in range(300):
        taken += survives(tmp_path / "f", mutate(text, rng), read, FormatError)
    assert taken < 300


def test_damaged_binary_phones(shared_data, tmp_path):
    text = (shared_data / "speech" / "pocketsphinx" / "tidigits" / "hmm" / "mdef").read_bytes()
    rng = random.Random(0)
    for _ in range(100):
        survives(tmp_path / "mdef", mutate(text, rng), read_phones, FormatError)


# -- whole models ------------------------------------------------------------------------------------


def test_a_model_by_hand(model):
    folder, mean, variance, weights = model
    found = read_sphinx(folder, LEXICON)
    x = RNG.normal(0, 2, (6, 39))
    own = [Gaussian("diag").log_likelihood(GaussianParams(m, v), x) for m, v in zip(mean, variance, strict=True)]
    shares = weights[:, 0] / weights[:, 0].sum(axis=1, keepdims=True)
    expected = np.stack([np.log(np.exp(part) @ share) for part, share in zip(own, shares, strict=True)], axis=1)
    assert_allclose(found.distribution_.log_likelihood(found.params_.emission, x), expected, rtol=1e-5)
    units = found.inventory_
    assert units["B"].arcs == ((0, 1), (1, 1), (1, 2), (1, 3), (2, 2), (2, 3))
    probabilities = {name: dict(units.arcs(name)) for name in units.units}
    assert_allclose(
        [found.params_.transitions[i] for i in probabilities["B"].values()], [1.0, 0.25, 0.25, 0.5, 0.75, 0.25]
    )
    # Phones in context with the same states share a unit, and the transitions of their phone.
    assert len(units.units) == 5
    graph = found.search(transcript(["ba", "a"])).graph
    assert graph.emissions.tolist() == [0, 1, 2, 4, 5, 6, 7]


def test_a_model_comes_back_from_a_file(model, tmp_path):
    folder, *_ = model
    found = read_sphinx(folder, LEXICON)
    save(tmp_path / "m.safetensors", found)
    again = load(tmp_path / "m.safetensors")
    x = [RNG.normal(0, 2, (30, 39))]
    assert tree_equal(again.params_, found.params_)
    assert again.recognise(x, transcript(["ba", "a"])) == found.recognise(x, transcript(["ba", "a"]))
    assert again.align(x, ["ba a"]) == found.align(x, ["ba a"])


def test_files_that_do_not_fit_together(model):
    folder, *_ = model
    with pytest.raises(DataError, match="phones of the lexicon"):
        read_sphinx(folder, Lexicon({"c": (Pronunciation(("C",)),)}))
    (folder / "feat.params").write_text("-feat s2_4x\n")
    with pytest.raises(FormatError, match="means do not fit"):
        read_sphinx(folder, LEXICON)
    (folder / "feat.params").unlink()
    (folder / "mixture_weights").write_bytes(s3([7, 1, 2, 14], np.ones(14)))
    with pytest.raises(FormatError, match="do not fit"):
        read_sphinx(folder, LEXICON)
    (folder / "means").unlink()
    with pytest.raises(FormatError, match="cannot be opened"):
        read_sphinx(folder, LEXICON)


# -- what pocketsphinx comes with --------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(shared_data):
    """TIDIGITS: the model, the grammar, features and words of each utterance."""
    folder = shared_data / "speech" / "pocketsphinx" / "tidigits"
    said = {}
    for line in (folder / "tidigits.lsn").read_text().splitlines():
        *words, name = line.split()
        said[name.strip("()")] = tuple(words)
    frames = [sphinx_streams(read_cepstra(folder / f"{name}.mfc"), "s2_4x") for name in said]
    found = read_sphinx(folder / "hmm", read_lexicon(folder / "lm" / "tidigits.dic"))
    return found, read_fsg(folder / "lm" / "tidigits.fsg"), frames, list(said.values())


def test_connected_digits(digits):
    # With Sphinx's own weights of language, words and silence; pocketsphinx makes 1 error in 107 words.
    found, network, frames, said = digits
    found_errors = word_errors(said, found.predict(frames, network))
    assert found_errors.n_words == 107
    assert found_errors.substitutions + found_errors.deletions + found_errors.insertions <= 1


def test_digits_in_a_recording(digits, shared_data):
    # From samples, through Sphinx's front end as the model's folder describes it; the name of the file says what is said.
    found, network, *_ = digits
    samples = np.fromfile(shared_data / "speech" / "pocketsphinx" / "tidigits" / "dhd.2934z.raw", "<i2")
    assert found.predict([samples], network) == [("two", "nine", "three", "four", "zero")]


def test_weights_of_senones_are_shares(digits):
    found, *_ = digits
    for part in found.params_.emission.parts:
        assert part.weights.shape == (670, 256)
        assert_allclose(part.weights.sum(axis=1), 1.0)


def aligned(shared_data):
    """The LibriVox sentences with their words' times, and a lexicon of the phones that the AN4 model has."""
    soundfile = pytest.importorskip("soundfile")
    nearest = {"DH": "TH", "ZH": "JH", "SH": "CH", "UH": "UW", "NG": "N"}
    samples, words, ways = [], [], {}
    for path in sorted((shared_data / "speech" / "pocketsphinx" / "librivox").glob("*.phone.json")):
        spoken = [w for w in json.loads(path.read_text())["w"] if not w["t"].startswith("<")]
        samples.append(soundfile.read(path.with_suffix("").with_suffix(".wav"), dtype="int16")[0])
        words.append([(w["t"].partition("(")[0], w["b"], w["b"] + w["d"]) for w in spoken])
        for w in spoken:
            units = tuple(nearest.get(phone["t"], phone["t"]) for phone in w["w"])
            ways.setdefault(w["t"].partition("(")[0], {})[Pronunciation(units)] = None
    return samples, words, Lexicon({word: tuple(own) for word, own in ways.items()})


def near(model, samples, words, most=0.05):
    """Share of the begins and ends of words that are where the reference has them."""
    found = model.align(samples, [[w[0] for w in each] for each in words])
    ours = np.array([(s.start, s.end) for each in found for s in each.words])
    theirs = np.array([w[1:] for each in words for w in each])
    return float((np.abs(ours - theirs) <= most + 1e-9).mean())


def trained_on(model, samples, said):
    """The model after eight passes of embedded training on recordings, with the floor of variances that fit has."""
    frames = [model.features(each) for each in samples]
    family = MixtureOf(Gaussian("diag", floor=0.05 * np.concatenate(frames).var(axis=0)), 1)
    shards = model.composite_.shards(frames, said)
    stop = StopRule(max_iter=8)
    params = fit(AcousticModel(model.inventory_, family, beam=model.beam), model.params_, shards, stop=stop).params
    out = copy(model)
    out.result_ = replace(model.result_, params=params)
    return out


@pytest.mark.filterwarnings("ignore::seqem.errors.DegenerateWarning")  # phones that are not said
def test_words_of_librivox_are_found_where_they_are(shared_data):
    # The reference is the alignment of a far larger model (5 000 states in context); this one has 102 single Gaussians.
    # pocketsphinx with these models and this lexicon has 0.852 of the boundaries within 50 ms.
    samples, words, lexicon = aligned(shared_data)
    found = read_sphinx(shared_data / "speech" / "pocketsphinx" / "an4_ci_cont", lexicon)
    said = [[w[0] for w in each] for each in words]
    assert near(found, samples, words) >= 0.85
    own = found.adapt(samples, said, method="mllr").adapt(samples, said, method="map")
    assert near(trained_on(own, samples, said), samples, words) >= 0.9


def test_alignment_is_that_of_pocketsphinx_with_the_same_models(shared_data, tmp_path):
    pocketsphinx = pytest.importorskip("pocketsphinx")
    samples, words, lexicon = aligned(shared_data)
    folder = shared_data / "speech" / "pocketsphinx" / "an4_ci_cont"
    names = (f"{word}({i})" if i else word for word, ways in lexicon.entries.items() for i in range(len(ways)))
    rows = zip(names, (way for ways in lexicon.entries.values() for way in ways), strict=True)
    (tmp_path / "w.dic").write_text(
        "".join(f"{name} {' '.join(way.units)}\n" for name, way in rows).replace("(1)", "(2)")
    )
    decoder = pocketsphinx.Decoder(
        hmm=str(folder), dict=str(tmp_path / "w.dic"), lm=None, cmn="batch", bestpath=False, loglevel="FATAL",
        beam=1e-200, pbeam=1e-200, wbeam=1e-200,
    )  # fmt: skip
    theirs = []
    for recording, each in zip(samples, words, strict=True):
        decoder.set_align_text(" ".join(w[0] for w in each))
        decoder.start_utt()
        decoder.process_raw(recording.tobytes(), full_utt=True)
        decoder.end_utt()
        spans = [s for s in decoder.seg() if not s.word.startswith(("<", "("))]
        theirs.append([(w[0], s.start_frame / 100, (s.end_frame + 1) / 100) for w, s in zip(each, spans, strict=True)])
    assert near(read_sphinx(folder, lexicon), samples, theirs, 0.01) > 0.95


def test_damaged_models_are_refused(model):
    folder, *_ = model
    rng = random.Random(1)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    for _ in range(60):
        name = rng.choice(sorted(whole))
        (folder / name).write_bytes(mutate(whole[name], rng))
        with suppress(SeqemError):
            read_sphinx(folder, LEXICON)
        (folder / name).write_bytes(whole[name])
