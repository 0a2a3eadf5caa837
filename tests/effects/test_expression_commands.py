from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import phenviz
from phenviz.cli import main
from phenviz.effects import predict_expression
from phenviz.errors import ResultError
from phenviz.figures import figure_of
from phenviz.genome import Locus
from phenviz.models.expression import predict_expression as of_reference
from phenviz.results import load
from phenviz.results.expression import expression_table
from phenviz.world import open_world
from tests.effects.toys import people_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return people_project(tmp_path_factory.mktemp("world"), seed=5)


@pytest.fixture(scope="module")
def world(project):
    return open_world(project)


def direct(world, sample, genes, **how):
    parts = world.annotation, world.reference, world.backbone, world.readout
    return predict_expression(world.individuals.individual(sample), genes, *parts, **how)


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet"])
def test_personal_writes_the_expression_of_genes_from_both_haplotypes(world, run, tmp_path, suffix):
    out = tmp_path / f"bob{suffix}"
    found = run(
        "personal", "--sample", "bob", "--gene", "alpha", "--gene", "BETA", "--context", "B", "-o", out
    )
    assert found.stdout == f"{out}\n"
    expected = direct(world, "bob", ["ALPHA", "BETA"], contexts=["B"])
    whole = load(out)
    np.testing.assert_allclose(whole["expression"], expected["expression"], rtol=1e-6)
    assert whole["gene"].values.tolist() == ["ALPHA", "BETA"] and whole.attrs == expected.attrs


def test_a_table_has_a_line_a_haplotype_and_gene_and_says_what_it_is(world, run, tmp_path):
    out, vcf = tmp_path / "ann.tsv", world.project.individuals[0]
    found = run("personal", vcf, "--sample", "ann", "--gene", "ALPHA", "--gene", "DELTA", "-o", out)
    # of another contig than the file's
    assert "nothing is known of ann where DELTA is read out from: it has no expression" in found.stderr
    assert "ALPHA" not in found.stderr
    text = out.read_text()
    assert text.startswith("# expression of genes (toy1), predicted") and "units: ln(1 + CPM)" in text
    table = pd.read_csv(out, sep="\t", comment="#", dtype={"haplotype": str})
    assert table[["haplotype", "gene"]].values.tolist() == [
        [haplotype, gene] for haplotype in ("reference", "1", "2") for gene in ("ALPHA", "DELTA")
    ]
    expected = direct(world, "ann", ["ALPHA", "DELTA"])
    for context in ("Ery", "Mono", "B"):
        values = expected["expression"].sel(context=context).values.ravel()
        np.testing.assert_allclose(table[f"expression.{context}"], values, rtol=1e-5)
    assert table["variants"].tolist() == expected["variants"].values.ravel().tolist()
    assert table["tss"].tolist() == [6_000, 4_999] * 3 and table["strand"].tolist() == ["+", "-"] * 3


def test_genes_of_which_nothing_is_known_are_refused(world, run, tmp_path):
    out = tmp_path / "ann.tsv"
    found = run("personal", "--sample", "ann", "--gene", "DELTA", "-o", out, status=1)
    assert "DELTA: the genotypes of people.vcf cover chr20 only" in found.stderr and not out.exists()
    assert found.stderr.count("nothing is known where these genes are read out from") == 1


def test_tables_are_of_individuals_only_and_nothing_is_drawn(world):
    gene = world.annotation.gene("ALPHA")
    plain = of_reference(gene, world.reference, world.backbone, world.readout)
    with pytest.raises(ResultError, match="no expression of individuals"):
        expression_table(plain)
    with pytest.raises(ResultError, match="no figure over a locus"):
        figure_of(plain)


def test_a_gene_names_the_locus_of_sequences(run, tmp_path):
    by_gene, by_locus = tmp_path / "gene.fa", tmp_path / "locus.fa"
    run("personal", "--sample", "cem", "--gene", "alpha", "-o", by_gene)
    run("personal", "--sample", "cem", "--locus", "ALPHA", "-o", by_locus)
    assert by_gene.read_text() == by_locus.read_text()


