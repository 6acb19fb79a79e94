import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seqem.plot.spectrogram import plot_spectrogram

VALUES = np.random.default_rng(0).normal(size=(200, 65))
TIERS = {"words": [(0.2, 1.0, "yes", 0.9), (1.0, 1.6, "no", 0.1)], "phones": [(0.2, 0.21, "y"), (1.0, 1.6, "n", None)]}


def boxes(ax):
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def test_sound_and_tiers_share_the_axis_of_time():
    ax = plot_spectrogram(VALUES, 0.01, TIERS, high=8000)
    assert ax.get_xlim() == (0, 2)
    assert ax.images[0].get_extent() == [0, 2, 0, 8]
    assert [(b.get_x(), b.get_width()) for b in boxes(ax)[:2]] == [(0.2, 0.8), (1.0, pytest.approx(0.6))]
    assert [tick.get_text() for tick in ax.get_yticklabels()][-2:] == ["words", "phones"]
    rows = {box.get_y() for box in boxes(ax)}
    assert len(rows) == 2
    assert max(rows) + boxes(ax)[0].get_height() == pytest.approx(0)
    assert ax.get_ylim()[0] == pytest.approx(min(rows))
    ax.figure.savefig(io.BytesIO(), dpi=40)


def test_posteriors_shade_and_labels_want_room():
    ax = plot_spectrogram(VALUES, 0.01, TIERS)
    sure, unsure, *_ = boxes(ax)
    assert sure.get_facecolor()[3] > unsure.get_facecolor()[3]
    assert [text.get_text() for text in ax.texts] == ["yes", "no", "n"]
    many = [(0.0, 0.15, "silence"), (0.15, 0.2, "silence"), (0.2, 0.21, "x"), (0.3, 0.32, "no room for it")]
    narrow = plot_spectrogram(VALUES, 0.01, {"states": many})
    assert [text.get_rotation() for text in narrow.texts] == [0.0, 90.0]


def test_labels_are_no_formulas():
    ax = plot_spectrogram(VALUES, 0.01, {"words": [(0.0, 1.0, "$a_{$")]})
    ax.figure.savefig(io.BytesIO(), dpi=40)


def test_it_is_drawn_where_asked():
    ax = Figure().add_subplot()
    assert plot_spectrogram(VALUES, 0.01, ax=ax) is ax
    assert not boxes(ax)
    assert ax.get_ylabel() == "feature"
    long = plot_spectrogram(np.zeros((20_000, 2)), 0.01)
    assert long.figure.get_figwidth() == 40


@pytest.mark.parametrize("values", [np.zeros(5), np.zeros((0, 3))])
def test_what_is_no_spectrogram_is_refused(values):
    with pytest.raises(ValueError, match="expected"):
        plot_spectrogram(values, 0.01)
