import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqem.plot.clusters import cluster_ellipses
from seqem.plot.emissions import emission_bars, emission_densities
from seqem.plot.history import training_curve
from seqem.plot.loadings import loadings_map
from seqem.plot.path import parameter_path, touching_bounds
from seqem.plot.residuals import censored_residuals
from seqem.plot.states import state_posteriors
from seqem.plot.style import PALETTE, colours
from seqem.plot.transitions import transition_matrix

RNG = np.random.default_rng(0)


def _render(ax):
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", dpi=40)
    return buffer.getvalue()


def _legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


PICTURES = {
    "curve": lambda ax: training_curve([-3.0, -2.0], ax=ax),
    "states": lambda ax: state_posteriors(RNG.dirichlet(np.ones(3), 50), path=np.zeros(50, int), ax=ax),
    "transitions": lambda ax: transition_matrix(np.eye(3), ax=ax),
    "bars": lambda ax: emission_bars(np.full((2, 4), 0.25), "ACGT", ax=ax),
    "clusters": lambda ax: cluster_ellipses(np.eye(2), [np.eye(2)] * 2, [[0, 1], [np.nan, 1]], [0, 1], ax=ax),
    "loadings": lambda ax: loadings_map(RNG.normal(size=(40, 3)), ax=ax),
    "residuals": lambda ax: censored_residuals([0.0, 1.0], [0.5, -0.5], [True, False], ax=ax),
    "path": lambda ax: parameter_path(
        [0, 1, 2], [0, 1], [[-3, -2, -np.inf], [-1, 0, -2]], {"em": [[0, 0], [1, 1]]}, ax=ax
    ),
    "bounds": lambda ax: touching_bounds([0, 1, 2], [-3, -1, -2], {1.0: [-4, -1, -3]}, ax=ax),
    "densities": lambda ax: emission_densities(np.arange(4), np.ones((2, 4)), data=[1.0, np.nan, 2.0], ax=ax),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_picture_is_drawn_where_asked(picture):
    assert _render(picture(None)).startswith(b"\x89PNG")
    ax = Figure().add_subplot()
    assert picture(ax) is ax
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_colours():
    assert colours(3) == list(PALETTE[:3])
    assert len(set(colours(20))) == 20


def test_training_curve_of_runs():
    ax = training_curve({"a": [1, 2, 3], "b": [1, 4]})
    assert _legend(ax) == ["a", "b"]
    lengths = [len(line.get_xdata()) for line in ax.lines]
    assert lengths == [3, 1, 2, 1]
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert _legend(training_curve([[1, 2], [2, 3]])) == ["run 0", "run 1"]


def test_training_curve_of_one_run_has_no_legend():
    assert training_curve([1, 2, 3]).get_legend() is None


def test_state_posteriors_are_stacked():
    posterior = RNG.dirichlet(np.ones(3), 40)
    ax = state_posteriors(posterior, names=["a", "b", "c"])
    assert _legend(ax) == ["a", "b", "c"]
    tops = np.array([patch.get_data().values for patch in ax.patches])
    np.testing.assert_allclose(tops, np.cumsum(posterior, axis=1).T)
    assert ax.get_ylim() == (0, 1)
    assert ax.get_xlim() == (-0.5, 39.5)


def test_path_is_a_ribbon_over_the_areas():
    path = np.repeat([0, 2, 1], 10)
    ax = state_posteriors(np.full((30, 3), 1 / 3), path=path)
    (ribbon,) = ax.collections
    assert ribbon.get_array().ravel().tolist() == path.tolist()
    assert ax.get_yticklabels()[-1].get_text() == "path"
    assert ax.get_ylim()[1] > 1


def test_states_along_given_places():
    ax = state_posteriors(np.full((3, 2), 0.5), x=[1900.0, 1901.0, 1903.0])
    assert ax.patches[0].get_data().edges.tolist() == [1899.5, 1900.5, 1902, 1904]


def test_states_of_one_step():
    assert state_posteriors([[0.2, 0.8]], x=[7.0]).get_xlim() == (6.5, 7.5)


def test_long_sequences_are_drawn_in_bins():
    n = 1_000_000
    path = (np.arange(n) >= n // 2).astype(int)
    ax = state_posteriors(np.eye(2)[path], path=path)
    values, edges, _ = ax.patches[0].get_data()
    assert len(values) <= 1500
    assert (edges[0], edges[-1]) == (-0.5, n - 0.5)
    np.testing.assert_allclose(np.sum(values * np.diff(edges)), n / 2, rtol=1e-3)
    assert _render(ax)


def test_transition_numbers():
    ax = transition_matrix([[0.95, 0.05], [0.1, 0.9]], names=["fair", "loaded"])
    assert [text.get_text() for text in ax.texts] == ["0.95", "0.05", "0.1", "0.9"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["fair", "loaded"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("to", "from")


def test_large_transition_matrix_has_a_bar_and_no_numbers():
    ax = transition_matrix(np.eye(60))
    assert not ax.texts
    assert len(ax.figure.axes) == 2
    assert len(ax.get_xticks()) <= 25


def test_emission_bars():
    ax = emission_bars([[0.4, 0.6], [0.5, 0.5], [0.9, 0.1]], symbols="HT", names=["a", "b", "c"])
    assert [bar.get_height() for bar in ax.patches] == [0.4, 0.6, 0.5, 0.5, 0.9, 0.1]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["H", "T"]
    assert _legend(ax) == ["a", "b", "c"]


def test_many_symbols_are_not_all_labelled():
    assert len(emission_bars(np.full((1, 200), 1 / 200)).get_xticks()) <= 30


def test_emission_densities_with_shares():
    grid = np.linspace(-1, 1, 5)
    ax = emission_densities(grid, np.ones((2, 5)), data=RNG.uniform(-1, 1, 100), weights=[0.25, 0.75])
    assert _legend(ax) == ["data", "state 0", "state 1", "all states"]
    assert [line.get_ydata()[0] for line in ax.lines] == [0.25, 0.75, 1.0]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (lambda: state_posteriors(np.ones(3)), "expected \\(T, K\\)"),
        (lambda: state_posteriors(np.ones((0, 2))), "expected \\(T, K\\)"),
        (lambda: state_posteriors(np.ones((3, 2)), names=["a"]), "got 1 names; expected 2"),
        (lambda: transition_matrix(np.ones((2, 3))), "expected \\(K, K\\)"),
        (lambda: emission_bars(np.ones(3)), "expected \\(K, M\\)"),
        (lambda: emission_bars(np.ones((1, 3)), symbols="AB"), "got 2 symbols; expected 3"),
        (lambda: emission_densities(np.ones(3), np.ones((2, 4))), "expected \\(G,\\)"),
    ],
)
def test_wrong_shapes_are_named(picture, message):
    with pytest.raises(ValueError, match=message):
        picture()


@pytest.mark.slow
def test_no_window_system_is_loaded():
    code = "import sys, seqem.plot.states, seqem.plot.history; print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_ellipses_hold_half_and_95_percent():
    covariance = np.array([[2.0, 0.7], [0.7, 0.5]])
    points = RNG.multivariate_normal([1.0, -2.0], covariance, size=20_000)
    ax = cluster_ellipses([[1.0, -2.0]], [covariance])
    inside = [
        patch.get_path().contains_points(patch.get_patch_transform().inverted().transform(points)).mean()
        for patch in ax.patches
    ]
    np.testing.assert_allclose(inside, [0.5, 0.95], atol=0.012)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected"):
        cluster_ellipses(np.zeros((2, 3)), np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match="expected"):
        loadings_map(np.zeros((2, 1)), columns=["a"])
    with pytest.raises(ValueError, match="expected"):
        censored_residuals([0.0], [0.0, 1.0], [True])
    with pytest.raises(ValueError, match="expected"):
        parameter_path([0, 1], [0], np.zeros((2, 1)), {})
