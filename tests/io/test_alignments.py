import gzip
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqem.bio.alignment import Alignment
from seqem.bio.alphabet import DNA, PROTEIN
from seqem.errors import DataError, FormatError, ParameterError, SeqemError
from seqem.io.alignments import format_of_alignment, read_alignment, read_alignments, write_alignment
from seqem.io.fasta import read_fasta
from seqem.io.stockholm import read_stockholm
from seqem.io.stockholm_write import write_stockholm
from tests.io.mutations import mutate, survives

ROWS = ["ACDEF--H", "AC-EFGKH", "-CDEFG-H"]
NAMES = ("a", "b", "c")

STOCKHOLM = """# STOCKHOLM 1.0
# a comment
#=GF ID   fam
#=GF AC   PF1.2
#=GF DE   some family
#=GF GA   25.00 20.00; 15.30 15.30;
#=GF TC   25.50;
#=GS a WT 0.5
#=GS b WT 1.5
#=GS c WT 1.0
#=GS b DE the second

a          ACDE
b          AC-e
#=GR b SS  HHHH
c          .CDE
#=GC RF    xxxx
#=GC MM    ..m.
#=GC SS_cons ....

a          F__H
b          FGKH
c          FG~H
#=GC RF    xx.x
#=GC MM    ....
#=GC SS_cons <..>
//
"""

TEXTS = {
    "stockholm": STOCKHOLM,
    "pfam": "# STOCKHOLM 1.0\n" + "".join(f"{n} {r}\n" for n, r in zip(NAMES, ROWS, strict=True)) + "//\n",
    "afa": "".join(f">{n}\n{r[:4]}\n{r[4:]}\n" for n, r in zip(NAMES, ROWS, strict=True)),
    "a2m": ">a\nACDEF-.H\n>b\nAC-EFGkH\n>c\n-CDEFG.H\n",
    "a3m": ">a\nACDEF-H\n>b\nAC-EFGkH\n>c\n-CDEFGH\n",
    "clustal": "CLUSTAL W (1.83)\n\n\na   ACDE\nb   AC-E\nc   -CDE\n     * *\n\na   F--H\nb   FGKH\nc   FG-H\n    *  *\n",
    "phylip": " 3 8\na         ACDEF--H\nb         AC-EFGKH\nc         -CDEFG-H\n",
    "selex": "# comment\n#=ID fam\n\n#=RF xxxx\na    ACDE\nb    AC-E\nc     CDE\n\n#=RF xx x\na    F  H\nb    FGKH\nc    FG.H\n",
    "psiblast": "a  ACDE\nb  AC-E\nc  -CDE\n\na  F--H\nb  FGkH\nc  FG-H\n",
}


def _written(tmp_path, text, name="x"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _texts(alignment):
    return [alignment.alphabet.decode(row) for row in alignment.symbols]


@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("how", ["named", "sniffed", "packed"])
def test_all_formats_say_the_same(tmp_path, format, how):
    text = TEXTS[format]
    path = _written(tmp_path, gzip.compress(text.encode()) if how == "packed" else text, f"x.{format}")
    alignment = read_alignment(path, format=format if how == "named" else "auto")
    assert alignment.names == NAMES
    assert alignment.alphabet is PROTEIN
    assert _texts(alignment) == ROWS
    if format not in ("pfam", "afa", "clustal", "phylip"):
        assert alignment.reference == "xxxxxx.x"


@pytest.mark.parametrize("format", TEXTS)
def test_sniffing_without_extension(tmp_path, format):
    expected = {"pfam": "stockholm", "afa": "fasta", "a2m": "fasta", "a3m": "fasta", "psiblast": "selex"}
    assert format_of_alignment(_written(tmp_path, TEXTS[format])) == expected.get(format, format)


def test_stockholm_annotation(tmp_path):
    alignment = read_alignment(_written(tmp_path, STOCKHOLM))
    assert (alignment.name, alignment.accession, alignment.description) == ("fam", "PF1.2", "some family")
    assert (alignment.reference, alignment.mask, alignment.structure) == ("xxxxxx.x", "..m.....", "....<..>")
    assert alignment.cutoffs == {"GA": (25.0, 20.0), "TC": (25.5,)}
    assert alignment.weights.tolist() == [0.5, 1.5, 1.0]
    assert alignment.row_descriptions == ("", "the second", "")


def test_stockholm_there_and_back(tmp_path):
    first = read_alignment(_written(tmp_path, STOCKHOLM))
    write_alignment(tmp_path / "y.sto.gz", first)
    second = read_alignment(tmp_path / "y.sto.gz")
    np.testing.assert_array_equal(first.symbols, second.symbols)
    np.testing.assert_array_equal(first.weights, second.weights)
    for name in ("names", "name", "accession", "description", "reference", "mask", "structure", "cutoffs"):
        assert getattr(first, name) == getattr(second, name)
    assert second.row_descriptions == first.row_descriptions


def test_posteriors_are_written(tmp_path):
    alignment = Alignment(np.array([[0, 1], [15, 2]]), DNA, ("a", "b"), reference="x.")
    write_stockholm(tmp_path / "x", alignment, ["9*", ".8"], "98")
    lines = (tmp_path / "x").read_text().splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["a", "Ac"],
        ["#=GR", "a", "PP", "9*"],
        ["b", "-g"],
        ["#=GR", "b", "PP", ".8"],
        ["#=GC", "RF", "x."],
        ["#=GC", "PP_cons", "98"],
        ["//"],
    ]
    with pytest.raises(DataError, match="one letter a column"):
        write_stockholm(tmp_path / "x", alignment, ["9", ".8"])


