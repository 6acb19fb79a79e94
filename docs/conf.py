"""Sphinx: how the documentation is built. The reference is written from the catalog each time."""

from __future__ import annotations

import io
import os
import warnings
from contextlib import redirect_stdout
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"
os.environ["COLUMNS"] = "100"  # width of the commands' help

import seqem
from seqem import catalog
from seqem.cli.app import main

project = "seqem"
author = "the seqem developers"
copyright = "the seqem developers"
version = release = seqem.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "auto_examples/*.ipynb", "auto_examples/*.py", "auto_examples/*.json"]
templates_path = ["_templates"]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "seqem"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": False, "show_toc_level": 2, "show_prev_next": False}
html_sidebars = {"changelog": [], "formulas": [], "conventions": [], "contributing": [], "dependencies": []}

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["auto_examples"],
    "filename_pattern": r"/\d\d_\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "min_reported_time": 600,
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

GENERATED = Path(__file__).parent / "reference" / "generated"
TABLES = {
    "estimators": (
        "Estimators",
        "Models with ``fit``, ``predict`` and ``score``. The shared arguments are described at :class:`~seqem.HMM`.",
        catalog.ESTIMATORS,
    ),
    "models": ("Mixtures, censored regression, factors", "Models of rows without order.", catalog.MODELS),
    "speech": (
        "Speech",
        "Models of recordings; what they are told is in :class:`~seqem.Features`, :class:`~seqem.Lexicon` and their like.",
        catalog.SPEECH,
    ),
    "settings": ("Settings of speech", "What models of speech are told; they are saved with them.", catalog.SETTINGS),
    "distributions": (
        "Distributions",
        "Emissions of :class:`~seqem.HMM`, and parts of :class:`~seqem.MixtureOf` and :class:`~seqem.Independent`.",
        catalog.DISTRIBUTIONS,
    ),
}


def targets(rows):
    """Return the full names of the objects of catalog rows."""
    return [row.target.replace(":", ".") for row in rows]


def table_of(rows):
    """Return catalog rows as a table of the name on the command line, the public name and the help."""
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - name", "     - object", "     - what it is"]
    for name, row in rows.items():
        full = row.target.replace(":", ".")
        lines += [f"   * - ``{name}``", f"     - :obj:`~{full}`", f"     - {row.help}"]
    return lines


def summary_of(names):
    """Return an autosummary directive that makes a page of each name."""
    return [".. autosummary::", "   :toctree: .", "   :nosignatures:", "", *(f"   {name}" for name in names)]


def write_page(stem, title, blocks):
    """Write one page of the reference, unless it is there already as it is."""
    text = "\n\n".join(["\n".join([title, "=" * len(title)]), *("\n".join(block) for block in blocks)]) + "\n"
    path = GENERATED / f"{stem}.rst"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def help_of(words):
    """Return what a command prints for ``--help``."""
    out = io.StringIO()
    with redirect_stdout(out):
        main([*words, "--help"])
    return out.getvalue().rstrip()


def write_reference():
    """Write the pages that follow from the catalog."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    for stem, (title, lead, rows) in TABLES.items():
        write_page(stem, title, [[lead], table_of(rows), summary_of(targets(rows.values()))])
    formats = [".. list-table::", "   :header-rows: 1", "", "   * - name", "     - extensions", "     - what it holds"]
    readers = []
    for name, row in catalog.FORMATS.items():
        known = row.load()
        formats += [f"   * - ``{name}``", f"     - {', '.join(known.extensions)}", f"     - {row.help}"]
        readers.append(f"{known.read.__module__}.{known.read.__name__}")
    lead = ":func:`seqem.read <seqem.io.registry.read>` opens any of them, packed with gzip or not, by extension or content."
    write_page(
        "formats", "File formats", [[lead], formats, ["Options of each are those of its reader:"], summary_of(readers)]
    )
    write_page("functions", "Functions and data", [summary_of(targets(catalog.OTHERS))])
    commands = [
        [
            "The words after ``seqem``. Exit codes: 0, 1 (data or model at fault), 2 (command line at fault), 130 (Ctrl-C)."
        ]
    ]
    for words in [[], *([verb] for verb in catalog.VERBS), *(["speech", verb] for verb in catalog.SPEECH_VERBS)]:
        name = " ".join(["seqem", *words])
        block = [name, "-" * len(name), "", ".. code-block:: text", ""]
        commands.append(block + [f"   {line}".rstrip() for line in help_of(words).splitlines()])
    write_page("commands", "Commands", commands)


write_reference()


def setup(app):
    """Leave out what estimators inherit from scikit-learn's plumbing."""
    app.connect("autodoc-skip-member", lambda app, what, name, obj, skip, options: True if _is_plumbing(name) else None)


def _is_plumbing(name):
    return name in ("get_metadata_routing", "get_params", "set_params", "set_output", "fit_transform") or (
        name.startswith("set_") and name.endswith("_request")
    )
