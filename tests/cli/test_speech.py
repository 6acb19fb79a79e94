"""Speech from the command line: words of two tones and speakers of two voices, and every kind of bad recording."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from scipy.signal import lfilter

from seqem import load
from seqem.catalog import SPEECH_VERBS
from seqem.cli.app import main
from seqem.io.alignment_json import read_alignment_json
from seqem.io.ctm import read_ctm
from seqem.io.textgrid import read_textgrid
from tests.cli.test_cli import HEAVY

RATE = 8000
# A word is two buzzes, one after another, each with its resonance in hertz; a voice is a pitch.
RESONANCES = {"low": (500, 900), "high": (2400, 1600)}
VOICES = {"ann": 190, "bob": 110}
WORDS = ["low high", "high high low", "high low", "low", "low low high", "high", "low high low"] * 2
TOLD = ("path", "transcript")
# Files that cannot be used, and what is said of them.
BAD = {
    "missing.wav": "cannot be|no audio",
    "empty.wav": "no audio",
    "header.wav": "holds no samples",
    "cut.flac": "damaged audio",
    "nan.wav": "not finite",
    "one.wav": "no frames",
    "silence.wav": "silent",
    "text.wav": "no audio",
}


def buzz(pitch, resonance):
    pulses = np.zeros(int(0.15 * RATE))
    pulses[:: RATE // pitch] = 0.1
    return lfilter([1.0], [1.0, -1.86 * np.cos(2 * np.pi * resonance / RATE), 0.93**2], pulses)


def said(words, rng, voice="ann"):
    """Return samples of words with pauses around."""
    pause = np.zeros(int(0.2 * RATE))
    spoken = [part for word in words.split() for part in (*(buzz(VOICES[voice], f) for f in RESONANCES[word]), pause)]
    samples = np.concatenate([pause, *spoken])
    return samples + 0.0003 * rng.normal(size=len(samples))


def write_manifest(path, rows, columns=("path", "transcript", "speaker")):
    with open(path, "w", newline="") as handle:
        csv.writer(handle).writerows([columns, *rows])


def write_bad(folder):
    """Write recordings that cannot be used, beside one that can."""
    good = said("low high", np.random.default_rng(9))
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("no sound")
    for name, samples in {
        "header.wav": good[:0],
        "one.wav": good[:1],
        "nan.wav": np.where(np.arange(len(good)) == 7, np.nan, good),
        "silence.wav": np.zeros(RATE),
    }.items():
        soundfile.write(folder / name, samples, RATE, subtype="FLOAT")
    soundfile.write(folder / "cut.flac", good, RATE)
    (folder / "cut.flac").write_bytes((folder / "cut.flac").read_bytes()[:3000])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Return a folder with recordings, manifests, models, and whatever cannot be used."""
    folder, rng = tmp_path_factory.mktemp("speech"), np.random.default_rng(0)
    (folder / "a").mkdir()
    rows = []
    for i, words in enumerate(WORDS):
        speaker = ["ann", "bob"][i % 2]
        name = f"a/{i}.wav" if i % 3 else f"{i}.flac"
        soundfile.write(folder / name, said(words, rng, speaker), RATE)
        rows.append((name if i % 4 else str(folder / name), words, speaker))
    write_bad(folder)
    write_manifest(folder / "good.csv", rows)
    write_manifest(folder / "test.csv", rows[:4])
    write_manifest(folder / "bad.csv", [*rows, *((name, "low", "ann") for name in BAD)])
    write_manifest(folder / "untold.csv", [row[:1] for row in rows[::2]], ["path"])
    write_manifest(folder / "anonymous.csv", [*rows[:2], (*rows[2][:2], ""), rows[3]])
    soundfile.write(folder / "wide.wav", said("low high", rng), 2 * RATE)
    assert main(["speech", "train", f"{folder}/good.csv", "-o", f"{folder}/model", "--n-states", "3"]) == 0
    assert main(["speech", "enrol", f"{folder}/good.csv", "-o", f"{folder}/speakers", "-k", "4"]) == 0
    return folder


@pytest.fixture
def run(corpus, capsys):
    capsys.readouterr()

    def call(words):
        code = main(["speech", *(word.replace("@", f"{corpus}/") for word in words.split())])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


# -- help --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", SPEECH_VERBS)
def test_every_verb_has_help_and_a_row(run, verb):
    code, out, err = run(f"{verb} --help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: seqem speech {verb}")
    assert SPEECH_VERBS[verb].load().__name__ == verb
    assert SPEECH_VERBS[verb].help[-1] not in ".;"


