"""Every example runs, and what its last lines assert holds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
SLOW = {
    "16_spoken_words",
    "03_earthquakes",
    "05_own_distribution",
    "06_dask_cluster",
    "07_labels_and_missing",
    "08_durations",
    "10_protein_family",
    "12_annotate_proteins",
    "13_from_pyhmmer",
    "14_em_or_gradient",
}


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] if p.stem in SLOW else []) for p in EXAMPLES],
)
def test_example_runs(path, tmp_path):
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::RuntimeWarning"}
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_example_ends_in_assertions():
    assert EXAMPLES
    for path in EXAMPLES:
        last = path.read_text(encoding="utf-8").strip().splitlines()[-1]
        assert last.lstrip().startswith("assert "), f"{path.name} ends in {last!r}"
