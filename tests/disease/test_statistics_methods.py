"""The methods on whole studies, with the embedded people's LD; all studies here are simulated."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz import open_world
from phenviz.cli import main
from phenviz.data.packs import has_pack
from phenviz.disease import hypotheses, method_names, methods_paragraph, read_trait_variants, reservations
from phenviz.disease.files import table_to_keep
from phenviz.disease.inputs import Inputs, Settings
from phenviz.disease.ld_panel import read_panels
from phenviz.disease.methods import methods
from phenviz.disease.study_ld_scores import StudyLdScores, study_ld_scores
from phenviz.disease.summary_statistics import all_statistics
from phenviz.errors import DataError, ProjectError
from phenviz.results import load

PACKS = ("blood16-atac", "blood16-rna")


@pytest.fixture(scope="module")
def world():
    if missing := [pack for pack in PACKS if not has_pack(pack)]:
        pytest.skip(f"data pack {missing[0]} is neither in the cache nor in a mirror")
    return open_world()


@pytest.fixture(scope="module")
def panel(world):
    places = pd.DataFrame({"contig": "20", "position": [1_000_001, 4_000_000]})
    (found,) = read_panels(world.individuals, places)
    return found


def study(panel, seed, effect=0.0, causal=None):
    """Simulate a study of people like the embedded ones: a table as PLINK's, but for its name."""
    rng = np.random.default_rng(seed)
    noise, beta = rng.normal(size=panel.people), np.zeros(len(panel.variants))
    if causal is not None:
        beta[causal] = effect
    g = panel.genotypes.astype(float)
    z = g @ (noise - noise.mean()) / np.sqrt(panel.people) + g @ (g.T @ beta) / panel.people
    table = panel.variants[["contig", "position", "ref", "alt"]].assign(beta=0.02 * z, se=0.02)
    return table.assign(trait="simulated")


def written(folder, table, name="simulated.tsv"):
    table.to_csv(folder / name, sep="\t", index=False)
    return folder / name


def test_both_are_in_the_registry_with_a_sentence_each_and_behind_the_recommended_one():
    for name in ("magma", "scdrs", "s-ldsc"):
        method = methods()[name]
        assert method.whole_study and not method.control and "whole study" in method.summary
        assert method_names().index(name) > method_names().index("sequence")


def test_panels_hold_the_common_variants_with_mean_0_and_variance_1(panel):
    g = panel.genotypes.astype(float)
    assert np.abs(g.mean(1)).max() < 1e-4 and np.abs(g.var(1) - 1).max() < 1e-3
    assert panel.variants["position"].is_monotonic_increasing
    assert np.minimum(panel.variants["frequency"], 1 - panel.variants["frequency"]).min() >= 0.01
    flipped = panel.variants.head(3).rename(columns={"ref": "alt", "alt": "ref"})
    # of other alleles at the same place: another variant
    assert (panel.rows(flipped) == -1).all() and panel.rows(panel.variants.head(3)).tolist() == [0, 1, 2]


def test_each_variant_of_a_study_counts_once_and_those_without_a_number_not_at_all():
    rows = [
        (1, "C", 0.2, 0.1, np.nan), (1, "C", 0.3, 0.05, np.nan),  # twice: the more certain one
        (1, "G", 0.1, 0.1, np.nan),  # another allele at the same place
        (2, "C", np.nan, np.nan, -3.0), (3, "C", 0.1, 0.0, np.nan), (4, "C", 0.1, np.inf, 2.0),
        (5, "C", np.nan, 0.1, np.inf),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["position", "alt", "beta", "se", "z"])
    found = all_statistics(table.assign(trait="t", contig="20", ref="A"))
    assert found[["position", "alt", "z"]].values.tolist() == [
        [1, "C", pytest.approx(6)], [1, "G", pytest.approx(1)], [2, "C", -3.0], [4, "C", 2.0]
    ]  # fmt: skip


