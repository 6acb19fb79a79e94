"""One very long sequence: an EM iteration and a Viterbi pass over 200 million symbols, and the peak memory of the process.

``python -m tests.benchmarks.scale [rows]``
"""

from __future__ import annotations

import resource
import sys
import time
import warnings

import numpy as np

import seqem


def main(rows: int = 200_000_000) -> None:
    """Fit and decode a 4-state model of DNA-like symbols; print seconds and megabytes."""
    rng = np.random.default_rng(0)
    symbols = np.empty(rows, dtype=np.uint8)
    for lo in range(0, rows, 1 << 20):
        part = symbols[lo : lo + (1 << 20)]
        part[:] = rng.integers(0, 4, len(part), dtype=np.uint8)
    model = seqem.CategoricalHMM(4, n_iter=1, tol=-1, random_state=0, n_features=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = time.perf_counter()
        model.fit(symbols)
        fitted = time.perf_counter()
    print(f"{rows} symbols: fit with one EM iteration (two E-steps) {fitted - begin:.1f} s")
    score, path = model.decode(symbols)
    print(f"Viterbi {time.perf_counter() - fitted:.1f} s, score {score:.3f}, path of {path.nbytes >> 20} MB")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


if __name__ == "__main__":
    main(*(int(float(a)) for a in sys.argv[1:2]))