def test_help_names_the_verbs_and_loads_nothing_heavy(run):
    assert all(f"  {verb} " in run("--help")[1] for verb in SPEECH_VERBS)
    heavy = (*HEAVY, "soundfile")
    for words in (["speech", "--help"], *(["speech", verb, "--help"] for verb in SPEECH_VERBS)):
        code = f"import sys; from seqem.cli.app import main; main({words})"
        code += f"; print([m for m in {heavy} if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"


# -- training ----------------------------------------------------------------------------------------


def test_train_tells_what_it_learnt(run, corpus):
    code, out, _ = run("train @good.csv -o @again --n-states 3 --json -j 2")
    assert code == 0
    (summary,) = lines(out)
    assert {"recordings", "audio_seconds", "sample_rate", "words", "units", "log_likelihood", "unused"} <= set(summary)
    assert (summary["recordings"], summary["sample_rate"], summary["words"]) == (len(WORDS), RATE, 2)
    assert summary["unused"] == []
    kept = load(corpus / "model")
    assert kept.log_likelihood_ == load(corpus / "again").log_likelihood_
    assert kept.features.sample_rate == RATE


def test_train_goes_on_without_bad_recordings(run, corpus):
    code, out, err = run("train @bad.csv -o @tough --n-states 3 --json")
    assert code == 0
    told = {row["path"]: row["error"] for row in lines(out)[0]["unused"]}
    assert list(told) == [f"{corpus}/{name}" for name in BAD]
    for name, what in BAD.items():
        assert any(part in told[f"{corpus}/{name}"] for part in what.split("|")), name
        assert f"error: {corpus}/{name}: " in err
    assert f"{len(BAD)} of {len(WORDS) + len(BAD)} recordings failed" in err
    assert load(corpus / "tough").log_likelihood_ == load(corpus / "model").log_likelihood_


def test_train_leaves_out_transcripts_that_do_not_fit(run, corpus):
    rows = [(f"a/{i}.wav" if i % 3 else f"{i}.flac", words) for i, words in enumerate(WORDS)]
    write_manifest(corpus / "long.csv", [(rows[0][0], "low " * 99), *rows, (rows[1][0], "high " * 99)], TOLD)
    code, _, err = run("train @long.csv -o @x --n-states 3")
    assert code == 0
    assert err.count("too short for its transcript") == 2
    assert f"{corpus}/0.flac: it is too short" in err
    assert f"{corpus}/a/1.wav: it is too short" in err
    write_manifest(corpus / "words.csv", [*rows, (rows[0][0], "low other")], TOLD)
    (corpus / "lexicon").write_text("low L OW\nhigh HH AY\n")
    code, out, err = run("train @words.csv -o @phones --n-states 1 --lexicon @lexicon")
    assert code == 0
    assert f"{corpus}/0.flac: words are not in the lexicon; got ['other']" in err
    assert "2 words, 5 units" in out
    write_manifest(corpus / "nothing.csv", [("empty.wav", "low"), (rows[0][0], "low " * 99)], TOLD)
    code, _, err = run("train @nothing.csv -o @never --n-states 3")
    assert code == 1
    assert "none of the 2 recordings could be used" in err
    assert not (corpus / "never").exists()


def test_train_wants_one_sample_rate_or_resamples(run, corpus):
    write_manifest(
        corpus / "rates.csv", [("0.flac", "low high"), ("a/1.wav", "high high low"), ("wide.wav", "low high")], TOLD
    )
    code, _, err = run("train @rates.csv -o @never")
    assert code == 1
    assert "several sample rates" in err
    assert f"16000 Hz in 1, such as {corpus}/wide.wav" in err
    code, out, _ = run("train @rates.csv -o @x --n-states 2 --sample-rate 8000")
    assert code == 0
    assert "3 recordings" in out
    assert "8000 Hz" in out


def test_train_wants_speakers_for_what_goes_by_speaker(run, corpus):
    code, _, err = run("train @anonymous.csv -o @never --normalise speaker")
    assert code == 1
    assert "wants a speaker for each recording; got none for 1: " in err
    assert f"{corpus}/a/2.wav" in err
    code, _, _ = run("train @good.csv -o @by_speaker --n-states 3 --normalise speaker --adaptive-passes 1 --variance")
    assert code == 0
    assert load(corpus / "by_speaker").normalise == "speaker"
    _, out, _ = run("recognise @by_speaker @good.csv")
    assert [line.partition("\t")[2] for line in out.splitlines()] == WORDS
    assert run("recognise @by_speaker @untold.csv")[0] == 1
    assert run("align @by_speaker @test.csv -o @aligned_by_speaker")[0] == 0