def test_many_in_one_file(tmp_path):
    found = list(read_alignments(_written(tmp_path, STOCKHOLM + TEXTS["pfam"])))
    assert [len(alignment) for alignment in found] == [3, 3]
    assert [alignment.name for alignment in found] == ["fam", None]
    assert len(list(read_alignments(_written(tmp_path, TEXTS["phylip"] * 2)))) == 2


def test_same_names(tmp_path):
    alignment = read_alignment(_written(tmp_path, ">a\nAC\n>a\nA-\n"))
    assert alignment.names == ("a", "a")
    block = "a ACDE\na AC-E\n\n"
    assert len(read_alignment(_written(tmp_path, f"# STOCKHOLM 1.0\n{block}{block}//\n"))) == 2
    with pytest.raises(FormatError, match="not as long"):
        read_alignment(_written(tmp_path, f"# STOCKHOLM 1.0\n{block}b ACDE\na AC-E\n//\n"))


@pytest.mark.parametrize(
    ("text", "rows", "reference"),
    [
        (">a\nACgt\n>b\nA-gc\n>c\nAC..\n", ["ACGT", "A-GC", "AC--"], "xx.."),
        (">a\nttAC\n>b\nA-\n", ["TTAC", "--A-"], "..xx"),
        (">a\nacgt\n>b\na-gt\n", ["ACGT", "A-GT"], None),
        (">a\nACgt\n>b\nA-GT\n", ["ACGT", "A-GT"], None),
    ],
)
def test_case_decides_in_fasta(tmp_path, text, rows, reference):
    alignment = read_alignment(_written(tmp_path, text), alphabet="dna")
    assert _texts(alignment) == rows
    assert alignment.reference == reference


@pytest.mark.parametrize("format", ["afa", "a2m"])
def test_fasta_there_and_back(tmp_path, format):
    first = read_alignment(_written(tmp_path, TEXTS["a2m"].replace(">b", ">b second one")))
    write_alignment(tmp_path / "y", first, format=format)
    second = read_alignment(tmp_path / "y")
    assert _texts(second) == _texts(first)
    assert second.row_descriptions == ("", "second one", "")
    assert second.reference == (first.reference if format == "a2m" else None)


def test_nonresidues_and_gaps(tmp_path):
    alignment = read_alignment(_written(tmp_path, ">a\nMK*V.\n>b\nMK_~L\n"))
    assert _texts(alignment) == ["MKXV-", "MK--L"]


