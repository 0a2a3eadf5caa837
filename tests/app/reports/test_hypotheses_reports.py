"""Reports on hypotheses: the tests' numbers, what stands behind them, calibration, and what is simulated."""

from __future__ import annotations

import numpy as np
import pytest

import phenviz
from phenviz.app.disease.disease_evidence import locus_table
from phenviz.app.reports.hypotheses_report import source_of, strongest_pair
from phenviz.disease import methods_paragraph, table_of
from phenviz.disease.calibration import measured_calibration, measured_power
from phenviz.errors import ResultError
from phenviz.figures import slide_figure
from phenviz.genome import Locus
from tests.app.reports.parsed import check_report, number

METHODS = ("variant", "control-shuffled")
HOSTILE = '<script>alert(1)</script>"><img src=//x.example>'


@pytest.fixture(scope="module")
def simulated(service):
    return service.hypotheses("simulated", method=METHODS, permutations=200)


@pytest.fixture(scope="module")
def table(tmp_path_factory, world):
    """Write fine-mapped variants of two traits, one of them with a name that isn't harmless."""
    lines = ["trait\tchr\tpos\tref\talt\tpip"]
    for number_, at in enumerate(range(2_000, 18_000, 1_600)):
        ref = world.reference.sequence(Locus("20", at - 1, at)).upper()
        trait = ("plain", HOSTILE)[number_ % 2]
        lines.append(f"{trait}\tchr20\t{at}\t{ref}\t{'A' if ref != 'A' else 'C'}\t0.{3 + number_ % 4}")
    path = tmp_path_factory.mktemp("tables") / "my <i>traits.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def found(service, table):
    return service.hypotheses(table, method=("variant",), permutations=200)


def made(what, tmp_path, service, **choices):
    path = phenviz.report(what, tmp_path / "report.html", service=service, **choices)
    return check_report(path.read_text(encoding="utf-8"))


def test_numbers_are_those_of_the_tests(tmp_path, service, found):
    report = made(found, tmp_path, service, source=None)
    file, own = report.file("hypotheses.tsv"), table_of(found)
    assert file["trait"].tolist() == own["trait"].tolist()
    for name in ("effect", "z", "p_value", "q_value"):
        np.testing.assert_allclose(file[name], own[name], rtol=1e-6)
    pair = strongest_pair(found)
    best = own[own["method"] == pair.method].sort_values(["p_value", "z"], ascending=[True, False]).iloc[0]
    assert (pair.trait, pair.context) == (best["trait"], best["context"])
    one = report.table(f"{pair.trait} in each context").set_index("Context")
    assert number(one.loc[pair.context, "z"]) == pytest.approx(best["z"], abs=6e-3)
    assert " ".join(methods_paragraph(found).split()) in " ".join(report.text.split())


def test_what_stands_behind_is_computed_from_the_table(tmp_path, service, found, table):
    pair = strongest_pair(found, trait="plain")
    report = made(found, tmp_path, service, trait="plain", source=table)
    how = {"method": "variant", "permutations": 200}
    loci = locus_table(service.trait_evidence(table, "plain", **how), pair.context)
    shown = report.table("Loci, the one that speaks")
    assert shown["Lead variant"].tolist() == loci["lead"].tolist()
    z = [number(text) for text in shown["z without it"]]
    assert z == pytest.approx(loci["z_without"].tolist(), abs=6e-3, nan_ok=True)
    assert (2, f"Behind plain in {pair.context}") in report.headings
    assert len(report.file("variants.tsv")) == int(found["variants"].sel(trait="plain"))


def test_a_prior_is_named_and_what_stands_behind_is_computed_with_it(tmp_path, service, table):
    how = {"method": "variant", "permutations": 200, "prior": "effect"}
    found = service.hypotheses(table, **how)
    report = made(found, tmp_path, service, trait="plain", source=table)
    for words in ("A functional prior on causal variants", "prior effect, see Methods"):
        assert words in report.text
    assert any("/disease?" in link and "prior=effect" in link for link in report.links)
    shown = report.table("Variants, the largest posterior first")
    assert [number(text) for text in shown["as given"]] != [
        number(text) for text in shown["Posterior, reweighted"]
    ]
    pair = strongest_pair(found, trait="plain")
    loci = locus_table(service.trait_evidence(table, "plain", **how), pair.context)
    z = [number(text) for text in report.table("Loci, the one that speaks")["z without it"]]
    assert z == pytest.approx(loci["z_without"].tolist(), abs=6e-3, nan_ok=True)
    assert "prior effect" in phenviz.figures.disease.footer_of(found)


