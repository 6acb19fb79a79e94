import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqem.plot.confusions import confusion_matrix


def test_counts_stand_where_there_are_any():
    ax = confusion_matrix([[9, 1, 0], [0, 8, 2]], ["yes", "no"], ["yes", "no", "(nothing)"])
    found = {text.get_position(): text.get_text() for text in ax.texts}
    assert found == {(0, 0): "9", (1, 0): "1", (1, 1): "8", (2, 1): "2"}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("heard", "said")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["yes", "no", "(nothing)"]
    ax.figure.savefig(io.BytesIO(), dpi=40)


def test_errors_have_a_colour_of_their_own():
    wrong, right = confusion_matrix([[9, 1], [0, 8]], ["yes", "no"]).images
    np.testing.assert_array_equal(wrong.get_array().mask, [[True, False], [True, True]])
    np.testing.assert_array_equal(right.get_array().mask, [[False, True], [True, False]])
    assert wrong.get_array()[0, 1] == pytest.approx(0.1)


def test_many_words_have_no_numbers():
    ax = Figure().add_subplot()
    assert confusion_matrix(np.eye(90), [f"word {i}" for i in range(90)], ax=ax) is ax
    assert not ax.texts
    assert len(ax.get_xticklabels()) == 45


def test_words_are_no_formulas():
    confusion_matrix([[1]], ["$a_{$"]).figure.savefig(io.BytesIO(), dpi=40)


def test_counts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected"):
        confusion_matrix(np.eye(3), ["yes", "no"])
