"""Heights and tracks of a logo against hmmlogo."""

import numpy as np
import pytest

from seqem.bio.alphabet import PROTEIN
from seqem.bio.background import background
from seqem.errors import ParameterError
from seqem.io.hmmer3 import read_model
from seqem.profile.logo import logo_heights, logo_tracks


@pytest.fixture(params=["globins4", "fn3", "Pkinase"])
def golden(request, shared_data):
    folder = shared_data / "profile"
    model = read_model(folder / "hmmer_tutorial" / f"{request.param}.hmm")
    return model, (folder / "golden" / f"{request.param}.hmmlogo.txt").read_text()


def numbers(text):
    lines = (line.partition("(")[0].partition(":") for line in text.splitlines())
    return np.array([[float(x) for x in values.split()] for number, _, values in lines if number.isdigit()])


def test_heights_and_tracks_are_those_of_hmmlogo(golden):
    model, text = golden
    heights, tracks = text.split("Indel values")
    np.testing.assert_allclose(logo_heights(model), numbers(heights), atol=5.1e-4)
    np.testing.assert_allclose(np.transpose(logo_tracks(model)), numbers(tracks), atol=5.1e-4)


def test_other_heights(golden):
    model, _ = golden
    match = model.match[1:]
    information = np.log2(20) + (match * np.log2(match)).sum(axis=1)
    np.testing.assert_allclose(logo_heights(model, "information").sum(axis=1), information, atol=1e-4)
    np.testing.assert_allclose(match / 2 ** logo_heights(model, "score"), np.tile(background(PROTEIN), (len(match), 1)))
    with pytest.raises(ParameterError, match="unknown heights"):
        logo_heights(model, "tall")
