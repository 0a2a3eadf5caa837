from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.effects import predict_haplotypes, score_variants
from phenviz.genome import Locus
from phenviz.results import load
from phenviz.world import open_world
from tests.effects.toys import write_people
from tests.toys import toy_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    path = toy_project(folder)
    write_people(folder / "people.vcf", open_world(path).reference, 5)
    with path.open("a") as text:
        text.write("individuals: [people.vcf]\n")
    return path


@pytest.mark.parametrize("name", ["out.zarr", "out.tsv", "out.vcf.gz"])
def test_variants_replaces_no_folder_that_is_not_ours(run, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").write_text("precious")
    found = run("variants", "chr20:5,000 A>C", "-o", tmp_path / name, status=2)
    assert "is a folder" in found.output and (tmp_path / name / "notes.txt").read_text() == "precious"


@pytest.mark.parametrize("suffix", [".nc", ".parquet", ".tsv", ".tsv.gz", ".zarr"])
def test_variants_writes_every_kind_of_table(project, run, tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("phenviz.effects.annotate.CHUNK", 13)
    world, target = open_world(project), tmp_path / f"out{suffix}"
    vcf = world.project.individuals[0]
    found = run("variants", vcf, "-o", target, "--context", "Mono")
    assert str(target) in found.output and "variants kept" in found.output
    from phenviz.variation import read_variants

    expected = score_variants(read_variants(vcf, world.reference).table, world.reference, world.backbone)
    if ".tsv" in suffix:
        text = gzip.open(target, "rt").read() if suffix.endswith("gz") else target.read_text()
        assert text.startswith("# effects of variants")
        table = pd.read_csv(target, sep="\t", comment="#")
        assert table["position"].tolist() == expected["position"].values.tolist()
        values = table["effect.Mono"]
    else:
        whole = load(target)
        assert whole["position"].values.tolist() == expected["position"].values.tolist()
        assert set(whole.data_vars) == {"effect", "active", "quantile"}
        values = whole["effect"].sel(context="Mono")
    np.testing.assert_allclose(values, expected["effect"].sel(context="Mono"), rtol=1e-3, atol=5e-6)


def test_an_interrupted_run_goes_on_from_what_was_finished(project, run, tmp_path, monkeypatch):
    monkeypatch.setattr("phenviz.effects.annotate.CHUNK", 10)
    # sites only: of a file with genotypes nothing is kept
    lines = open_world(project).project.individuals[0].read_text().splitlines()
    sites = ["\t".join(line.split("\t")[:8]) for line in lines if not line.startswith("##FORMAT")]
    vcf = tmp_path / "sites.vcf"
    vcf.write_text("\n".join(sites) + "\n")
    scored: list[int] = []
    direct = score_variants

    def failing(table, *args, **how):
        if len(scored) == 3:
            raise KeyboardInterrupt
        scored.append(len(table))
        return direct(table, *args, **how)

    # the background is none of this
    monkeypatch.setattr("phenviz.effects.world_background", lambda *args, **how: None)
    monkeypatch.setattr("phenviz.effects.score_variants", failing)
    run("variants", vcf, "-o", tmp_path / "out.tsv", status=1)
    assert not (tmp_path / "out.tsv").exists()
    scored.clear()
    monkeypatch.setattr("phenviz.effects.score_variants", lambda *a, **h: scored.append(1) or direct(*a, **h))
    run("variants", vcf, "-o", tmp_path / "out.tsv")
    table = pd.read_csv(tmp_path / "out.tsv", sep="\t", comment="#")
    assert len(scored) == -(-len(table) // 10) - 3


def test_variants_annotates_a_vcf_and_reads_tables_and_text(project, run, tmp_path):
    world = open_world(project)
    vcf = world.project.individuals[0]
    run("variants", vcf, "-o", tmp_path / "out.vcf.gz")
    assert "PV_Ery=" in gzip.open(tmp_path / "out.vcf.gz", "rt").read()
    run("variants", vcf, "-o", tmp_path / "first.tsv")
    run("variants", tmp_path / "first.tsv", "-o", tmp_path / "again.tsv")
    assert (tmp_path / "first.tsv").read_text() == (tmp_path / "again.tsv").read_text()
    row = pd.read_csv(tmp_path / "first.tsv", sep="\t", comment="#", dtype={"contig": str}).iloc[0]
    run("variants", f"chr20:{row.position}:{row.ref}:{row.alt}", "-o", tmp_path / "one.tsv")
    one = pd.read_csv(tmp_path / "one.tsv", sep="\t", comment="#")
    assert one["effect.Ery"][0] == pytest.approx(row["effect.Ery"], rel=1e-3, abs=1e-6)


def test_what_cannot_be_done_is_told_in_one_line(run, tmp_path):
    assert "is no file, and as text" in run("variants", "nonsense", "-o", tmp_path / "o.tsv", status=1).output
    assert "no VCF" in run("variants", "20:1000:A:C", "-o", tmp_path / "o.vcf", status=1).output
    assert "end the name" in run("variants", "20:1000:A:C", "-o", tmp_path / "o.doc", status=2).output
    assert "Traceback" not in run("variants", "20:1000:A:C", "-o", tmp_path / "o.tsv", status=1).output


def test_personal_writes_the_tracks_of_both_haplotypes_and_the_reference(project, run, tmp_path):
    world = open_world(project)
    run("personal", "--sample", "bob", "--locus", "ALPHA", "-o", tmp_path / "bob.nc", "--context", "Ery")
    whole = load(tmp_path / "bob.nc")
    direct = predict_haplotypes(
        world.individuals.individual("bob"), world.locus("ALPHA"), world.reference, world.backbone,
        contexts=["Ery"],
    )  # fmt: skip
    np.testing.assert_allclose(whole["activity"], direct["activity"], rtol=1e-5, atol=1e-6)
    found = run(
        "personal", "--sample", "bob", "--locus", "ALPHA", "-o", tmp_path / "bob.bw", "--context", "Ery"
    )
    names = {path.name for path in tmp_path.glob("*.bw")}
    assert names == {"bob.reference.Ery.bw", "bob.1.Ery.bw", "bob.2.Ery.bw"}
    assert all(name in found.output for name in names)
    assert (
        "no sample"
        in run("personal", "--sample", "eve", "--locus", "ALPHA", "-o", tmp_path / "e.nc", status=1).output
    )


def test_variants_are_drawn_the_strongest_of_all_pieces_or_one_as_a_forest(
    project, run, tmp_path, monkeypatch
):
    monkeypatch.setattr("phenviz.effects.annotate.CHUNK", 7)
    monkeypatch.setattr("phenviz.effects.world_background", lambda *args, **how: None)
    world = open_world(project)
    from phenviz.figures.variants import strongest_variants, variant_name
    from phenviz.variation import read_variants

    vcf, target = world.project.individuals[0], tmp_path / "out.svg"
    run("variants", vcf, "-o", target, "--context", "Mono")
    table = read_variants(vcf, world.reference).table
    scores = score_variants(table, world.reference, world.backbone, contexts=["Mono"])
    drawn = target.read_text()
    assert f"strongest of {len(table)}" in drawn
    shown = strongest_variants(scores)
    for row in range(shown.sizes["variant"]):
        assert variant_name(shown, row).replace(">", "&gt;") in drawn
    one = table.iloc[0]
    run("variants", f"chr20:{one.position} {one.ref}>{one.alt}", "-o", tmp_path / "one.pdf")
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")


def test_a_figure_of_variants_that_cannot_be_scored_is_refused(run, tmp_path):
    table = tmp_path / "table.tsv"
    table.write_text("contig\tposition\tref\talt\nchr99\t100\tA\tC\n")
    told = run("variants", table, "-o", tmp_path / "out.png", status=1).stderr
    assert "no variant" in told and "unknown contig" in told and told.count("\n") == 1


@pytest.mark.parametrize("how", ["as-listed", "random"])
def test_a_person_is_drawn_with_the_variants_as_they_were_applied(project, run, tmp_path, how):
    from phenviz.cli.tracks import carried_variants

    world = open_world(project)
    locus = world.locus("chr20:5,001-9,000")
    target = tmp_path / "bob.svg"
    run("personal", "--sample", "bob", "--locus", "chr20:5,001-9,000", "-o", target, "--unphased", how)
    assert "haplotype 2" in target.read_text() and "bob, chr20:5,001-9,000" in target.read_text()
    pair = world.individuals.individual("bob").haplotypes(locus)
    table = carried_variants([one.variants for one in pair])
    for number, one in enumerate(pair, start=1):
        own = table[table[f"haplotype_{number}"] == 1]
        keys = ["position", "ref", "alt"]
        assert own[keys].values.tolist() == one.variants[keys].values.tolist()
    assert (table["haplotype_1"] + table["haplotype_2"] > 0).all()


def test_a_variant_is_named_by_its_rsid_and_a_missing_file_is_no_variant(project, run, tmp_path):
    (person,) = open_world(project).project.individuals
    line = next(line for line in person.read_text().splitlines() if not line.startswith("#"))
    contig, position, _, *rest = line.split("\t")
    named = person.with_name("named.vcf")
    head = [text for text in person.read_text().splitlines() if text.startswith("#")]
    named.write_text("\n".join([*head, "\t".join([contig, position, "rs77", *rest]), ""]))
    world = project.with_name("named.yaml")
    world.write_text(project.read_text().replace("people.vcf", "named.vcf"))
    target = tmp_path / "out.tsv"
    found = CliRunner().invoke(main, ["variants", "rs77", "-o", str(target), "--world", str(world)])
    assert found.exit_code == 0, found.output
    table = pd.read_csv(target, sep="\t", comment="#")
    assert table["position"].tolist() == [int(position)] and table["id"].tolist() == ["rs77"]
    assert "doesn't know rs78" in run("variants", "rs78", "-o", target, status=1).output
    assert "calls.vcf is missing" in run("variants", "calls.vcf", "-o", target, status=1).output


def test_a_file_without_records_says_so(run, tmp_path):
    empty = tmp_path / "empty.vcf"
    empty.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
    assert "0 records read" in run("variants", empty, "-o", tmp_path / "out.tsv").output


def test_tracks_are_told_of_with_what_their_bins_see(project, run, tmp_path):
    reference = open_world(project).reference
    long = reference.sequence(Locus("20", 1_999, 10_500))
    snv = reference.sequence(Locus("20", 12_299, 12_300))
    path = tmp_path / "eve.vcf"
    path.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=20>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\teve\n"
        f"20\t2000\t.\t{long}\t{long[0]}\t.\t.\t.\tGT\t1|1\n"
        f"20\t12300\t.\t{snv}\t{'A' if snv != 'A' else 'C'}\t.\t.\t.\tGT\t0|1\n"
    )
    seen = "that the bins of chr20:9,001-12,000 see"
    told = run("predict", "20:9001-12000", "--vcf", path, "-o", tmp_path / "out.bed").stderr
    assert f"eve, haplotype 1: 1 variant {seen}" in told and f"eve, haplotype 2: 2 variants {seen}" in told
    told = run("predict", "20:13001-14000", "--vcf", path, "-o", tmp_path / "out.svg", status=1).stderr
    assert "nothing is known of eve in chr20:13,001-14,000" in told
    assert "eve.vcf cover chr20:2,000-12,300" in told
    assert "has no variant" not in told and not (tmp_path / "out.svg").exists()
    figure = tmp_path / "out.svg"
    run("predict", "20:9001-12000", "--vcf", path, "-o", figure)
    assert "Variants" in figure.read_text()


@pytest.mark.parametrize("option", ["--quantiles", "--no-quantiles"])
def test_quantiles_of_changes_of_expression_are_refused_rather_than_left_out(tmp_path, option):
    done = CliRunner().invoke(
        main, ["variants", "20:1:A:C", "--expression", option, "-o", str(tmp_path / "x.tsv")]
    )
    assert done.exit_code == 2 and "leave --quantiles out: changes of expression" in done.stderr


def test_quantiles_in_shards_are_refused_rather_than_left_out(toy_project, tmp_path):
    done = CliRunner().invoke(
        main,
        ["variants", "20:1:A:C", "--shard", "1/2", "--quantiles", "-o", str(tmp_path / "x.tsv"),
         "--world", str(toy_project)],
    )  # fmt: skip
    assert done.exit_code == 2 and "leave --quantiles out: in shards" in done.stderr