def test_unaligned_sequences_get_a_hint(tmp_path):
    with pytest.raises(FormatError, match=r"seqem train.*ProfileHMM\.fit") as caught:
        read_alignment(_written(tmp_path, ">a\nACGT\n>b\nAC\n"))
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("text", "line", "match"),
    [
        ("", None, "no aligned"),
        (">a\n>b\n", None, "no aligned"),
        (">a\n---\n", None, "empty"),
        (">a\nAC1\n", 1, "'1' at position 3"),
        ("# STOCKHOLM 1.0\na AC\n", 2, "ends inside"),
        ("# STOCKHOLM 1.0\na AC GT\n//\n", 2, "name and letters"),
        ("# STOCKHOLM 1.0\na AC\n#=GC RF x\n//\n", None, "RF is not as long"),
        ("# STOCKHOLM 1.0\n#=GF GA x\na AC\n//\n", 2, "GA"),
        ("# STOCKHOLM 1.0\n#=GS a WT nan\na AC\n//\n", 2, "WT"),
        ("# STOCKHOLM 1.0\n#=GS a WT -1\na AC\n//\n", 2, "WT"),
        ("# STOCKHOLM 1.0\n#=GS a WT 1\na AC\nb AC\n//\n", None, "'b' has no weight"),
        ("# STOCKHOLM 1.0\n//\n", None, "no aligned"),
        ("CLUSTAL W\n\na  ACG\nb  AC\n", 4, "not as long"),
        ("CLUSTAL W\n\na  ACG\nb  ACG\n\na  AC\n", 6, "other rows"),
        ("CLUSTAL W\n\na  ACG G\n", 3, "name and letters"),
        ("CLUSTAL W\n", None, "no aligned"),
        (" 2 3\na ACG\n", None, "PHYLIP"),
        (" 3 3\na ACG\nb ACG\n", None, "PHYLIP"),
        (" 2 3\na         ACG\nb", None, "PHYLIP"),
        (" 2 3\na ACG\nb AC\n", None, "PHYLIP"),
        (f" {'9' * 30} 3\na ACG\n", 1, "header is off"),
        (" 2 3\na ACG\nb ACG\n -2 3\na ACG\n", 4, "header is off"),
        ("a\n", 1, "name and letters"),
        ("a ACG\nb AC-\n\na ACG\n", 4, "other rows"),
    ],
)
def test_refusals(tmp_path, text, line, match):
    with pytest.raises(FormatError, match=match) as caught:
        read_alignment(_written(tmp_path, text))
    assert caught.value.line == line


def test_formats_and_names_are_checked(tmp_path):
    path = _written(tmp_path, TEXTS["afa"])
    with pytest.raises(ParameterError, match="unknown format"):
        read_alignment(path, format="nexus")
    with pytest.raises(ParameterError, match="unknown format"):
        write_alignment(path, read_alignment(path), format="phylip")
    with pytest.raises(FormatError, match="not Stockholm"):
        read_alignment(path, format="stockholm")
    alignment = read_alignment(_written(tmp_path, ">\nACGT\n"))
    with pytest.raises(DataError, match="name"):
        write_alignment(tmp_path / "y", alignment)
    assert not (tmp_path / "y").exists()


def test_peer_reads_alike(tmp_path, shared_data):
    easel = pytest.importorskip("pyhmmer.easel")
    for path in sorted((shared_data / "profile").glob("hmmer_t*/*.sto")):
        with easel.MSAFile(path, format="stockholm", digital=False) as handle:
            peer = handle.read()
        alignment = read_alignment(path)
        rows = [row.upper().translate(str.maketrans("._~", "---")) for row in peer.alignment]
        letters = alignment.alphabet.name
        assert (_texts(alignment) if letters != "dna" else None) in (None, rows)
        assert alignment.names == tuple(peer.names)
        assert alignment.reference == peer.reference


@given(st.integers(0, 2**32), st.sampled_from([*TEXTS, "fasta"]))
@settings(max_examples=500, deadline=None)
def test_damaged_files_are_read_or_refused(tmp_path_factory, seed, format):
    path = tmp_path_factory.getbasetemp() / "fuzz"
    rng = random.Random(seed)
    if format == "fasta":
        survives(path, mutate(TEXTS["afa"].replace("-", "").encode(), rng), read_fasta, SeqemError)
        return
    text = mutate(TEXTS[format].encode(), rng)
    survives(path, text, lambda p: list(read_alignments(p)), SeqemError)
    survives(path, text, lambda p: list(read_alignments(p, format=format)), SeqemError)


def test_stockholm_is_read_one_at_a_time(tmp_path):
    alignments = read_stockholm(_written(tmp_path, TEXTS["pfam"] + "# STOCKHOLM 1.0\nbroken\n//\n"))
    assert len(next(alignments)) == 3
    with pytest.raises(FormatError):
        next(alignments)