def test_manifests_that_say_nothing_are_refused(run, corpus):
    (corpus / "none.csv").write_text("")
    (corpus / "head.csv").write_text("path,transcript\n")
    assert "no column 'path'" in run("train @none.csv -o @never")[2]
    assert "no recordings" in run("recognise @model @head.csv")[2]
    assert "expected a column 'transcript'" in run("train @untold.csv -o @never")[2]
    assert run("train @good.csv -o @never --training both")[0] == 2
    assert not (corpus / "never").exists()


# -- recognition -------------------------------------------------------------------------------------


def test_recognise_says_words_and_trust(run, corpus):
    code, out, _ = run("recognise @model @good.csv --json -j 2 --n-best 2")
    assert code == 0
    rows = lines(out)
    assert [" ".join(row["words"]) for row in rows] == WORDS
    for row in rows:
        assert {"path", "words", "log_likelihood", "confidence", "segments"} <= set(row)
        assert set(row["segments"][0]) == {"word", "start", "end", "confidence"}
        assert 0.5 < row["confidence"] <= 1.0
        assert row["n_best"][0]["words"] == row["words"] != row["n_best"][1]["words"]
    code, out, _ = run("recognise @model @0.flac @a/1.wav")
    assert (code, out) == (0, f"{corpus}/0.flac\tlow high\n{corpus}/a/1.wav\thigh high low\n")


def test_recognise_goes_on_without_bad_recordings(run, corpus):
    code, out, err = run("recognise @model @bad.csv --json")
    assert code == 1
    rows = {row["path"]: row for row in lines(out)}
    assert len(rows) == len(WORDS) + len(BAD)
    assert [set(rows[f"{corpus}/{name}"]) for name in BAD] == [{"path", "error"}] * len(BAD)
    assert f"{len(BAD)} of {len(rows)} recordings failed" in err
    code, out, err = run("recognise @model @wide.wav")
    assert code == 1
    assert (
        f"{corpus}/wide.wav: wrong sample rate; got 16000 Hz; expected 8000 Hz, as the model. Hint: --resample" in err
    )
    assert run("recognise @model @wide.wav --resample")[0] == 0


def test_recognise_hears_what_may_be_said(run, corpus):
    (corpus / "g.jsgf").write_text("#JSGF V1.0; grammar g; public <g> = low low | high low;")
    (corpus / "lm.arpa").write_text("\\data\\\nngram 1=3\n\n\\1-grams:\n-99 <s>\n-0.3 </s>\n-0.3 high\n\n\\end\\\n")
    heard = {
        option: run(f"recognise @model @0.flac {option}")[1].partition("\t")[2].split()
        for option in ("--grammar @g.jsgf", "--lm @lm.arpa", "--words high")
    }
    assert heard["--grammar @g.jsgf"] in (["low", "low"], ["high", "low"])
    assert set(heard["--lm @lm.arpa"]) == set(heard["--words high"]) == {"high"}
    code, _, err = run("recognise @model @0.flac --words low,other")
    assert code == 1
    assert "words are not in the lexicon of the model; got ['other']" in err
    assert run("recognise @model @0.flac --words low --grammar @g.jsgf")[0] == 2
    few = run("recognise @model @good.csv --words low,high --word-penalty -1e6 --language-weight 1 --beam 1e9")[1]
    assert all(len(line.partition("\t")[2].split()) == 1 for line in few.splitlines())


def test_recognise_scores_and_draws(run, corpus):
    swapped = [("0.flac", "low low", "ann"), ("a/1.wav", "high high low", "bob"), ("empty.wav", "low", "ann")]
    write_manifest(corpus / "swapped.csv", swapped)
    code, _, err = run("recognise @model @swapped.csv --score --ctm @out.ctm --confusions @c.png")
    assert code == 1
    assert "word error rate 20.00%: 1 substitution, 0 deletions, 0 insertions in 5 words" in err
    assert "sentence error rate 50.00%: 1 of 2" in err
    assert ["low", "high", "1"] in [line.split() for line in err.splitlines()]
    assert ["ann", "1", "2", "1", "50.00%"] in [line.split() for line in err.splitlines()]
    found = read_ctm(corpus / "out.ctm")
    assert {name: [word.label for word in a.words] for name, a in found.items()} == {
        "0": ["low", "high"],
        "a/1": ["high", "high", "low"],
    }
    assert (corpus / "c.png").read_bytes().startswith(b"\x89PNG")
    assert run("recognise @model @swapped.csv --confusions @c.txt")[0] == 2
    assert "wants transcripts" in run("recognise @model @untold.csv --score")[2]


