"""What the house promises of itself: floors, style, types, light imports, a catalog whose every row loads."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqem import catalog

ROOT = Path(__file__).resolve().parents[1]
TABLES = {name: getattr(catalog, name) for name in ("DISTRIBUTIONS", "ESTIMATORS", "MODELS", "FORMATS", "VERBS")}
ROWS = [(table, name) for table, rows in TABLES.items() for name in rows]
HEAVY = ("numba", "sklearn", "matplotlib", "soundfile", "Bio", "pandas")


def tool(name, *arguments):
    """Run a tool that is installed beside the interpreter, at the root of the repository."""
    path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert path, f"{name} is not installed: pip install -e .[test]"
    return subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ("lint-imports",),
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "seqem", "tests", "examples"),
        pytest.param(("mypy",), marks=pytest.mark.slow),
    ],
    ids=lambda command: " ".join(command),
)
def test_tools_find_nothing(command):
    done = tool(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_seqem_loads_nothing_heavy():
    program = f"import sys, seqem; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("table", "name"), ROWS)
def test_every_row_of_the_catalog_loads(table, name):
    row = TABLES[table][name]
    loaded = row.load()
    assert loaded is not None
    assert row.help
    assert row.help[-1] not in ".;"


def test_public_names_are_those_of_the_catalog():
    import seqem

    for name, row in catalog.public().items():
        assert getattr(seqem, name) is row.load()
    assert set(catalog.public()) < set(dir(seqem))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = seqem.Nothing
