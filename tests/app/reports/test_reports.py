"""Reports hold the library's numbers, label what has to be, and need nothing but themselves."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import phenviz
from phenviz.app.reports.addresses import app_of, check_app
from phenviz.app.reports.make import kind_of_report
from phenviz.app.reports.variant_report import _effect_in_words
from phenviz.app.shell.state import VariantsState
from phenviz.data.manifests import Terms
from phenviz.errors import DataError, LocusError, PhenvizError, ResultError
from phenviz.genome import Locus
from phenviz.results import contribution
from tests.app.reports.parsed import check_report, number
from tests.effects.toys import SAMPLES

SHORT = "chr20:6,001-6,200"
VIEW = "chr20:2,001-9,000"


def made(what, tmp_path, service, **choices):
    path = phenviz.report(what, tmp_path / "report.html", service=service, **choices)
    return check_report(path.read_text(encoding="utf-8"))


def snv(world, position=6_050):
    ref = world.reference.sequence(Locus("20", position - 1, position)).upper()
    return ref, "A" if ref != "A" else "C"


def test_a_locus_has_the_activity_of_the_library(tmp_path, service):
    report = made(VIEW, tmp_path, service)
    prediction = service.predict(VIEW)
    wide = report.file("activity.tsv")
    assert wide["start"].tolist() == prediction["bin_start"].values.tolist()
    shown = report.table("Contexts, the one")
    for row in shown.itertuples(index=False):
        own = prediction["activity"].sel(context=row[0]).values
        np.testing.assert_allclose(wide[f"activity.{row[0]}"], own, rtol=1e-5)
        assert number(row[4]) == pytest.approx(own.max(), rel=6e-3)
        assert number(row[3]) == pytest.approx(own.mean(), rel=6e-3)
        peak = int(number(row[5]))
        assert own[(wide["start"] < peak) & (peak <= wide["end"])].max() == own.max()
    assert any("chr20:2001-9000" in link for link in report.links)
    assert "Which bases matter" not in report.text


def test_of_a_short_locus_every_base_is_changed(tmp_path, service):
    report = made(SHORT, tmp_path, service)
    changes = service.mutagenesis(SHORT)
    wide = report.file("effect.tsv").set_index(["position", "allele"])
    for name in changes["context"].values.astype(str):
        for allele in "ACGT":
            own = changes["effect"].sel(context=name, allele=allele)
            there = wide.xs(allele, level="allele")[f"effect.{name}"]
            np.testing.assert_allclose(there.loc[own["position"].values], own.values, rtol=1e-5, atol=1e-9)
    context = next(name for name in report.tables if name.startswith("Bases")).split()[-1]
    top = report.table("Bases that matter most").iloc[0]
    own = contribution(changes).sel(context=context)
    best = int(np.abs(own.values).argmax())
    assert number(top["Contribution"]) == pytest.approx(own.values[best], abs=6e-4)
    assert int(number(top["Position"])) == int(own["position"].values[best])
    assert any("run=mutagenesis" in link for link in report.links)
    assert "Which bases matter" not in made(SHORT, tmp_path, service, mutagenesis=False).text


def test_only_contexts_that_were_asked_for_are_shown(tmp_path, service):
    report = made(VIEW, tmp_path, service, contexts=["Ery"])
    assert report.table("Contexts, the one")["Context"].tolist() == ["Ery"]
    assert any("contexts=Ery" in link for link in report.links)


def test_a_variant_has_the_effects_of_the_library(tmp_path, service, world):
    ref, alt = snv(world)
    report = made(f"chr20:6,050 {ref}>{alt}", tmp_path, service)
    effects = service.variant_effects(f"20:6050:{ref}:{alt}")
    wide = report.file("effects.tsv").set_index("context")
    names = effects["context"].values.astype(str)
    np.testing.assert_allclose(wide.loc[names, "effect"], effects["effect"].values[0], rtol=1e-5)
    shown = report.table("Effects, the strongest")
    assert [number(text) for text in shown["Effect"]] == pytest.approx(wide["effect"].tolist(), abs=6e-4)
    expression = service.expression_effects(f"20:6050:{ref}:{alt}")
    genes = report.table("Genes in reach").set_index("Gene")
    for row, gene in enumerate(expression["gene"].values.astype(str)):
        values = expression["expression_effect"].values[row]
        assert number(genes.loc[gene, "Change"]) == pytest.approx(values[np.abs(values).argmax()], abs=6e-5)
    state = VariantsState()
    page = next(link for link in report.links if "/variants" in link)
    query = dict(pair.split("=") for pair in page.partition("?")[2].split("&"))
    assert not state.take(query, world.contexts)
    assert state.variant == f"20:6050:{ref}:{alt}" and state.lines == state.variant


@pytest.mark.parametrize(
    ("effect", "quantile", "said"),
    [(0.1, 0.6, "80.0% have a lower"), (0.1, -0.2, "40.0% have a lower"), (-0.1, 0.2, "40.0% have a higher")],
)
def test_the_share_of_common_variants_holds_where_a_rise_lies_below_their_middle(effect, quantile, said):
    values = {name: (("variant", "context"), [[value]]) for name, value in
              (("effect", effect), ("quantile", quantile))}  # fmt: skip
    coords = {"context": ["Ery"], "context_label": ("context", ["erythroblast"])}
    assert said in _effect_in_words(xr.Dataset(values, coords, {"units": "log2"}), ["Ery"])[1]


def test_what_is_known_of_a_variant_among_people_is_told(tmp_path, service, world):
    table = world.individuals.allele_counts(Locus("20", 2_000, 9_000), by=None)
    one = table[(table["ref"].str.len() == 1) & (table["alt"].str.len() == 1)].iloc[0]
    report = made(f"20:{one['position']}:{one['ref']}:{one['alt']}", tmp_path, service)
    assert f"{one['allele_frequency']:.3f}" in report.text and str(one["id"]) in report.text
    counted = report.table("Carriers among")
    assert sum(int(text) for text in counted["Carriers"]) == int(one["carriers"])


@pytest.mark.parametrize("length", [40, 300])
def test_a_long_deletion_is_cut_in_words_and_has_logos_only_where_they_can_be_read(
    tmp_path, service, world, length
):
    start = 6_000
    ref = world.reference.sequence(Locus("20", start, start + length)).upper()
    report = made(f"20:{start + 1}:{ref}:{ref[0]}", tmp_path, service)
    assert f"({length:,} bp)" in report.headings[0][1]
    assert ("Logos of both alleles and motifs were left out" in report.text) == (length > 60)


@pytest.mark.parametrize("position", [1, 50_020])
def test_a_variant_at_the_end_of_a_contig_is_reported_or_refused_in_words(tmp_path, service, world, position):
    ref = world.reference.sequence(Locus("20", position - 1, position)).upper()
    what = f"20:{position}:{ref}:{'A' if ref != 'A' else 'C'}"
    try:
        assert made(what, tmp_path, service).headings[0][1].startswith(f"chr20:{position:,}")
    except PhenvizError as error:
        assert str(position) in str(error).replace(",", "") and ref == "N"


def test_a_person_has_the_haplotypes_and_variants_of_the_library(tmp_path, service, world):
    report = made(f"bob@{VIEW}", tmp_path, service)
    prediction = service.personal(VIEW, "bob")
    wide = report.file("haplotypes.tsv")
    for haplotype in ("reference", "1", "2"):
        for name in prediction["context"].values.astype(str):
            own = prediction["activity"].sel(haplotype=haplotype, context=name).values
            np.testing.assert_allclose(wide[f"{haplotype}.{name}"], own, rtol=1e-5, atol=1e-9)
    carried = world.individuals.individual("bob").variants(world.locus(VIEW))
    file = report.file("variants.tsv")
    assert set(file["position"]) <= set(carried["position"]) and len(file)
    scores = service.variant_effects(carried, private=True)
    effects = scores["effect"].sel(context="Ery").values
    own = dict(zip(map(tuple, carried[["position", "ref", "alt"]].to_numpy()), effects, strict=True))
    wanted = [own[key] for key in map(tuple, file[["position", "ref", "alt"]].to_numpy())]
    np.testing.assert_allclose(file["effect.Ery"], wanted, rtol=1e-5)
    expression = service.expression(["ALPHA"], "bob")
    table = report.table("Genes that begin").set_index(["Gene", "Haplotype"])
    values = expression["expression"].sel(gene="ALPHA")
    change = (values.sel(haplotype="1") - values.sel(haplotype="reference")).values.ravel()
    assert change.any()
    shown = number(table.loc[("ALPHA", "1"), "Change"])
    assert shown == pytest.approx(change[np.abs(change).argmax()], abs=6e-5)


def test_a_report_on_a_person_says_that_it_is_private_and_only_its_owner_can_read_it(tmp_path, service):
    path = phenviz.report(f"ann@{SHORT}", tmp_path / "ann.html", service=service)
    assert "PRIVATE" in path.read_text() and stat.S_IMODE(path.stat().st_mode) == 0o600
    # also where a file that all could read was there before
    other = tmp_path / "old.html"
    other.write_text("old")
    other.chmod(0o644)
    phenviz.report(f"ann@{SHORT}", other, service=service)
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    assert "PRIVATE" not in phenviz.report(SHORT, tmp_path / "a.html", service=service).read_text()


def test_nothing_of_a_person_stays_in_the_store(tmp_path, service):
    before = {path: path.stat().st_size for path in service.store.folder.rglob("*") if path.is_file()}
    made(f"cem@{VIEW}", tmp_path, service)
    new = [path for path in service.store.folder.rglob("*") if path.is_file() and path not in before]
    assert not any(b"cem" in path.read_bytes() for path in new)


def test_hostile_names_are_text(tmp_path, service, world, project):
    name = '<img/src="http://x.example/"onerror=alert(1)>&amp;'
    text = (project.parent / "people.vcf").read_text()
    vcf = tmp_path / "people <b>of mine.vcf"
    vcf.write_text(text.replace(f"\t{SAMPLES[0]}\t", f"\t{name}\t", 1))
    report = made(f"{name}@{VIEW}", tmp_path, service, individuals=vcf)
    assert "img" not in report.tags and "b" not in report.tags
    assert report.headings[0][1].startswith(name) and vcf.name in report.text
    assert not any("sample=" in link for link in report.links)


def test_a_place_where_nothing_is_known_of_a_person_is_refused(tmp_path, service):
    with pytest.raises(DataError, match="nothing is known of ann"):
        made("ann@20:49,000-49,500", tmp_path, service)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("NOGENE7", "NOGENE7"),
        ("ann@", "HG00096@CDC25B"),
        ("@ALPHA", "HG00096@CDC25B"),
        ("nobody@ALPHA", "no sample 'nobody'"),
        ("rs999999999", "rs999999999"),
        ("20:6050:A:A,C,G", "variant"),
        ("missing.nc", "missing.nc"),
        ("chr7:1-100", "7"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_one_line(tmp_path, service, what, words):
    with pytest.raises(PhenvizError, match=re.escape(words)):
        made(what, tmp_path, service)
    assert not list(tmp_path.glob("*.html"))


def test_a_locus_that_is_too_long_is_refused_before_anything_is_computed(tmp_path, service):
    from phenviz.app.reports.locus_report import check_length

    with pytest.raises(LocusError, match="at most 4,000,000"):
        check_length(Locus("20", 0, 4_000_001), None)
    with pytest.raises(LocusError, match=r"at most 20,000.*phenviz mutagenesis"):
        made("20:1,000-40,000", tmp_path, service, mutagenesis=True)


def test_a_file_of_another_result_is_refused(tmp_path, service):
    (tmp_path / "h.tsv").write_text("trait\n")
    with pytest.raises(DataError, match=r"h\.tsv is a file that no report is made of.*\.parquet"):
        made(tmp_path / "h.tsv", tmp_path, service)
    phenviz.save(service.predict(SHORT), tmp_path / "p.nc")
    with pytest.raises(ResultError, match=r"p\.nc holds no hypotheses"):
        made(tmp_path / "p.nc", tmp_path, service)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("SIRPB1", "locus"),
        ("chr20:1-1,000", "locus"),
        ("20:34-35M", "locus"),
        ("20:42.9M-43M", "locus"),
        ("20 1000 2000", "locus"),
        ("rs6116042", "variant"),
        ("RS6116042", "variant"),
        ("20:1600925:G:A", "variant"),
        ("chr20:1,600,925 G>A", "variant"),
        ("chr20-1600925-G-A", "variant"),
        ("20\t1600925\trs1\tG\tA", "variant"),
        ("a@b@SIRPB1", "person"),
        ("h.nc", "hypotheses"),
        ("folder/h.parquet", "hypotheses"),
    ],
)
def test_what_is_asked_for_is_told_by_how_it_is_written(what, kind):
    assert kind_of_report(what) == kind


def test_addresses_of_dashboards_are_checked():
    assert check_app("https://lab.example/phenviz") == "https://lab.example/phenviz/"
    assert app_of("https://lab.example/phenviz/explore") == "https://lab.example/phenviz/"
    assert app_of("javascript:alert(1)") == app_of("") == "http://localhost:5006/"
    for wrong in ("javascript:alert(1)", "lab.example", "http://", "http://a/?x=1"):
        with pytest.raises(DataError, match="no address of a dashboard"):
            check_app(wrong)


def test_the_same_question_gives_the_same_file(tmp_path, service):
    one, other = (phenviz.report(VIEW, tmp_path / f"{n}.html", service=service).read_bytes() for n in "ab")
    assert one == other


def test_terms_of_a_model_are_told_first(tmp_path, service, monkeypatch):
    terms = Terms("Only for those who <ask>", "https://terms.example", commercial=False)
    where = "phenviz.app.reports.provenance.terms_of_models"
    monkeypatch.setattr(where, lambda project: [(Path("weights.safetensors"), terms)])
    report = made(SHORT, tmp_path, service)
    assert "Not for commercial use: weights.safetensors: Only for those who <ask>" in report.text