def test_a_study_meets_ld_scores_by_alleles_then_by_rsid_then_by_place():
    ours = pd.DataFrame({"contig": "20", "position": [5, 5, 9], "id": ["rs1", "rs2", "rs3"]})
    own = pd.DataFrame({"contig": "chr20", "position": [5, 9, 9, 7], "ref": "A", "alt": list("GCCT")})
    own = own.assign(id=["rs2", "rs3", "rs3", "rs9"], z=[1.0, 2, 3, 4])
    none = np.zeros((3, 1))

    def met(variants, statistics):
        scores = StudyLdScores(variants, none, {}, np.zeros(3), np.zeros(1), {}, (), "")
        return scores.rows(statistics)[["row", "z"]].values.tolist()

    alleles = ours.assign(ref="A", alt=["C", "G", "G"])
    assert met(alleles, own) == [[1, 1.0]]
    # on another assembly the places differ
    assert met(ours.assign(position=[50, 50, 90]), own) == [[1, 1.0], [2, 2.0]]
    assert met(ours, own.assign(id="")) == [[0, 1.0], [2, 2.0]]
    assert met(alleles, own.assign(contig="21")) == []


@pytest.mark.packs
def test_a_study_without_a_significant_locus_is_tested_and_what_it_rests_on_is_said(world, panel, tmp_path):
    path = written(tmp_path, study(panel, 0))
    with pytest.raises(DataError, match="no locus to fine-map"):
        read_trait_variants(path, world.reference)
    traits = read_trait_variants(path, world.reference, least_loci=0)
    assert traits.traits == [] and traits.every_trait == ["simulated"]
    result = hypotheses(traits, world, method=["magma", "scdrs", "s-ldsc"])
    assert result.sizes["trait"] == 1 and result["loci"].item() == 0
    for name in ("magma", "scdrs", "s-ldsc"):
        p = result["p_value"].sel({"method": name}).to_numpy().ravel()
        assert np.isfinite(p).sum() >= 14 and np.nanmin(p) > 1e-4
    said = " ".join(reservations(result))
    assert "magma tested 54 genes, with LD of 300 people" in said and "18,000" in said
    assert "blocks, with LD scores of 300 people" in said and "fewer than 5 loci" not in said
    assert "MAGMA:" in methods_paragraph(result) and "S-LDSC:" in methods_paragraph(result)
    assert "magma tested 54 genes" in methods_paragraph(result)
    table = table_to_keep(result)
    assert table.loc[table["method"] == "magma", "note"].str.startswith("magma tested 54 genes").all()
    # with a method that goes by loci beside them, that one has nothing to test
    both = hypotheses(traits, world, method=["variant", "magma"])
    assert np.isnan(both["p_value"].sel({"method": "variant"})).all()
    assert "Nothing was tested by variant" in methods_paragraph(both)
    # whoever asks for that one alone hears why
    with pytest.raises(DataError, match="nothing to test"):
        hypotheses(traits, world, method="variant")


@pytest.mark.packs
def test_signs_and_order_of_a_table_change_nothing_and_seeds_neither(world, panel, tmp_path):
    table = study(panel, 1)
    # indels that fit either way are left out where a table doesn't tell the reference's allele
    table = table[(table["ref"].str.len() == 1) & (table["alt"].str.len() == 1)]
    first = read_trait_variants(written(tmp_path, table), world.reference, least_loci=0)
    # every other row tells of the other allele
    turned = table.sample(frac=1, random_state=0).reset_index(drop=True)
    odd = turned.index % 2 == 1
    turned = turned.rename(columns={"ref": "other_allele", "alt": "effect_allele"})
    turned.loc[odd, ["other_allele", "effect_allele"]] = turned.loc[
        odd, ["effect_allele", "other_allele"]
    ].to_numpy()
    turned.loc[odd, "beta"] *= -1
    second = read_trait_variants(written(tmp_path, turned, "turned.tsv"), world.reference, least_loci=0)
    one, other = (
        hypotheses(t, world, method=["magma", "s-ldsc"], seed=s) for s, t in enumerate((first, second))
    )
    np.testing.assert_allclose(one["z"], other["z"], rtol=1e-9)
    # this one draws sets of genes
    one, other = (hypotheses(t, world, method="scdrs", seed=3) for t in (first, second))
    np.testing.assert_allclose(one["z"], other["z"], rtol=1e-9)


