"""Time seqem against its peers, all in one run on one core.

``python -m tests.benchmarks.run`` prints a table; ``--smoke`` checks in seconds that everything runs. CPU seconds of the
process; an EM iteration is the difference of a long and a short fit divided by the difference of their iterations, at
the smallest of several repetitions. Peers that are not installed are named and left out.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.cases import SIZES, make
from tests.benchmarks.peers import PEERS

SHORT, LONG = 1, 6


def cpu_ms(action: Callable[[], Any], repeats: int) -> float:
    """Return the smallest CPU time of an action in milliseconds."""
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return 1e3 * min(times)


def measure(peer: Any, case: Any, repeats: int) -> dict[str, float]:
    """Return milliseconds of an EM iteration and of decoding, and the log-likelihood at the start."""
    peer.fit(case, 1)  # compile and warm up
    peer.decode(case)
    short = cpu_ms(lambda: peer.fit(case, SHORT), repeats)
    long = cpu_ms(lambda: peer.fit(case, LONG), repeats)
    return {
        "em_ms": (long - short) / (LONG - SHORT),
        "viterbi_ms": cpu_ms(lambda: peer.decode(case), repeats),
        "log_likelihood": peer.score(case),
    }


def peak_growth_mb(peer_name: str, case_name: str, shrink: int) -> float:
    """Return how far two EM iterations raise the peak memory of a fresh process above imports, data and a tiny fit."""
    command = [sys.executable, "-m", "tests.benchmarks.run", "--memory-of", peer_name, case_name, str(shrink)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _memory_of(peer_name: str, case_name: str, shrink: int) -> None:
    peer, case = PEERS[peer_name][0](), make(case_name, shrink)
    peer.fit(make(case_name, 10_000), 1)
    gc.collect()
    with open("/proc/self/clear_refs", "w") as reset:  # Linux: the high-water mark starts again from here
        reset.write("5")
    before = _status_kb("VmRSS")
    peer.fit(case, 2)
    print((_status_kb("VmHWM") - before) / 1024)


def _status_kb(field: str) -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


def installed() -> dict[str, Any]:
    """Return the peers that can be imported."""
    peers = {}
    for name, (make_peer, _) in PEERS.items():
        try:
            peers[name] = make_peer()
        except ImportError as missing:
            print(f"{name} is left out: {missing}", file=sys.stderr)
    return peers


def main(argv: list[str] | None = None) -> list[dict[str, Any]]:
    """Run the chosen cases and print a table; return its rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="".join(SIZES), help="letters of the cases")
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated names")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="tiny data, one repetition")
    parser.add_argument("--memory", action="store_true", help="peak memory too, in fresh processes")
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    parser.add_argument("--memory-of", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.memory_of:
        _memory_of(options.memory_of[0], options.memory_of[1], int(options.memory_of[2]))
        return []
    shrink, repeats = (500, 1) if options.smoke else (1, options.repeats)
    peers = {name: peer for name, peer in installed().items() if name in options.peers.split(",")}
    rows = []
    for letter in options.cases:
        case = make(letter, shrink)
        print(f"\n({letter}) {case.text}" + (" [smoke]" if options.smoke else ""))
        print(f"{'':18}{'EM ms/it':>10}{'ratio':>8}{'Viterbi ms':>12}{'ratio':>8}{'peak MB':>9}{'log L':>18}")
        base: dict[str, float] | None = None
        order = sorted(peers, key=lambda name: name != "hmmlearn-scaling")
        for name in order:
            if letter not in PEERS[name][1]:
                continue
            row = measure(peers[name], case, repeats)
            row["peak_mb"] = peak_growth_mb(name, letter, shrink) if options.memory else float("nan")
            base = base or row
            ratios = [row[key] / base[key] if base[key] > 0 else float("nan") for key in ("em_ms", "viterbi_ms")]
            print(
                f"{name:18}{row['em_ms']:10.2f}{ratios[0]:8.3f}{row['viterbi_ms']:12.2f}{ratios[1]:8.3f}"
                f"{row['peak_mb']:9.1f}{row['log_likelihood']:18.6f}"
            )
            rows.append({"case": letter, "peer": name, **row, "em_ratio": ratios[0], "viterbi_ratio": ratios[1]})
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return rows


if __name__ == "__main__":
    main()