# -- alignment ---------------------------------------------------------------------------------------


def test_align_writes_a_file_for_each_and_a_summary(run, corpus):
    code, out, _ = run("align @model @good.csv -o @out --plot -j 2")
    assert code == 0
    assert "wrote 14 of 14 alignments" in out
    with open(corpus / "out" / "summary.csv") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["status"] for row in rows] == ["ok"] * len(WORDS)
    assert float(rows[0]["seconds"]) == pytest.approx(1.2)
    assert rows[0]["worst_word"] in ("low", "high")
    assert 0.5 < float(rows[0]["worst_posterior"]) <= 1.0
    assert float(rows[0]["log_likelihood_per_frame"]) < 0
    grid = read_textgrid(corpus / "out" / "0.TextGrid")
    assert [word.label for word in grid.words] == ["low", "high"]
    np.testing.assert_allclose([w.start for w in grid.words], [0.2, 0.7], atol=0.03)
    assert grid.duration == pytest.approx(1.2)
    assert (corpus / "out" / "a" / "1.TextGrid").exists()
    assert (corpus / "out" / "a" / "1.png").read_bytes().startswith(b"\x89PNG")


def test_align_has_forms(run, corpus):
    for form in ("textgrid-short", "ctm", "json"):
        assert run(f"align @model @test.csv -o @{form} --format {form}")[0] == 0
    assert read_textgrid(corpus / "textgrid-short" / "0.TextGrid").words[0].label == "low"
    assert [w.label for w in read_ctm(corpus / "ctm" / "0.ctm")["0"].words] == ["low", "high"]
    assert set(read_alignment_json(corpus / "json" / "0.json").tiers) == {"words", "phones", "states"}


def test_align_goes_on_without_bad_recordings(run, corpus):
    rows = [
        ("0.flac", "low high"),
        ("a/1.wav", "low " * 99),
        ("a/2.wav", "other"),
        ("wide.wav", "low high"),
        *((n, "low") for n in BAD),
    ]
    rows = [row for row in rows if row[0] != "cut.flac"]
    write_manifest(corpus / "worse.csv", rows, TOLD)
    code, out, err = run("align @model @worse.csv -o @worse --json")
    assert code == 1
    assert [set(row) for row in lines(out)[1:]] == [{"path", "error"}] * (len(rows) - 1)
    assert f"{len(rows) - 1} of {len(rows)} recordings failed" in err
    assert f"{corpus}/a/1.wav: the transcript does not fit the recording" in err
    assert "words are not in the lexicon; got ['other']" in err
    assert "Hint: --resample" in err
    with open(corpus / "worse" / "summary.csv") as handle:
        status = {row["path"].removeprefix(f"{corpus}/"): row["status"] for row in csv.DictReader(handle)}
    assert list(status) == [row[0] for row in rows]
    assert status["0.flac"] == "ok"
    assert "wrong sample rate" in status["wide.wav"]
    assert run("align @model @worse.csv -o @wider --resample")[2].count("wrong sample rate") == 0


def test_align_writes_nothing_twice_nor_outside(run, corpus, tmp_path):
    shutil.copy(corpus / "0.flac", corpus / "0.wav")
    write_manifest(corpus / "twice.csv", [("0.flac", "low high"), ("0.wav", "low high")], TOLD)
    code, _, err = run("align @model @twice.csv -o @twice")
    assert code == 1
    assert "two recordings have one name" in err
    assert f"{corpus}/0.flac and {corpus}/0.wav" in err
    assert run("align @model @good.csv -o @0.flac")[0] == 2
    (corpus / "lists").mkdir()
    write_manifest(corpus / "lists" / "up.csv", [("../0.flac", "low high")], TOLD)
    assert run("align @model @lists/up.csv -o @lists/out")[0] == 0
    assert (corpus / "lists" / "out" / "0.TextGrid").exists()