def test_without_the_table_the_report_says_what_is_missing(tmp_path, service, found):
    assert source_of(found) is None
    report = made(found, tmp_path, service)
    assert "which the result doesn't hold" in report.text


def test_simulated_traits_are_labelled(tmp_path, service, simulated):
    report = made(simulated, tmp_path, service)
    assert report.text.lstrip().count("SIMULATED") >= 3 and "SIMULATED:" in report.text
    assert "SIMULATED traits, not data" in report.html
    assert source_of(simulated) == "simulated" and any("source=simulated" in link for link in report.links)


def test_real_traits_are_not(tmp_path, service, found):
    power = "Power: of traits planted in one context (SIMULATED, on real sequence)"
    assert "SIMULATED" not in made(found, tmp_path, service).text.replace(power, "")


def test_calibration_is_what_was_measured(tmp_path, service, found):
    report = made(found, tmp_path, service)
    size = measured_calibration()
    size = size[size["method"] == "variant"]
    shown = report.table("Size")
    assert [number(text.split(" %")[0]) for text in shown["Called at p 0.05"]] == pytest.approx(
        (100 * size["rate_0.05"]).tolist(), abs=0.051
    )
    assert shown["Verdict"].tolist() == size["verdict"].tolist()
    assert shown["Measured with"].tolist() == size["model"].tolist()
    power = measured_power()
    power = power[power["method"] == "variant"]
    shown = report.table("Power")
    assert shown["Measured with"].tolist() == power["model"].tolist()
    assert [number(text.split(" %")[0]) for text in shown["Truth comes first"]] == pytest.approx(
        (100 * power["top_1"]).tolist(), abs=0.051
    )
    assert f"this result was made with {found.attrs['model']}" in report.text


def test_hostile_names_of_traits_and_files_are_text(tmp_path, service, found, table):
    report = made(found, tmp_path, service, trait=HOSTILE, source=table)
    assert "script" not in report.tags and "img" not in report.tags and "i" not in report.tags
    assert any(HOSTILE in text for _, text in report.headings) and HOSTILE in report.text


def test_a_saved_result_gives_the_same_report(tmp_path, service, found):
    there = made(found, tmp_path, service)
    for name in ("h.nc", "h.parquet", "h.zarr"):
        phenviz.save(found, tmp_path / name)
        kept = made(tmp_path / name, tmp_path, service)
        assert kept.tables == there.tables and kept.headings == there.headings


def test_what_was_not_tested_is_refused_with_what_was(tmp_path, service, found):
    for choice, words in (({"trait": "x"}, "no trait 'x'"), ({"method": "overlap"}, "no method 'overlap'")):
        with pytest.raises(ResultError, match=words):
            made(found, tmp_path, service, **choice)
    with pytest.raises(ResultError, match="no context 'Nowhere'"):
        made(found, tmp_path, service, contexts=["Nowhere"])


def test_a_slide_is_sixteen_by_nine_and_says_what_is_simulated(simulated, found, service, table, tmp_path):
    evidence = service.trait_evidence(table, "plain", method="variant", permutations=200)
    for chart in (
        slide_figure(simulated, method="variant"),
        slide_figure(found, trait="plain", evidence=evidence),
        slide_figure(found, trait=HOSTILE),
    ):
        width, height = chart.figure.get_size_inches()
        assert width / height == pytest.approx(16 / 9, abs=1e-3)
    assert slide_figure(simulated).title.startswith("SIMULATED: ")
    assert phenviz.save(found, tmp_path / "s.png", figure="slide")[0].stat().st_size > 10_000
    with pytest.raises(ResultError, match="no trait 'x'"):
        slide_figure(found, trait="x")
