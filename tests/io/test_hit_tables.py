"""Tables and reports of hits against HMMER's own, byte for byte."""

import io
import json
from dataclasses import replace

import pytest
from Bio import SearchIO

from seqem.bio.alphabet import PROTEIN
from seqem.io.hit_alignment import alignment_lines
from seqem.io.hit_json import write_json_lines
from seqem.io.hit_report import write_report
from seqem.io.hit_tables import write_domtblout, write_pfamtblout, write_tblout
from seqem.profile.frames import domains_frame, hits_frame
from seqem.profile.hits import Domain, DomainAlignment, Hit, QueryInfo, SearchStatistics, TopHits
from seqem.profile.options import SearchOptions
from tests.io.golden_hits import golden_hits, header_rows, table_rows

WRITERS = {"tbl": write_tblout, "domtbl": write_domtblout}
STEMS = (
    "fn3.7less", "fn3.uniprot20k", "globins4.globins45", "globins4.uniprot20k", "Pkinase.ecoli", "Pkinase.uniprot20k",
    "RRM_1.uniprot20k", "minifam.7less.hmmscan",
)  # fmt: skip
NOTHING = TopHits(QueryInfo("fn3", "PF00041.13", "", 86), (), SearchStatistics(1, 86, 0, 0, 0, 0, 0, 0, 0, 0, 0.1))

# What HMMER writes of two of the nine domains of 7LESS_DROME with --pfamtblout.
PFAM = """\
# Sequence scores
# ---------------
#
# name                  bits   E-value   n   exp  bias    description
# ------------------- ------ --------- --- ----- -----    ---------------------
7LESS_DROME            178.0   1.9e-57   9   9.4   0.4    RecName: Full=Protein sevenless;          EC=2.7.10.1;

# Domain scores
# -------------
#
#  name                 bits   E-value   hit  bias env-st env-en ali-st ali-en hmm-st hmm-en     description
# ------------------- ------ --------- ----- ----- ------ ------ ------ ------ ------ ------      ---------------------
7LESS_DROME             47.2   1.2e-16     7   0.9   1799   1891   1799   1890      1     85     RecName: Full=Protein sevenless;          EC=2.7.10.1;
7LESS_DROME             40.7   1.3e-14     2   0.0    437    521    439    520      2     84     RecName: Full=Protein sevenless;          EC=2.7.10.1;
"""  # noqa: E501

# The alignment of the user guide, without the indentation of its first two columns.
GUIDE = """\
                  SBCEEEEEEESSSEEEEEEE-CSSSSSTECEEEEEEEETTSSSTEEEEEEESTCSEEEEESSSTTEEEEEEEEEEETTEEEE CS
          fn3   2 aPsnlsvtevtstsltvsWtppedgngpitgYeveyrpknegeewneitvpgtttsvtltgLkpgteYevrVqavngggegp 83 
                  aP   +++   ++ l v+W+p +  ngpi+gY++++++++++  + e+ vp    s+++++L++gt+Y++ +  +n++gegp
  7LESS_DROME 440 APVIEHLMGLDDSHLAVHWHPGRFTNGPIEGYRLRLSSSEGNA-TSEQLVPAGRGSYIFSQLQAGTNYTLALSMINKQGEGP 520
                  77778899999****************************9997.***********************************997 PP
"""  # noqa: W291


@pytest.fixture(scope="module")
def golden(shared_data):
    return shared_data / "profile" / "golden"


def written(write, results, **options):
    out = io.StringIO()
    write(out, results, **options)
    return out.getvalue()


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("kind", WRITERS)
def test_tables_are_those_of_hmmer(golden, stem, kind):
    lines = written(WRITERS[kind], golden_hits(golden, stem)).splitlines()
    path = golden / f"{stem}.{kind}"
    assert lines[:3] == header_rows(path)
    assert [line for line in lines if not line.startswith("#")] == table_rows(path)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_table_of_nothing_has_its_header(golden, kind):
    assert written(WRITERS[kind], NOTHING).splitlines()[:3] == header_rows(golden / f"fn3.ecoli.{kind}")


def test_pfam_table(golden):
    lines = written(write_pfamtblout, golden_hits(golden, "fn3.7less")).splitlines()
    assert lines[: len(PFAM.splitlines())] == PFAM.splitlines()
    assert len(lines) == 21 + 5


# Not RRM_1, of which only the tables are here: two digits do not say on which side of 0.01 an E-value lies.
@pytest.mark.parametrize("stem", STEMS[:6])
def test_report_without_alignments_is_that_of_hmmer(golden, stem):
    def body(text):
        lines = text.splitlines()
        return lines[lines.index("Scores for complete sequences (score includes all domains):") : _statistics_at(lines)]

    report = written(write_report, golden_hits(golden, stem), alignments=False)
    assert body(report) == body((golden / f"{stem}.summary.txt").read_text())


def _statistics_at(lines):
    return lines.index("Internal pipeline statistics summary:")


@pytest.mark.parametrize("stem", ["fn3.uniprot20k", "fn3.ecoli"])
def test_statistics_of_the_report(golden, stem):
    counts = {
        "fn3.uniprot20k": (20000, 9055569, 511, 416, 92, 66, 20000.0, 66.0),
        "fn3.ecoli": (4140, 1312010, 68, 56, 6, 0, 4140.0, 0.0),
    }
    result = TopHits(NOTHING.query, (), SearchStatistics(1, 86, *counts[stem], 0.34))
    lines = written(write_report, result).splitlines()
    wanted = (golden / f"{stem}.summary.txt").read_text().splitlines()
    start, there = _statistics_at(lines), _statistics_at(wanted)
    assert lines[start : start + 10] == wanted[there : there + 10]


