"""Feature files from the command line."""

import json

import numpy as np
import pytest
import soundfile

from seqem.cli.app import main
from seqem.io.htk import read_htk
from seqem.io.kaldi import read_scp
from seqem.speech.features import Features

NOISE = (0.1 * np.random.default_rng(0).normal(size=8000)).clip(-1, 1)


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", NOISE, 8000, subtype="FLOAT")
    (tmp_path / "bad.wav").write_text("no sound")
    return tmp_path


def test_files_hold_what_the_recipe_gives(folder, capsys):
    words = ["features", f"{folder}/a.wav", f"{folder}/b.wav", "-o", f"{folder}/out", "--json"]
    assert main(words) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["frames"] for row in told] == [98, 98]
    wanted = Features(sample_rate=8000)(NOISE.astype(np.float32).astype(float))
    np.testing.assert_allclose(np.load(folder / "out" / "a.npy"), wanted)
    assert main([*words[:-1], "--as", "htk", "--energy", "log", "--deltas", "1", "--sample-rate", "16000"]) == 0
    found = read_htk(folder / "out" / "b.htk")
    assert set(found.kind.split("_")) == {"MFCC", "E", "D"}
    assert main([*words[:-1], "--normalise", "variance"]) == 0
    again = np.load(folder / "out" / "a.npy")
    np.testing.assert_allclose([again.mean(axis=0), again.std(axis=0)], [[0.0] * 39, [1.0] * 39], atol=1e-9)
    assert found.frames.shape == (98, 26)


def test_a_bad_recording_does_not_stop_the_others(folder, capsys):
    assert main(["features", f"{folder}/bad.wav", f"{folder}/a.wav", "-o", f"{folder}/out"]) == 1
    shown = capsys.readouterr()
    assert "bad.wav" in shown.err
    assert "1 of 2 inputs failed" in shown.err
    assert (folder / "out" / "a.npy").exists()
    assert main(["features", f"{folder}/a.wav", f"{folder}/a.wav", "-o", f"{folder}/out"]) == 2
    assert main(["features", f"{folder}/a.wav", "-o", f"{folder}/out", "--kind", "lpc"]) == 2


def test_an_archive_holds_all_recordings(folder, capsys):
    soundfile.write(folder / "a b.wav", NOISE, 8000)
    words = ["features", f"{folder}/a.wav", f"{folder}/bad.wav", f"{folder}/a b.wav", f"{folder}/b.wav"]
    assert main([*words, "-o", f"{folder}/out", "--to", "ark", "--json"]) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row.get("frames") for row in told] == [98, None, None, 98]
    assert "cannot name the recording" in told[2]["error"]
    found = dict(read_scp(folder / "out" / "features.scp"))
    assert list(found) == ["a", "b"]
    np.testing.assert_allclose(found["a"], Features(sample_rate=8000)(NOISE.astype(np.float32).astype(float)))
    assert main(["features", f"{folder}/bad.wav", "-o", f"{folder}/none", "--to", "ark"]) == 1
    assert not list((folder / "none").iterdir())
