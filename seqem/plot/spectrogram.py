"""What a recording sounds like over time, and what is said in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from seqem.plot.style import INK, PALETTE, new_axes

_INCHES_A_SECOND, _NARROWEST, _WIDEST = 2.2, 9.0, 40.0
_SOUND_INCHES, _TIER_INCHES = 2.4, 0.48
# Of a label: points of its letters, the smallest across and upright; how wide a letter is and how high a line, of that.
_POINTS, _LEAST_ACROSS, _LEAST_UPRIGHT = 8.0, 6.5, 5.0
_LETTER, _LINE = 0.64, 1.2
_RANGE = (25.0, 99.8)  # percentiles between which values are shaded
_PALEST, _DARKEST = 0.06, 0.65
_UNKNOWN = 0.8


def plot_spectrogram(
    values: Any,
    shift: float,
    tiers: Mapping[str, Sequence[Any]] | None = None,
    ax: Axes | None = None,
    high: float | None = None,
) -> Axes:
    """Draw a spectrogram or other features over time, and below it tiers of what is said when.

    Parameters
    ----------
    values : array, shape (T, D)
        Logarithms of power, low frequencies first, or features.
    shift : float
        Seconds from frame to frame.
    tiers : mapping of name to sequence of tuples, optional
        Start and end in seconds, label, and perhaps a posterior from 0 to 1, which deepens the colour; labels are left out
        where there is no room for them.
    ax : Axes, optional
        Where to draw; a new figure, wider for longer recordings, by default.
    high : float, optional
        Frequency of the last column in hertz, where columns are frequencies.

    Returns
    -------
    Axes
        The picture; tiers lie below 0 of its vertical axis, whose range above 0 is kHz or number of features.

    Examples
    --------
    >>> ax = plot_spectrogram(np.random.default_rng(0).normal(size=(50, 9)), 0.01, {"words": [(0.1, 0.4, "yes", 0.9)]})
    >>> [text.get_text() for text in ax.texts]
    ['yes']
    """
    values = np.asarray(values, float)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"got values of shape {values.shape}; expected (T, D) with T and D at least 1")
    tiers = {} if tiers is None else tiers
    seconds, top = len(values) * shift, values.shape[1] if high is None else high / 1000
    width = float(np.clip(seconds * _INCHES_A_SECOND, _NARROWEST, _WIDEST))
    ax = new_axes(ax, width, _SOUND_INCHES + _TIER_INCHES * len(tiers) + 0.6)
    darkest, lightest = np.percentile(values, _RANGE[::-1])
    ax.imshow(
        values.T, origin="lower", aspect="auto", extent=(0, seconds, 0, top), cmap="Greys",
        vmin=lightest, vmax=darkest, interpolation="antialiased",
    )  # fmt: skip
    height = top * _TIER_INCHES / _SOUND_INCHES
    ax.set(xlim=(0, seconds), ylim=(-height * len(tiers), top))
    marks = [mark for mark in ax.get_yticks() if 0 <= mark <= top]
    middles = [-height * (row + 0.5) for row in range(len(tiers))]
    ax.set_yticks([*marks, *middles], [*(f"{mark:g}" for mark in marks), *tiers])
    for tick in ax.yaxis.get_major_ticks()[len(marks) :]:
        tick.tick1line.set_visible(False)
    scale = _points_a_second(ax, seconds)
    for row, segments in enumerate(tiers.values()):
        for segment in segments:
            _draw(ax, segment, -height * (row + 1), height, PALETTE[row % len(PALETTE)], scale)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set(xlabel="time (s)")
    ax.set_ylabel("feature" if high is None else "frequency (kHz)", y=1 - top / (2 * (top + height * len(tiers))))
    return ax


def _points_a_second(ax: Axes, seconds: float) -> float:
    """Return how many points of print a second takes, about."""
    return 72 * ax.figure.get_figure(root=True).get_figwidth() * 0.9 * ax.get_position().width / 0.775 / seconds  # type: ignore[union-attr]


def _draw(ax: Axes, segment: Sequence[Any], low: float, height: float, colour: str, scale: float) -> None:
    start, end, label = segment[:3]
    posterior = segment[3] if len(segment) > 3 and segment[3] is not None else _UNKNOWN
    shade = _PALEST + (_DARKEST - _PALEST) * float(np.clip(posterior, 0, 1))
    box = Rectangle((start, low), end - start, height, facecolor=(colour, shade), edgecolor="white", linewidth=0.8)
    ax.add_patch(box)
    label, room = str(label), (end - start) * scale
    across = min(_POINTS, room / (_LETTER * max(len(label), 1)))
    upright = min(_POINTS, room / _LINE, (72 * _TIER_INCHES - 4) / (_LETTER * max(len(label), 1)))
    if across >= _LEAST_ACROSS or upright >= _LEAST_UPRIGHT:
        style = {"fontsize": across} if across >= _LEAST_ACROSS else {"fontsize": upright, "rotation": 90.0}
        place: dict[str, Any] = {"ha": "center", "va": "center", "color": INK, "clip_on": True, "parse_math": False}
        ax.text((start + end) / 2, low + height / 2, label, **style, **place)