def test_alignment_is_that_of_the_user_guide():
    structure, model, match, target, posterior = GUIDE.splitlines()
    columns = slice(18, 100)
    shown = [line[columns] for line in (model, match, target, posterior)]
    alignment = DomainAlignment(*shown, structure=structure[columns])
    domain = Domain(41.9, 0.0, 439, 521, 440, 520, 2, 83, -30.0, 1e-14, 1.5e-14, 0.95, True, True, alignment)
    assert "".join(alignment_lines(domain, "fn3", "7LESS_DROME", 120)) == GUIDE


def test_blocks_of_an_alignment_count_on_and_show_pieces_without_residues():
    alignment = DomainAlignment("a" * 100, " " * 100, "C" * 30 + "-" * 60 + "C" * 10, "9" * 100)
    domain = Domain(1.0, 0.0, 5, 44, 44, 5, 1, 100, -3.0, 0.1, 0.1, 0.9, True, True, alignment)
    lines = [line.split() for line in alignment_lines(domain, "m", "t", 20)]
    assert [line[1::2] for line in lines if line[:1] == ["m"]] == [["1", "40"], ["41", "80"], ["81", "100"]]
    assert [line[1::2] for line in lines if line[:1] == ["t"]] == [["44", "15"], ["-", "-"], ["14", "5"]]


def test_biopython_reads_all(golden, tmp_path):
    result = golden_hits(golden, "fn3.uniprot20k")
    write_tblout(tmp_path / "tbl", [result], notes={"Query file": "fn3.hmm"})
    write_domtblout(tmp_path / "domtbl", result)
    write_report(tmp_path / "report", [result, NOTHING])
    targets = SearchIO.read(tmp_path / "tbl", "hmmer3-tab")
    assert [hit.id for hit in targets] == [hit.name for hit in result]
    domains = SearchIO.read(tmp_path / "domtbl", "hmmsearch3-domtab")
    assert len(domains.hsps) == sum(len(hit.reported_domains) for hit in result)
    report, empty = SearchIO.parse(tmp_path / "report", "hmmer3-text")
    assert (report.id, len(report), len(empty)) == ("fn3", len(result), 0)
    for hit, wanted in zip(report, result, strict=True):
        for hsp, domain in zip(hit, wanted.reported_domains, strict=True):
            assert str(hsp.query.seq).replace("-", ".") == domain.alignment.model.replace("-", ".")
            assert str(hsp.hit.seq).upper() == domain.alignment.target.upper()
            assert (hsp.hit_start + 1, hsp.hit_end) == (domain.target_from, domain.target_to)


def test_report_of_a_scan(golden):
    report = written(write_report, golden_hits(golden, "minifam.7less.hmmscan"), mode="scan", alignments=False)
    assert "Query:       7LESS_DROME  [L=2554]" in report
    assert "exp  N  Model    Description" in report
    assert (
        "   9 !   12.8   0.0   1.3e-05     2e-05       1      86 []    1993    2107 ..    1993    2107 .. 0.89"
        in report
    )
    assert "Target model(s):                           1  (1 nodes)" in report


def test_report_says_what_the_options_were():
    options = SearchOptions(z=45.0, sensitive=True)
    result = replace(NOTHING, statistics=replace(NOTHING.statistics, gates=options.gates(PROTEIN)))
    report = written(write_report, result, options=options)
    assert "[as set by --Z on cmdline]" in report
    assert "Passed Fwd filter:                         0  (0); expected 0.0 (1)" in report


def test_tail_of_a_table():
    tail = written(write_tblout, NOTHING, mode="scan", notes={"Query file": "fn3.hmm"}).splitlines()[3:]
    assert [line.split()[1:] for line in tail[2:]][1:] == [
        ["Pipeline", "mode:", "SCAN"],
        ["Query", "file:", "fn3.hmm"],
        ["[ok]"],
    ]


def test_json_lines_hold_all(golden):
    result = golden_hits(golden, "fn3.7less")
    (line,) = written(write_json_lines, result).splitlines()
    record = json.loads(line)
    assert record["query"]["name"] == "fn3"
    assert record["evalue"] == result[0].evalue
    assert record["domains"][1]["alignment"]["target"] == result[0].domains[1].alignment.target


def test_frames(golden):
    result = golden_hits(golden, "fn3.uniprot20k")
    hits, domains = hits_frame(result), domains_frame([result])
    assert hits["target"].tolist() == [hit.name for hit in result]
    assert hits["best_score"].tolist() == [hit.best_domain.score for hit in result]
    assert len(domains) == hits["n_domains"].sum()
    assert domains.groupby("target")["domain"].max().to_dict() == dict(
        zip(hits["target"], hits["n_domains"], strict=True)
    )
    assert hits_frame([]).empty


def test_a_hit_without_reported_domains():
    hidden = Domain(1.0, 0.0, 1, 9, 1, 9, 1, 9, 0.0, 9.0, 99.0, 0.5, False, False, DomainAlignment("", "", "", ""))
    hit = Hit("t", "", "", 9, 5.0, 0.0, -1.0, 1.0, False, (hidden,), 1.0, 1, 0, 0, 1, 0)
    result = TopHits(NOTHING.query, (hit,), NOTHING.statistics)
    assert "[No individual domains that satisfy reporting thresholds" in written(write_report, result)
    assert not [line for line in written(write_domtblout, result).splitlines() if not line.startswith("#")]
