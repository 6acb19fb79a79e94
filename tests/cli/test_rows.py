"""Models of rows from the command line: the answers are the estimators' own."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from seqem import FactorAnalysis, GaussianMixture, Mixture, MultivariateNormal, Poisson, Tobit, load
from seqem.cli.app import main

RNG = np.random.default_rng(0)
N = 120
PLANE = pd.DataFrame(RNG.normal(size=(N, 2)) + np.where(RNG.random((N, 1)) < 0.4, 0.0, 5.0), columns=["a", "b"])
HOLES = pd.DataFrame(RNG.normal(size=(N, 4)) + RNG.normal(size=(N, 1)), columns=list("pqrs")).mask(
    RNG.random((N, 4)) < 0.1
)
CUT = pd.DataFrame({"x": RNG.normal(size=N), "kind": RNG.choice(["u", "v"], N), "w": RNG.integers(1, 4, N)})
CUT["y"] = np.maximum(1 + CUT["x"] + (CUT["kind"] == "v") + RNG.normal(size=N), 0.0)
CUT["high"] = np.where(CUT["y"] > 3, np.inf, CUT["y"])
COUNTS = pd.DataFrame({"n": RNG.poisson(np.where(RNG.random(N) < 0.5, 2, 11))})
TABLES = {"plane": PLANE, "holes": HOLES, "cut": CUT, "counts": COUNTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for name, table in TABLES.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    np.save(folder / "plane.npy", PLANE.to_numpy())
    for words in (
        "fit gaussian-mixture @plane.csv -k 2 -o @gm",
        "fit mixture @counts.csv -k 2 --emission poisson -o @mixture",
        "fit tobit @cut.csv --columns x,w -y y -o @tobit",
        "fit factor-analysis @holes.csv -q 1 -o @fa",
        "fit multivariate-normal @holes.csv -o @mvn",
    ):
        assert main([word.replace("@", f"{folder}/") for word in words.split()]) == 0
    return folder


@pytest.fixture
def run(folder, capsys):
    capsys.readouterr()

    def call(words):
        code = main([word.replace("@", f"{folder}/") for word in words.split()])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def table(text):
    return pd.read_csv(io.StringIO(text), sep="\t")


def test_models_are_those_of_the_estimators(folder):
    assert load(folder / "gm").log_likelihood_ == GaussianMixture(2, random_state=0).fit(PLANE).log_likelihood_
    assert load(folder / "mixture").log_likelihood_ == Mixture(Poisson(), 2, random_state=0).fit(COUNTS).log_likelihood_
    assert load(folder / "fa").log_likelihood_ == FactorAnalysis(1).fit(HOLES).log_likelihood_
    np.testing.assert_array_equal(
        load(folder / "tobit").coef_, Tobit().fit(CUT[["x", "w"]].astype(float), CUT["y"]).coef_
    )


def test_predict_says_what_the_estimators_say(run):
    shown = table(run("predict @gm @plane.csv")[1])
    model = GaussianMixture(2, random_state=0).fit(PLANE)
    np.testing.assert_array_equal(shown["component"], model.predict(PLANE))
    np.testing.assert_allclose(shown[["p0", "p1"]], model.predict_proba(PLANE), rtol=1e-9, atol=1e-300)
    shown = table(run("predict @mvn @holes.csv")[1])
    np.testing.assert_allclose(shown[list("pqrs")], MultivariateNormal().fit(HOLES).impute(HOLES), rtol=1e-9)
    shown = table(run("predict @fa @holes.csv")[1])
    np.testing.assert_allclose(shown[["factor0"]], FactorAnalysis(1).fit(HOLES).transform(HOLES), rtol=1e-8)
    shown = table(run("predict @tobit @cut.csv")[1])
    np.testing.assert_allclose(shown[["p_left", "p_observed", "p_right"]].sum(axis=1), 1.0, rtol=1e-9)


def test_scores_add_up_to_the_log_likelihood(run, folder):
    for words, name in (("@gm @plane.csv", "gm"), ("@tobit @cut.csv -y y", "tobit"), ("@fa @holes.csv", "fa")):
        total = table(run(f"score {words}")[1])["log_likelihood"].sum()
        assert total == pytest.approx(load(folder / name).log_likelihood_, rel=1e-9)


def test_a_formula_is_given_again_to_predict(run):
    code, out, _ = run("fit tobit @cut.csv --formula y~x+kind -o @formula")
    assert code == 0
    assert "kind[T.v]" in out
    code, _, err = run("predict @formula @cut.csv")
    assert code == 2
    assert "--formula" in err
    shown = table(run("predict @formula @cut.csv --formula y~x+kind")[1])
    expected = Tobit.from_formula("y ~ x + kind", CUT).predict(CUT)
    np.testing.assert_allclose(shown["censored"], expected, rtol=1e-9)


def test_bounds_and_weights(run, folder):
    assert run("fit tobit @cut.csv --columns x -y y,high --weights w --left=-inf -o @interval")[0] == 0
    direct = Tobit(-np.inf).fit(CUT[["x"]], CUT[["y", "high"]].to_numpy(), CUT["w"].to_numpy(float))
    np.testing.assert_allclose(load(folder / "interval").coef_, direct.coef_, rtol=1e-12)


def test_select(run):
    code, out, _ = run("select gaussian-mixture @plane.csv -k 1:3 --covariance EII --json -o @best")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["n_components"] for row in rows] == [1, 2, 3]
    assert [row["best"] for row in rows] == [row["bic"] == min(r["bic"] for r in rows) for row in rows]
    code, out, _ = run("select factor-analysis @holes.csv -k 1:2 --criterion aicc")
    assert code == 0
    assert "best by AICC: 1 factor" in out


def test_sample_and_info(run):
    drawn = pd.read_csv(io.StringIO(run("sample @gm -n 50 --with-states")[1]))
    assert drawn.columns.tolist() == ["a", "b", "component"]
    assert len(drawn) == 50
    assert pd.read_csv(io.StringIO(run("sample @fa -n 5")[1])).shape == (5, 4)
    assert "n_parameters  11" in run("info @gm")[1]
    assert json.loads(run("info @tobit --json")[1])["model"] == "tobit"


@pytest.mark.parametrize(
    "words",
    [
        "@gm @plane.csv --what clusters", "@gm --what clusters --columns b,a", "@fa --what loadings",
        "@tobit @cut.csv -y y --what residuals", "@gm --what history --beside @mixture",
    ],
)  # fmt: skip
def test_pictures(run, folder, words):
    assert run(f"plot {words} -o @picture.png")[0] == 0
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_an_array_without_names(run, folder):
    assert run("fit gaussian-mixture @plane.npy -k 2 -o @bare")[0] == 0
    assert load(folder / "bare").log_likelihood_ == load(folder / "gm").log_likelihood_
    assert len(table(run("predict @bare @plane.npy")[1])) == N


def test_a_checkpoint_goes_on(run, folder):
    words = "fit mixture @counts.csv -k 2 --emission poisson --checkpoint @check -o @half --tolerance 0 --iterations"
    assert run(f"{words} 5")[0] == 0
    assert run(f"{words} 12")[0] == 0
    straight = Mixture(Poisson(), 2, random_state=0, max_iter=12, tol=0).fit(COUNTS)
    assert load(folder / "half").log_likelihood_ == straight.log_likelihood_


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fit gaussian-mixture @plane.csv -o @x", "wants --states"),
        ("fit factor-analysis @holes.csv -o @x", "wants --factors"),
        ("fit tobit @cut.csv --columns x -o @x", "wants --response"),
        ("fit tobit @cut.csv -k 2 -y y -o @x", "no --states"),
        ("fit gaussian-mixture @plane.csv -k 2 -y a -o @x", "no --response"),
        ("fit multivariate-normal @holes.csv --weights p --labels q -o @x", "no --labels"),
        ("fit gaussian-mixture @plane.csv -k 2 --formula a~b -o @x", "no --formula"),
        ("fit poisson-hmm @counts.csv -k 2 --weights n -o @x", "no --response, --formula, --weights"),
        ("fit gaussian-mixture @plane.csv -k 2 --alphabet dna -o @x", "for sequences"),
        ("fit gaussian-mixture @plane.csv -k 2 --covariance XYZ -o @x", "'XYZ' is not one of"),
        ("select tobit @cut.csv", "tobit has no --states"),
        ("sample @tobit -n 3", "cannot be sampled"),
        ("plot @fa --what clusters -o @x.png", "Gaussian mixtures"),
        ("plot @gm --what posterior -o @x.png", "wants an INPUT"),
        ("plot @gm --what transitions -o @x.png", "models of sequences"),
        ("plot @tobit --what residuals -o @x.png", "wants an INPUT"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_code_2(run, folder, words, message):
    code, _, err = run(words)
    assert code == 2
    assert message in err
    assert not (folder / "x").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fit gaussian-mixture @cut.csv -k 2 -o @x", "column 'kind' is not a number"),
        ("predict @gm @counts.csv", "no such column"),
        ("fit tobit @cut.csv --formula y~nothing -o @x", "the formula cannot be used"),
        ("fit gaussian-mixture @plane.csv -k 500 -o @x", "fewer rows than components"),
        ("fit gaussian-mixture @missing.csv -k 2 -o @x", "cannot be opened"),
    ],
)
def test_bad_data_is_code_1(run, folder, words, message):
    code, _, err = run(words)
    assert code == 1
    assert message in err.splitlines()[-1]
    assert not (folder / "x").exists()
