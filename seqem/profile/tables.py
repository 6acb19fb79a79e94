"""Tables of a search profile as the vector kernels want them: blocks of W nodes, padded with zeros."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqem.profile.configure import SearchProfile
from seqem.shapes import AnyArray, Array

Dim = tuple[int, ...]
_LINE = 64


@dataclass(frozen=True, eq=False)
class ForwardTables:
    """What Forward and Backward read: see :mod:`seqem.kernels.profile_forward`.

    ``gates`` is 0 where ``ahead`` allows a step, else -inf, for the alignment of the greatest expected accuracy.
    """

    odds: AnyArray
    ahead: AnyArray
    back: AnyArray
    gates: AnyArray
    dim: Dim

    @property
    def row(self) -> int:
        """Number of cells in one row: match, insert and delete of every node and of the padding."""
        return 3 * self.odds.shape[1]


def forward_tables(profile: SearchProfile, *, width: int = 16, dtype: type = np.float32) -> ForwardTables:
    """Return the tables of a profile for vectors of ``width`` lanes of floats."""
    s = profile.steps
    odds = padded(profile.odds, width)
    chain = padded(s.chain, width).reshape(-1, width)
    exit_match, exit_delete = _exit_weights(profile)
    steps = [s.match, s.insert, s.delete, s.entry, s.open, s.stay, s.skip]
    chains = [_running(chain), *_doubling(chain)]
    after = [_after(row) for row in (s.match, s.insert, s.delete)]
    back = [*after, s.entry, s.open, s.stay, _after(s.skip), exit_match, exit_delete]
    out = padded(_after(s.chain), width).reshape(-1, width)
    allowed = _stack([*steps, s.leave], chains, width) > 0
    return ForwardTables(
        aligned(odds.astype(dtype)),
        aligned(_stack([*steps, exit_match], chains, width).astype(dtype)),
        aligned(_stack(back, [_flip(_running(_flip(out))), *map(_flip, _doubling(_flip(out)))], width).astype(dtype)),
        aligned(np.where(allowed, 0.0, -np.inf).astype(dtype)),
        (0,) * width,
    )


def _after(row: Array) -> Array:
    """Return what leads out of each node, of a row of what leads into it."""
    return np.append(row[1:], 0.0)


def _exit_weights(profile: SearchProfile) -> tuple[Array, Array]:
    """Return with what weight E follows each match and delete, deletes on the way included."""
    leave, skip, chain = profile.steps.leave, _after(profile.steps.skip), _after(profile.steps.chain)
    delete = leave.copy()
    for k in range(len(leave) - 2, -1, -1):
        delete[k] += chain[k] * delete[k + 1]
    return leave + skip * _after(delete), delete


def padded(array: AnyArray, width: int) -> AnyArray:
    """Return the array with zeros behind, up to a multiple of ``width`` nodes."""
    more = -array.shape[-1] % width
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, more)])


def _stack(rows: list[AnyArray], blocks: list[AnyArray], width: int) -> AnyArray:
    cut = [padded(row, width).reshape(-1, width) for row in rows]
    return np.stack([*cut, *blocks], axis=1)


def _flip(blocks: AnyArray) -> AnyArray:
    return blocks[:, ::-1]


def _running(chain: AnyArray) -> AnyArray:
    """Return the product of the steps from the last lane of the block before to each lane."""
    return np.cumprod(chain, axis=1)


def _doubling(chain: AnyArray) -> list[AnyArray]:
    """Return products of 1, 2, 4 ... neighbouring steps up to each lane, zero where they would leave the block."""
    width = chain.shape[1]
    steps = []
    product, reach = chain.copy(), 1
    while reach < width:
        product[:, :reach] = 0.0
        steps.append(product.copy())
        product[:, reach:] = product[:, reach:] * product[:, : width - reach]
        reach *= 2
    return steps


def aligned(array: AnyArray) -> AnyArray:
    """Return a copy that begins at a multiple of 64 bytes: vectors across two cache lines cost twice."""
    copy = _aligned_bytes(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _aligned_bytes(size: int) -> NDArray[np.uint8]:
    room = np.empty(size + _LINE, np.uint8)
    start = -room.__array_interface__["data"][0] % _LINE
    return room[start : start + size]


_buffers = threading.local()


def scratch(name: str, size: int, dtype: type) -> AnyArray:
    """Return an aligned array of this thread that holds anything; the next call with the name may take it back.

    Large arrays that are new each time cost more in page faults than in what is done with them.
    """
    wanted = size * np.dtype(dtype).itemsize
    known = vars(_buffers).get(name)
    if known is None or len(known) < wanted:
        known = vars(_buffers)[name] = _aligned_bytes(wanted + wanted // 4)
    return known[:wanted].view(dtype)