@pytest.mark.packs
def test_a_planted_enrichment_is_seen_by_s_ldsc(world, panel, tmp_path):
    inside = world_peaks(world).at(panel.variants)[:, 8] > 0
    table = study(panel, 2, np.random.default_rng(0).normal(scale=2.5, size=int(inside.sum())), inside)
    traits = read_trait_variants(written(tmp_path, table), world.reference, least_loci=0)
    result = hypotheses(traits, world, method="s-ldsc")
    z = result["z"].to_numpy().ravel()
    assert np.argsort(-np.nan_to_num(z, nan=-9)).tolist().index(8) < 5 and z[8] > 1


def world_peaks(world):
    from phenviz.disease.observed import Peaks
    from phenviz.genome.contexts import without_reporters

    return Peaks(world.peaks, without_reporters(world.contexts))


@pytest.mark.packs
def test_fine_mapped_variants_alone_are_refused_with_what_is_needed(world, tmp_path):
    (tmp_path / "f.tsv").write_text(
        "trait\tcontig\tposition\tref\talt\tposterior\nT\t20\t1600925\tG\tA\t0.9\n"
    )
    traits = read_trait_variants(tmp_path / "f.tsv", world.reference)
    for names in ("magma", "scdrs", "s-ldsc", ["magma", "s-ldsc"]):
        with pytest.raises(DataError, match="needs the summary statistics of all variants"):
            hypotheses(traits, world, method=names)
    # beside others they are left out, and the paragraph says why
    result = hypotheses(traits, world, method=["overlap", "magma", "s-ldsc"])
    assert np.isfinite(result["p_value"].sel({"method": "overlap"})).any()
    assert np.isnan(result["p_value"].sel({"method": "magma"})).all()
    assert methods_paragraph(result).count("Nothing was tested by") == 2


@pytest.mark.packs
def test_a_study_where_the_people_have_no_genotypes_is_said_not_to_be_tested(world, tmp_path):
    sequence = np.array(list("ACGT"))[world.reference.fetch_codes("20", 40_000_000, 40_000_400)]
    other = {"A": "G", "C": "T", "G": "A", "T": "C"}
    rows = [("T", "20", 40_000_001 + i, base, other[base], 0.1, 0.1) for i, base in enumerate(sequence)]
    table = pd.DataFrame(rows, columns=["trait", "contig", "position", "ref", "alt", "beta", "se"])
    traits = read_trait_variants(written(tmp_path, table), world.reference, least_loci=0)
    result = hypotheses(traits, world, method=["magma", "scdrs", "s-ldsc"])
    assert np.isnan(result["p_value"]).all()
    assert all(note.startswith("Nothing was tested by") for note in reservations(result))


