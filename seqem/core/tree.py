"""Trees of arrays: nested NamedTuples, tuples, lists and dicts whose leaves are arrays, numbers or None."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from seqem.shapes import Array

Tree = TypeVar("Tree")


def _rebuild(like: Any, children: list[Any]) -> Any:
    if isinstance(like, dict):
        return dict(zip(like, children, strict=True))
    if hasattr(like, "_fields"):
        return type(like)(*children)
    return type(like)(children)


def tree_map(function: Callable[..., Any], first: Tree, *rest: Any) -> Tree:
    """Return the tree whose leaves are ``function`` of the leaves of trees of one structure.

    Examples
    --------
    >>> tree_map(lambda a, b: a + b, {"n": 1.0, "x": (2.0, None)}, {"n": 3.0, "x": (4.0, None)})
    {'n': 4.0, 'x': (6.0, None)}
    """
    if first is None:
        return None  # type: ignore[return-value]
    if isinstance(first, dict):
        return _rebuild(first, [tree_map(function, v, *(r[k] for r in rest)) for k, v in first.items()])
    if isinstance(first, (tuple, list)):
        return _rebuild(first, [tree_map(function, *children) for children in zip(first, *rest, strict=True)])
    return function(first, *rest)


def tree_leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``(dotted name, leaf)`` for every leaf of ``tree`` that is not None.

    Examples
    --------
    >>> list(tree_leaves({"a": 1, "b": (2, None)}))
    [('a', 1), ('b.0', 2)]
    """
    if tree is None:
        return
    if isinstance(tree, dict):
        children: Any = tree.items()
    elif hasattr(tree, "_fields"):
        children = zip(tree._fields, tree, strict=True)
    elif isinstance(tree, (tuple, list)):
        children = enumerate(tree)
    else:
        yield path, tree
        return
    for name, child in children:
        yield from tree_leaves(child, f"{path}.{name}" if path else str(name))


def tree_vector(tree: Any) -> Array:
    """Return all leaves as one vector.

    Examples
    --------
    >>> tree_vector({"a": 1.0, "b": ([2.0, 3.0], None)}).tolist()
    [1.0, 2.0, 3.0]
    """
    return np.concatenate([np.ravel(np.asarray(leaf, dtype=np.float64)) for _, leaf in tree_leaves(tree)])


def tree_add(a: Tree, b: Tree) -> Tree:
    """Return the leaf-wise sum of two trees."""
    return tree_map(np.add, a, b)


def tree_scale(tree: Tree, factor: float) -> Tree:
    """Return ``tree`` with every leaf multiplied by ``factor``."""
    return tree_map(lambda leaf: factor * leaf, tree)


def tree_equal(a: Any, b: Any) -> bool:
    """Return whether two trees have the same names and bit-equal leaves (NaN equals NaN)."""
    left, right = list(tree_leaves(a)), list(tree_leaves(b))
    return [n for n, _ in left] == [n for n, _ in right] and all(
        np.array_equal(x, y, equal_nan=np.issubdtype(np.asarray(x).dtype, np.inexact))
        for (_, x), (_, y) in zip(left, right, strict=True)
    )
