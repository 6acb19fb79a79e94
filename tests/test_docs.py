"""The documentation builds without a warning, says all that the catalog has, and links to files that exist."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
import types
from itertools import chain

import pytest

import seqem
from seqem import catalog
from seqem.cli.app import main
from seqem.errors import FormatError
from seqem.io.fasta import write_fasta
from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in DOCS.rglob("*.md")
        if not {"_build", "auto_examples", "generated"} & set(path.relative_to(DOCS).parts)
    ),
]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


MODULES = [name for _, name, _ in pkgutil.walk_packages(seqem.__path__, "seqem.") if not name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    examples = {path.stem for path in (ROOT / "examples").glob("*.py")} | {"index"}
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path = (page.parent / target).resolve()
        if path.parent == DOCS / "auto_examples":
            assert path.stem in examples, f"{target}: no such example"
        else:
            assert path.exists(), f"{target}: no such file"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    named = re.findall(r"`((?:seqem|tests|examples|data)/[\w/.*-]+)`", page.read_text(encoding="utf-8"))
    for name in named:
        assert (ROOT / name).exists(), name


def test_every_dependency_is_justified():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[^\w-]", text)[0] for text in wanted} - {"seqem"}
    page = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    assert not {name for name in names if f"`{name}`" not in page}


def test_changelog_has_the_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"## {project['version']}" in (DOCS / "changelog.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Build a copy of the documentation, so that nothing is left behind or found from before."""
    for name in ("sphinx", "sphinx_gallery", "myst_parser", "numpydoc", "pydata_sphinx_theme"):
        pytest.importorskip(name, reason="needs the extra docs")
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("docs", "examples", "data"):
        ignored = shutil.ignore_patterns("_build", "auto_examples", "generated", "sg_execution_times.rst")
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", root / "docs", root / "html"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return root / "html"


@pytest.mark.slow
def test_reference_has_every_row_of_the_catalog(pages):
    reference = pages / "reference" / "generated"
    for row in catalog.public().values():
        name = row.target.replace(":", ".")
        page = reference / f"{name}.html"
        assert page.exists(), name
        assert f'id="{name}"' in page.read_text(encoding="utf-8"), name
    formats = (reference / "formats.html").read_text(encoding="utf-8")
    commands = (reference / "commands.html").read_text(encoding="utf-8")
    assert all(f">{name}<" in formats for name in catalog.FORMATS)
    assert all(f"Usage: seqem {verb}" in commands for verb in catalog.VERBS)


@pytest.mark.slow
def test_every_example_is_a_page(pages):
    for path in (ROOT / "examples").glob("[0-9][0-9]_*.py"):
        assert (pages / "auto_examples" / f"{path.stem}.html").exists(), path.name


def blocks(page):
    """Return the Python code of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def test_format_of_the_page_reads(tmp_path):
    names: dict = {"__name__": "steps"}
    exec(compile(blocks("how_to/add_format.md")[0], "add_format.md", "exec", dont_inherit=True), names)
    path = tmp_path / "run.steps"
    path.write_text("1\n2\n\n3\n", encoding="utf-8")
    batch = names["STEPS"].read(path, scale=2.0)
    assert batch[0].tolist() == [2.0, 4.0]
    assert batch[1].tolist() == [6.0]
    path.write_text("1\nx\n", encoding="utf-8")
    with pytest.raises(FormatError, match="line 2"):
        names["STEPS"].read(path)


def test_verb_of_the_page_runs(monkeypatch, capsys):
    module = types.ModuleType("seqem.cli.count")
    exec(compile(blocks("how_to/add_verb.md")[0], "add_verb.md", "exec", dont_inherit=True), vars(module))
    monkeypatch.setitem(sys.modules, "seqem.cli.count", module)
    monkeypatch.setitem(catalog.VERBS, "count", catalog.Entry("seqem.cli.count:count", "count rows"))
    assert main(["count", str(ROOT / "data" / "lambda_virus.fa.gz")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t")[1:] == ["1", "48502"]


def test_shards_of_the_page_are_read_by_the_worker(tmp_path):
    genome = seqem.read(ROOT / "data" / "lambda_virus.fa.gz")
    paths = []
    for part in range(3):
        paths.append(tmp_path / f"{part}.fa")
        values = genome.values[part * 1000 : (part + 1) * 1000]
        write_fasta(paths[-1], seqem.SequenceBatch.of([values], names=(str(part),), alphabet="ACGT"))
    start = seqem.CategoricalHMM(2, random_state=0).fit(seqem.read(paths[0])).params_
    names = {"paths": paths, "start": start, "executor": None}
    exec(compile(blocks("how_to/long_sequences.md")[-1], "long_sequences.md", "exec", dont_inherit=True), names)
    assert names["result"].log_likelihood < 0
