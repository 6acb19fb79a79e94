from typing import Any, NamedTuple

import numpy as np
import pytest

from seqem.core.tree import tree_add, tree_equal, tree_leaves, tree_map, tree_scale


class Pair(NamedTuple):
    x: Any
    y: Any = None


TREE = {"a": Pair(np.array([1.0, 2.0]), (3, None)), "b": [np.float64(4.0), {"c": np.array([[5.0]])}]}


def test_names_are_dotted_paths_and_none_has_no_leaf():
    assert [name for name, _ in tree_leaves(TREE)] == ["a.x", "a.y.0", "b.0", "b.1.c"]
    assert list(tree_leaves(None)) == []
    assert list(tree_leaves(7)) == [("", 7)]


def test_map_keeps_the_structure():
    doubled = tree_map(lambda leaf: 2 * leaf, TREE)
    assert isinstance(doubled["a"], Pair)
    assert isinstance(doubled["b"], list)
    assert doubled["a"].y == (6, None)
    assert doubled["b"][1]["c"].tolist() == [[10.0]]
    assert TREE["a"].x.tolist() == [1.0, 2.0]


def test_map_visits_leaves_in_the_order_of_their_names():
    seen = []
    tree_map(seen.append, TREE)
    assert [id(leaf) for leaf in seen] == [id(leaf) for _, leaf in tree_leaves(TREE)]


def test_add_and_scale_agree():
    assert tree_equal(tree_add(TREE, TREE), tree_scale(TREE, 2.0))


def test_dicts_are_matched_by_name_not_by_order():
    assert tree_add({"a": 1, "b": 10}, {"b": 20, "a": 2}) == {"a": 3, "b": 30}


def test_different_structures_do_not_add():
    with pytest.raises(ValueError):
        tree_add((1, 2), (1, 2, 3))
    with pytest.raises(KeyError):
        tree_add({"a": 1}, {"b": 1})


def test_equal_is_to_the_bit_and_by_name():
    assert tree_equal(TREE, tree_scale(TREE, 1.0))
    assert not tree_equal({"a": 1.0}, {"a": np.nextafter(1.0, 2.0)})
    assert not tree_equal({"a": 1.0}, {"b": 1.0})
    assert not tree_equal(Pair(1.0), Pair(1.0, 2.0))
    assert not tree_equal({"a": np.ones(2)}, {"a": np.ones(3)})
    assert tree_equal({"a": np.array([np.nan])}, {"a": np.array([np.nan])})
    assert tree_equal({"a": np.array(["x"])}, {"a": np.array(["x"])})
