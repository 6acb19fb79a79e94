"""Where on a target the domains lie."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from seqem.plot.style import INK, colours, legend_beside, new_axes

_HEIGHT = 0.6


def domains(
    lengths: Sequence[int],
    spans: Sequence[Sequence[tuple[int, int]]],
    labels: Sequence[Sequence[str]],
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw targets as lines, one a row from the top, with their domains as boxes in the colour of the model.

    Parameters
    ----------
    lengths : sequence of int
        Residues of each target.
    spans : sequence of sequences of (int, int)
        First and last residue, from 1, of the domains of each target.
    labels : sequence of sequences of str
        The model of each domain.
    names : sequence of str, optional
        Name of each target.
    ax : Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    Axes
        The picture.

    Examples
    --------
    >>> ax = domains([300, 200], [[(10, 90), (120, 290)], [(5, 80)]], [["fn3", "Pkinase"], ["fn3"]])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['fn3', 'Pkinase']
    """
    names = [f"target {s}" for s in range(len(lengths))] if names is None else names
    if not len(lengths) == len(spans) == len(labels) == len(names):
        raise ValueError(f"got {len(lengths)} lengths, {len(spans)} spans, {len(labels)} labels and {len(names)} names")
    models = list(dict.fromkeys(label for row in labels for label in row))
    ax = new_axes(ax, 8.0, min(1.2 + 0.32 * len(lengths), 40.0))
    ax.hlines(range(len(lengths)), 1, lengths, color=INK, linewidth=1.2, zorder=1)
    for model, colour in zip(models, colours(len(models)), strict=True):
        boxes = [
            (row, first, last)
            for row, (places, of) in enumerate(zip(spans, labels, strict=True))
            for (first, last), label in zip(places, of, strict=True)
            if label == model
        ]
        rows, starts, ends = zip(*boxes, strict=True)
        widths = [last - first + 1 for first, last in zip(starts, ends, strict=True)]
        ax.barh(rows, widths, _HEIGHT, left=starts, color=colour, edgecolor=INK, linewidth=0.6, label=model, zorder=2)
    ax.set_yticks(range(len(lengths)), names)
    ax.set(xlabel="residue", xlim=(0, max(lengths, default=1) * 1.01), ylim=(len(lengths) - 0.4, -0.6))
    ax.tick_params(axis="y", length=0)
    if models:
        legend_beside(ax)
    return ax
