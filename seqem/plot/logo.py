"""Letters as tall as they are informative, one stack a position."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from seqem.plot.style import INK, PALETTE, new_axes

_BLUE, _ORANGE, _GREEN, _PINK, _, _RED, _GREY, _ = PALETTE
# By chemistry: polar, amides, basic, acidic, hydrophobic.
PROTEIN_COLOURS = {
    letter: colour
    for group, colour in (("GSTYC", _GREEN), ("NQ", _PINK), ("KRH", _BLUE), ("DE", _RED), ("AVLIPWFM", INK))
    for letter in group
}
NUCLEOTIDE_COLOURS = {"A": _GREEN, "C": _BLUE, "G": _ORANGE, "T": _RED, "U": _RED}

_UNSEEN = 1 / 400
_STACK_WIDTH = 0.94
# In inches.
_LETTERS_HIGH, _TRACK_HIGH = 1.6, 0.45


def letter_stacks(
    heights: Any, letters: str, colours: Mapping[str, str] | None = None, first: int = 1, ax: Axes | None = None
) -> Axes:
    """Draw one row of stacked letters, the tallest on top; negative ones hang below the line.

    Parameters
    ----------
    heights : array, shape (M, A)
        Height of each letter at each position.
    letters : str
        The A letters.
    colours : mapping of str to str, optional
        Colour of each letter; by default by chemistry of amino acids, or by nucleotide.
    first : int
        Number of the first position.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = letter_stacks([[1.0, 0.2, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]], "ACGT")
    >>> len(ax.collections[0].get_paths())
    3
    """
    table = _heights(heights, letters)
    palette = colours or (NUCLEOTIDE_COLOURS if set(letters) <= set("ACGTU") else PROTEIN_COLOURS)
    ax = new_axes(ax, min(2.0 + 0.25 * len(table), 14.0), 2.4)
    paths, faces = [], []
    # Letters too flat to be seen still lift those above them.
    unseen = _UNSEEN * np.abs(table).max()
    for m, a, bottom, height in _placed(table):
        if height > unseen:
            paths.append(_scaled(letters[a], first + m, bottom, height))
            faces.append(palette.get(letters[a], _GREY))
    ax.add_collection(PathCollection(paths, facecolors=faces, edgecolors="none"), autolim=False)
    low, high = np.minimum(table, 0).sum(axis=1).min(), np.maximum(table, 0).sum(axis=1).max()
    if low < 0:
        ax.axhline(0, color=INK, linewidth=0.6)
    ax.set(xlim=(first - 0.5, first + len(table) - 0.5), ylim=(low, high if high > low else low + 1.0), ylabel="bits")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def logo(
    heights: Any,
    letters: str,
    tracks: Mapping[str, Any] | None = None,
    columns_per_row: int = 60,
    colours: Mapping[str, str] | None = None,
) -> list[Axes]:
    """Draw a logo in a new figure, a long one in several rows.

    Parameters
    ----------
    heights : array, shape (M, A)
        Height of each letter at each position.
    letters : str
        The A letters.
    tracks : mapping of str to array, shape (M,), optional
        Numbers from 0 to draw as bars below the letters, with their names: such as how often a position is used.
    columns_per_row : int
        Positions in a row.
    colours : mapping of str to str, optional
        Colour of each letter.

    Returns
    -------
    list of Axes
        Those of the letters, one a row; save ``axes[0].figure``, whose ``axes`` have the tracks too.

    Examples
    --------
    >>> axes = logo([[1.0, 0.2, 0.0, 0.0]] * 5, "ACGT", {"occupancy": [1.0, 1.0, 0.5, 1.0, 1.0]}, columns_per_row=3)
    >>> len(axes), len(axes[0].figure.axes)
    (2, 4)
    """
    table = _heights(heights, letters)
    bars = {name: np.asarray(values, float) for name, values in (tracks or {}).items()}
    for name, values in bars.items():
        if values.shape != (len(table),):
            raise ValueError(f"got track {name!r} of shape {values.shape}; expected ({len(table)},)")
    if columns_per_row < 1:
        raise ValueError(f"got columns_per_row={columns_per_row}; expected 1 at least")
    starts = range(0, len(table), columns_per_row)
    columns = min(len(table), columns_per_row)
    figure = Figure(
        figsize=(1.5 + 0.18 * columns, len(starts) * (_LETTERS_HIGH + _TRACK_HIGH * len(bars))), layout="constrained"
    )
    ratios = [_LETTERS_HIGH, *[_TRACK_HIGH] * len(bars)] * len(starts)
    rows = figure.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios).reshape(len(starts), -1)
    tallest = np.maximum(table, 0).sum(axis=1).max()
    lowest = np.minimum(table, 0).sum(axis=1).min()
    for start, (top, *below) in zip(starts, rows, strict=True):
        part = slice(start, start + columns_per_row)
        letter_stacks(table[part], letters, colours, start + 1, top)
        top.set_ylim(lowest, tallest if tallest > lowest else lowest + 1.0)
        for ax, (name, values) in zip(below, bars.items(), strict=True):
            _track(ax, values[part], start + 1, name, values.max())
        for ax in (top, *below):
            ax.set_xlim(start + 0.5, start + columns + 0.5)
    return list(rows[:, 0])


def _heights(heights: Any, letters: str) -> np.ndarray:
    table = np.asarray(heights, float)
    if table.ndim != 2 or not len(table) or table.shape[1] != len(letters):
        raise ValueError(f"got heights of shape {table.shape}; expected (M, {len(letters)})")
    if not np.isfinite(table).all():
        raise ValueError("got heights that are not finite")
    return table


def _placed(table: np.ndarray) -> list[tuple[int, int, float, float]]:
    """Return position, letter, bottom and height of each letter, those next to the line first."""
    placed = []
    for m, row in enumerate(table):
        up = down = 0.0
        for a in np.argsort(np.abs(row), kind="stable"):
            height = float(row[a])
            if height > 0:
                placed.append((m, int(a), up, height))
                up += height
            elif height < 0:
                down += height
                placed.append((m, int(a), down, -height))
    return placed


@cache
def _unit_letter(letter: str) -> Path:
    """Return the outline of a letter, 1 high and centred; letters as wide as E are 1 wide, I is narrower."""
    font = FontProperties(family="DejaVu Sans", weight="bold")
    outline = TextPath((0, 0), letter, size=1, prop=font)
    box = outline.get_extents()
    widest = TextPath((0, 0), "E", size=1, prop=font).get_extents().width
    width = min(1.0, box.width / widest)
    scale = (width / box.width, 1 / box.height)
    centred = (np.asarray(outline.vertices) - (box.x0, box.y0)) * scale - (width / 2, 0)
    return Path(centred, outline.codes)


def _scaled(letter: str, x: float, bottom: float, height: float) -> Path:
    unit = _unit_letter(letter)
    return Path(np.asarray(unit.vertices) * (_STACK_WIDTH, height) + (x, bottom), unit.codes)


def _track(ax: Axes, values: np.ndarray, first: int, name: str, highest: float) -> None:
    ax.bar(np.arange(first, first + len(values)), values, _STACK_WIDTH, color=_GREY)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set(ylim=(0, highest if highest > 0 else 1.0))
    ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
    ax.set_xticks([])
