"""How two threads speed up an EM fit on case b (200 sequences of Gaussian frames).

``python -m tests.benchmarks.threads [--smoke]``
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.benchmarks.cases import make
from tests.benchmarks.peers import Hmmlike


def seconds(case: object, executor: ThreadPoolExecutor | None, n_iter: int) -> float:
    """Return wall seconds of one fit."""
    model = Hmmlike("seqem", "scaling")._model(case, n_iter)  # type: ignore[arg-type]
    begin = time.perf_counter()
    model.fit(case.values, case.lengths, executor=executor)  # type: ignore[attr-defined]
    return time.perf_counter() - begin


def main(smoke: bool = False) -> float:
    """Print and return the speed-up of two threads over one, from the fastest of several runs each."""
    case = make("b", 50 if smoke else 1)
    times = {}
    for workers in (1, 2):
        with ThreadPoolExecutor(workers) as executor:
            seconds(case, executor, 2)
            times[workers] = min(seconds(case, executor, 3 if smoke else 40) for _ in range(2 if smoke else 5))
    print(f"case b: 1 thread {times[1]:.3f} s, 2 threads {times[2]:.3f} s, speed-up {times[1] / times[2]:.2f}")
    return times[1] / times[2]


if __name__ == "__main__":
    main("--smoke" in sys.argv)
