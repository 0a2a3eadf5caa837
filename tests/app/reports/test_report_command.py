"""``phenviz report``: what it writes, says and refuses; and worlds that lack something."""

from __future__ import annotations

import stat

import pytest
from click.testing import CliRunner

import phenviz
from phenviz.cli import main
from phenviz.genome import Locus
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.app.reports.parsed import check_report
from tests.toys import CONTIGS, toy_project

SITES = "chr20:6,001-6,100"


@pytest.fixture
def run(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))

    def run(*words, out="report.html"):
        given = ["report", *map(str, words), "-o", str(tmp_path / out)]
        done = CliRunner().invoke(main, [*given, "--world", str(project), "--device", "cpu"])
        return done, tmp_path / out

    return run


def test_a_report_is_written_and_named(run):
    done, path = run(SITES, "--context", "Mono", "--app", "https://lab.example/x/")
    assert done.exit_code == 0 and done.stdout.strip() == str(path)
    report = check_report(path.read_text())
    assert any(link.startswith("https://lab.example/x/explore?") for link in report.links)
    assert "Bases that matter most in Mono" in report.text


def test_of_a_person_it_says_who_can_read_the_file(run, project):
    done, path = run(f"Q1@{SITES}", "--vcf", _renamed(project))
    assert done.exit_code == 0, done.output
    assert "only you can read it" in done.stderr and stat.S_IMODE(path.stat().st_mode) == 0o600


def _renamed(project):
    path = project.parent / "renamed.vcf"
    path.write_text((project.parent / "people.vcf").read_text().replace("\tann\t", "\tQ1\t", 1))
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what the report is about"),
        ([SITES, "--vcf", "x.vcf"], "give WHAT as SAMPLE@LOCUS"),
        ([SITES, "--trait", "MCV"], "leave --trait out"),
        (["rs1", "--mutagenesis"], "leave --mutagenesis out"),
        (["ann@ALPHA", "--pack", "p"], "leave --pack out"),
        (["h.nc", "--permutations", "200"], "the result says how it was tested"),
        ([SITES, "--seed", "3"], "nothing is drawn at random"),
        ([SITES, "--app", "javascript:alert(1)"], "no address of a dashboard"),
        (["NOGENE7"], "NOGENE7"),
        ([SITES, "--context", "Nowhere"], "Nowhere"),
        (["--table", "missing.tsv"], "missing.tsv"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line_and_nothing_is_written(run, words, said):
    done, path = run(*words)
    assert done.exit_code != 0 and said in done.output and "Traceback" not in done.output
    assert not path.exists()


def test_another_suffix_is_refused_before_anything_is_computed(run):
    done, _ = run(SITES, out="report.pdf")
    assert done.exit_code == 2 and "end its name with .html" in done.output


def test_an_interrupted_report_ends_in_one_line_and_leaves_no_file(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("phenviz.app.reports.make.render_report", interrupted)
    done, path = run(SITES)
    assert done.exit_code == 1 and "cancelled; no report was written" in done.output
    assert done.output.count("\n") == 1 and not path.exists()


def test_a_result_of_a_table_is_reported_with_the_table(run, project, tmp_path):
    reference = open_world(project).reference
    lines = ["trait\tchr\tpos\tref\talt\tpip"]
    for at in range(2_000, 9_000, 900):
        ref = reference.sequence(Locus("20", at - 1, at)).upper()
        lines.append(f"T\tchr20\t{at}\t{ref}\t{'A' if ref != 'A' else 'C'}\t0.4")
    table = tmp_path / "t.tsv"
    table.write_text("\n".join(lines) + "\n")
    tested = ["hypotheses", "--table", table, "--permutations", 100, "-o", tmp_path / "h.nc"]
    done = CliRunner().invoke(main, [*map(str, tested), "--world", str(project), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    done, path = run(tmp_path / "h.nc", "--table", table)
    assert done.exit_code == 0, done.output
    assert "Loci, the one that speaks most" in "".join(check_report(path.read_text()).tables)


@pytest.mark.parametrize("where", ["20:1-700", f"20:{CONTIGS['20'] - 299}-{CONTIGS['20']}", "20:6,050-6,050"])
def test_the_ends_of_a_contig_and_a_single_base_are_reported(tmp_path, service, where):
    path = phenviz.report(where, tmp_path / "end.html", service=service)
    assert "Which bases matter" in check_report(path.read_text()).text


def test_a_world_without_people_and_gene_readout_has_the_rest(tmp_path):
    (tmp_path / "world").mkdir()
    with ModelService(
        open_world(toy_project(tmp_path / "world")), "cpu", store=tmp_path / "store"
    ) as service:
        ref = service.world.reference.sequence(Locus("20", 6_049, 6_050)).upper()
        what = f"20:6050:{ref}:{'A' if ref != 'A' else 'C'}"
        path = phenviz.report(what, tmp_path / "v.html", service=service)
        report = check_report(path.read_text())
        assert "This world has no individuals" in report.text and (2, "Expression") not in report.headings
        assert "Quantile" not in report.table("Effects, the strongest")
        with pytest.raises(phenviz.PhenvizError, match="has no individuals"):
            phenviz.report("ann@ALPHA", tmp_path / "p.html", service=service)
