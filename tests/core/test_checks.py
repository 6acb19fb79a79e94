import numpy as np
import pytest

from seqem.core.checks import at_least, counts, positive_rows, probabilities, refuse, rows, spread
from seqem.errors import DataError, ParameterError


def test_rows_are_float64_in_c_order():
    got = rows(np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)))
    assert got.dtype == np.float64
    assert got.flags.c_contiguous
    assert rows([[1, None]]).tolist()[0][0] == 1.0
    assert rows(np.zeros((0, 3))).shape == (0, 3)
    assert rows([]).shape == (0, 1)


@pytest.mark.parametrize("bad", [3.0, [[[1.0]]], np.zeros((2, 0)), [["a"]], [np.inf]])
def test_rows_refuses(bad):
    with pytest.raises(DataError):
        rows(bad)


def test_ranges():
    assert counts([0, 2, np.nan]).shape == (3, 1)
    assert positive_rows([0.0], zero=True).tolist() == [[0.0]]
    with pytest.raises(DataError, match="row 0, column 0"):
        positive_rows([0.0])
    with pytest.raises(DataError, match="not a count"):
        counts([0.5])


def test_refuse_names_the_first_row():
    with pytest.raises(DataError, match=r"odd in row 2; got 5; expected even. Hint: halve it"):
        refuse(np.array([False, False, True, True]), np.array([2, 4, 5, 7]), "odd", expected="even", hint="halve it")


def test_parameters():
    assert spread(1.0, (2, 3), "x").shape == (2, 3)
    with pytest.raises(ParameterError, match=r"x has the wrong shape; got \(4,\)"):
        spread(np.ones(4), (2, 3), "x")
    at_least([1.0, 2.0], 1.0, "x")
    with pytest.raises(ParameterError, match="x is out of range"):
        at_least(np.nan, 0.0, "x")
    assert probabilities([0.5, 0.5], "p").dtype == np.float64
    for bad in (1.0, [0.5, 0.6], [1.5, -0.5], [np.nan, 1.0]):
        with pytest.raises(ParameterError, match="p is not a distribution"):
            probabilities(bad, "p")
