"""Calibration against HMMER 3.4, which draws the same random sequences."""

import numpy as np
import pytest

from seqem.io.hmmer3 import read_model
from seqem.profile.calibrate import calibrate, uniforms
from seqem.profile.evalue import exponential_log_survival, gumbel_fit, gumbel_quantile, gumbel_survival


def golden_models(folder):
    return sorted(path for path in (folder / "profile" / "golden").glob("*.hmm") if path.stat().st_size)


def test_statistics_are_hmmers_for_every_golden_model(shared_data):
    for path in golden_models(shared_data):
        core = read_model(path)
        # The files hold four decimals of locations and five of scales.
        np.testing.assert_allclose(calibrate(core).calibration, core.calibration, rtol=0, atol=1e-3, err_msg=path.name)


def test_uniforms_follow_the_recurrence():
    x, expected = 12345, []
    for _ in range(1000):
        x = (69069 * x + 1) % 2**32
        expected.append(x / 2**32)
    assert uniforms(12345, 1000).tolist() == expected


def test_gumbel_fit_finds_what_was_drawn():
    rng = np.random.default_rng(0)
    scores = 3.0 - np.log(-np.log(rng.random(200_000))) / 0.7
    location, scale = gumbel_fit(scores)
    assert location == pytest.approx(3.0, abs=0.02)
    assert scale == pytest.approx(0.7, rel=0.01)
    quantile = gumbel_quantile(0.9, location, scale)
    assert float(gumbel_survival(np.array(quantile), location, scale)) == pytest.approx(0.1)
    assert float(exponential_log_survival(1.0, 2.0, 0.7)) == 0.0