@pytest.mark.packs
def test_the_command_tests_a_study_without_a_locus(world, panel, tmp_path):
    path, out = written(tmp_path, study(panel, 3)), tmp_path / "out.nc"
    command = ["hypotheses", "--table", str(path), "--method", "magma", "--device", "cpu", "-o", str(out)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    assert "note: magma tested 54 genes" in done.output
    assert load(out)["p_value"].notnull().any()


def _ldsc(folder, name, rows, scores, sizes):
    with gzip.open(folder / f"{name}.20.l2.ldscore.gz", "wt") as file:
        columns = [f"L2_{n}" for n in range(scores.shape[1])]
        file.write("\t".join(["CHR", "SNP", "BP", *columns]) + "\n")
        for (snp, place), values in zip(rows, scores, strict=True):
            file.write("\t".join(map(str, [20, snp, place, *np.round(values, 8)])) + "\n")
    (folder / f"{name}.20.l2.M_5_50").write_text("\t".join(map(str, sizes)) + "\n")


@pytest.mark.packs
def test_a_project_that_names_the_same_ld_scores_gets_the_same_numbers(world, panel, tmp_path, monkeypatch):
    table = study(panel, 4)
    traits = read_trait_variants(written(tmp_path, table), world.reference, least_loci=0)
    inputs = Inputs(traits, world, Settings())
    ours = study_ld_scores(inputs)
    rows = [(f"v{n}", place) for n, place in enumerate(ours.variants["position"])]
    _ldsc(tmp_path, "base", rows, ours.baseline, ours.baseline_sizes)
    _ldsc(tmp_path, "weights", rows, ours.weights[:, None], [len(rows)])
    for name in ("Ery", "Mono"):
        _ldsc(tmp_path, name, rows, ours.own[name], ours.own_sizes[name])
    (tmp_path / "own").mkdir()
    (tmp_path / "Mono.20.l2.ldscore.gz").rename(tmp_path / "own" / "20.l2.ldscore.gz")
    (tmp_path / "Mono.20.l2.M_5_50").rename(tmp_path / "own" / "20.l2.M_5_50")
    (tmp_path / "cells.ldcts").write_text("Ery\tEry.\nMono\town/\nhand-made\tEry.,own/\n")
    named = {
        "baseline": tmp_path / "base.", "weights": tmp_path / "weights.", "contexts": tmp_path / "cells.ldcts"
    }  # fmt: skip
    expected = hypotheses(traits, world, method="s-ldsc")
    from dataclasses import replace

    other = open_world()
    other.project = replace(other.project, ld_scores=named)
    result = hypotheses(traits, other, method="s-ldsc")
    assert result["context"].values.tolist() == ["Ery", "Mono", "hand-made"]
    for name in ("Ery", "Mono"):
        # by place alone: a few places hold two variants
        one, two = (float(r["z"].sel(context=name).squeeze()) for r in (result, expected))
        assert one == pytest.approx(two, abs=0.1)
    assert "the LD scores that the project names (cells.ldcts)" in " ".join(reservations(result))


def test_a_wrong_entry_of_ld_scores_is_named_with_its_line(tmp_path):
    from phenviz.data.project import read_project

    (tmp_path / "g.fa").write_text(">20\nACGT\n")
    (tmp_path / "genes.tsv").write_text("contig\tstart\tend\tstrand\tgene_name\n")
    (tmp_path / "b.20.l2.ldscore.gz").write_bytes(b"")
    (tmp_path / "c.ldcts").write_text("Ery b.\n")
    for entry, says in (
        ("{baseline: b.}", "write '{baseline"),
        ("{baseline: nowhere., weights: b., contexts: c.ldcts}", "there is no file nowhere.<chromosome>"),
        ("{baseline: b., weights: 3, contexts: c.ldcts}", "has the prefix 3"),
        ("{baseline: b., weights: b., contexts: c.txt}", "isn't there"),
    ):
        text = f"assembly: x\nreference: g.fa\nannotation: genes.tsv\nld_scores: {entry}\n"
        (tmp_path / "project.yaml").write_text(text)
        with pytest.raises(ProjectError, match=says) as error:
            read_project(tmp_path / "project.yaml")
        assert "line 4: 'ld_scores'" in str(error.value)
    # LDSC's own releases are folders of 1.l2.ldscore.gz, 2.l2.ldscore.gz
    (tmp_path / "eur").mkdir()
    (tmp_path / "eur" / "20.l2.ldscore.gz").write_bytes(b"")
    text = text.replace(entry, "{baseline: eur/, weights: eur/, contexts: c.ldcts}")
    (tmp_path / "project.yaml").write_text(text)
    assert read_project(tmp_path / "project.yaml").ld_scores["weights"] == tmp_path / "eur" / "@"


def test_the_doctor_reads_the_ld_scores_that_a_project_names(tmp_path):
    from tests.toys import toy_project

    path = toy_project(tmp_path)
    for name in ("b", "c"):
        _ldsc(tmp_path, name, [("rs1", 5), ("rs2", 9)], np.ones((2, 1)), [2])
    (tmp_path / "cells.ldcts").write_text("Ery c.\n")
    entry = "\nld_scores: {baseline: b., weights: b., contexts: cells.ldcts}\n"
    path.write_text(path.read_text() + entry)
    done = CliRunner().invoke(main, ["doctor", str(path)])
    assert "LD scores of 1 context" in done.output
    (tmp_path / "cells.ldcts").write_text("Ery nowhere.\n")
    done = CliRunner().invoke(main, ["doctor", str(path)])
    assert done.exit_code != 0 and "'ld_scores': no LD scores at" in done.output