# -- speakers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cmllr", "mllr", "map"])
def test_adapt_to_a_speaker(run, corpus, method):
    code, out, _ = run(f"adapt @model @good.csv -o @bob --speaker bob --method {method}")
    assert code == 0
    assert f"{method} on 7 recordings" in out
    assert run("recognise @bob @a/1.wav")[1].endswith("\thigh high low\n")


def test_adapt_without_transcripts_and_with_trouble(run, corpus):
    code, out, _ = run("adapt @model @untold.csv -o @ann --json")
    assert code == 0
    assert lines(out)[0]["transcripts"] is False
    write_manifest(corpus / "own.csv", [("0.flac", "low high"), ("a/2.wav", "low " * 99), ("nan.wav", "low")], TOLD)
    code, out, err = run("adapt @model @own.csv -o @own --json")
    assert code == 0
    assert [row["path"] for row in lines(out)[0]["unused"]] == [f"{corpus}/nan.wav", f"{corpus}/a/2.wav"]
    assert "2 of 3 recordings failed" in err
    assert "several speakers; got ann, bob" in run("adapt @model @good.csv -o @never")[2]
    assert "expected one of ann, bob" in run("adapt @model @good.csv -o @never --speaker eve")[2]
    assert "not the model for this verb" in run("adapt @speakers @own.csv -o @never")[2]


def test_verify_finds_who_speaks(run, corpus):
    code, out, err = run("verify @speakers @good.csv --json -j 2")
    assert code == 0
    rows = lines(out)
    assert [row["best"] for row in rows] == ["ann", "bob"] * 7
    assert all(row["claimed"] == row["best"] and row["score"] == row["scores"][row["best"]] for row in rows)
    assert "identified 100.00%: 14 of 14" in err
    assert "equal error rate 0.00%: 14 true claims, 14 false" in err
    code, out, err = run("verify @speakers @0.flac")
    assert (code, err) == (0, "")
    assert out.split()[1] == "ann"
    write_manifest(
        corpus / "claims.csv", [("0.flac", "ann"), ("a/1.wav", "eve"), ("one.wav", "bob")], ["path", "speaker"]
    )
    code, out, err = run("verify @speakers @claims.csv")
    assert code == 1
    assert out.split("\t")[1::2][0] == "ann"
    assert "the speaker is not enrolled; got 'eve'; expected one of ann, bob" in err
    assert "2 of 3 recordings failed" in err


def test_enrol_goes_on_without_bad_recordings(run, corpus):
    code, out, _ = run("enrol @bad.csv -o @x -k 4 --json")
    assert code == 0
    (summary,) = lines(out)
    assert summary["speakers"] == {"ann": 7, "bob": 7}
    assert len(summary["unused"]) == len(BAD)
    assert "wants a speaker for each recording" in run("enrol @anonymous.csv -o @never")[2]
    kept, again = load(corpus / "speakers"), load(corpus / "x")
    samples = soundfile.read(corpus / "0.flac")[0]
    np.testing.assert_array_equal(kept.scores([samples]), again.scores([samples]))
    np.testing.assert_array_equal(kept.scores(samples), kept.scores(kept.features(samples)))


# -- real recordings ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_yesno_without_an_option(shared_data, tmp_path, capsys):
    folder = shared_data / "speech" / "yesno"
    with open(folder / "transcripts.tsv") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    for split in ("train", "test"):
        chosen = [(folder / "waves_yesno" / row["file"], row["words"]) for row in rows if row["split"] == split]
        write_manifest(tmp_path / f"{split}.csv", chosen, TOLD)
    assert main(["speech", "train", f"{tmp_path}/train.csv", "-o", f"{tmp_path}/model"]) == 0
    assert main(["speech", "recognise", f"{tmp_path}/model", f"{tmp_path}/test.csv", "--score"]) == 0
    told = capsys.readouterr().err
    assert "word error rate 0.00%: 0 substitutions, 0 deletions, 0 insertions in 232 words" in told


@pytest.mark.parametrize(("model", "kind"), [("model", "speech-recogniser"), ("speakers", "gmm-ubm")])
def test_info_tells_of_models_without_filling_the_terminal(corpus, capsys, model, kind):
    assert main(["info", f"{corpus}/{model}"]) == 0
    out = capsys.readouterr().out
    assert kind in out
    assert "log_likelihood" in out
    assert len(out.splitlines()) < 200
    assert main(["info", f"{corpus}/{model}", "--json"]) == 0
    assert np.isfinite(json.loads(capsys.readouterr().out)["fit"]["log_likelihood"])