def test_predict_with_a_sample_is_the_tracks_of_personal(world, run, tmp_path):
    vcf = world.project.individuals[0]
    run("personal", "--sample", "dee", "--locus", "ALPHA", "-o", tmp_path / "personal.nc")
    run("predict", "ALPHA", "--sample", "dee", "-o", tmp_path / "sample.nc")
    run("predict", "ALPHA", "--vcf", vcf, "--sample", "dee", "-o", tmp_path / "vcf.nc")
    expected = load(tmp_path / "personal.nc")
    for name in ("sample.nc", "vcf.nc"):
        found = load(tmp_path / name)
        np.testing.assert_allclose(found["activity"], expected["activity"], rtol=1e-6)
        assert found["haplotype"].values.tolist() == ["reference", "1", "2"]
        assert found.attrs["sample"] == "dee"
    run("predict", "ALPHA", "--sample", "dee", "--context", "Ery", "-o", tmp_path / "dee.bw")
    assert {path.name for path in tmp_path.glob("*.bw")} == {
        "dee.reference.Ery.bw", "dee.1.Ery.bw", "dee.2.Ery.bw"
    }  # fmt: skip
    run("predict", "ALPHA", "-o", tmp_path / "reference.nc")
    assert load(tmp_path / "reference.nc")["activity"].dims == ("context", "bin")


def test_what_was_asked_wrongly_is_told_before_anything_is_computed(world, run, tmp_path):
    def refused(*arguments, out="o.parquet", status=2):
        return run("personal", "--sample", "ann", *arguments, "-o", tmp_path / out, status=status).output

    assert "give one of them" in refused("--gene", "ALPHA", "--locus", "ALPHA")
    assert "say what is written" in refused()
    assert "give --locus ALPHA for tracks" in refused("--gene", "ALPHA", out="o.bw")
    assert "give one --gene" in refused("--gene", "ALPHA", "--gene", "BETA", out="o.fa")
    assert "leave --context out" in refused("--locus", "ALPHA", "--context", "B", out="o.fa")
    assert ".tsv is for the expression" in refused("--locus", "ALPHA", out="o.tsv")
    assert "no gene 'NOBODY'" in refused("--gene", "NOBODY", status=1)
    assert "no gene 'NOBODY'" in refused("--gene", "NOBODY", out="o.fa", status=1)
    assert "no expression in 'liver'" in refused("--gene", "ALPHA", "--context", "liver", status=1)
    several = run(
        "predict", "ALPHA", "--vcf", world.project.individuals[0], "-o", tmp_path / "o.nc", status=1
    )
    assert "choose one with --sample" in several.output
    alone = run("predict", "ALPHA", "--unphased", "random", "-o", tmp_path / "o.nc", status=2)
    assert "give --sample or --vcf" in alone.output
    assert not list(tmp_path.glob("o.*"))


def test_a_gene_that_is_deleted_wherever_the_record_begins_has_the_same_kind_of_expression(tmp_path):
    # records of the embedded world that begin 23 kb and 8 kb before the bins of the gene
    world = phenviz.open_world()
    found = []
    for start in (1_530_000, 1_545_000, 1_560_000):
        ref = world.reference.sequence(Locus("20", start - 1, 1_640_000))
        path = tmp_path / f"{start}.vcf"
        path.write_text(
            '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n"
            f"20\t{start}\t.\t{ref}\t{ref[0]}\t.\t.\t.\tGT\t1|1\n"
        )
        out = tmp_path / "out.tsv"
        given = ["personal", str(path), "--gene", "SIRPB1", "--context", "Mono", "-o", str(out)]
        result = CliRunner().invoke(main, [*given, "--device", "cpu"])
        assert result.exit_code == 0 and "no variant" not in result.stderr
        table = pd.read_csv(out, sep="\t", comment="#").set_index("haplotype")
        assert table["variants"].tolist() == [0, 1, 1]
        found.append(table["expression.Mono"])
    for one in found:
        assert one["reference"] > 3 and one["1"] == one["2"] < 0.7 * one["reference"]
