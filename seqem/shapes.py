"""The glossary: axis letters and array aliases used everywhere in seqem.

T steps or rows of one sequence, N rows over all sequences, S sequences, K states or components,
D features, M symbols. Time comes first, states last: ``(T, K)``. ``trans[i, j]`` goes from i to j.
Floats are float64 in C order; log-scale sums are always float64. Symbols are uint8 (int32 past 256).
Paths are int32. Missing values are NaN (floats) or the alphabet's all-ones code (symbols).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Path: TypeAlias = NDArray[np.int32]
Mask: TypeAlias = NDArray[np.bool_]
AnyArray: TypeAlias = NDArray[Any]
