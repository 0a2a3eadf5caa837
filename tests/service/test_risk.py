"""The job ``risk`` on a made-up model: what it adds up, what it doesn't know, and how it is written."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import phenviz
from phenviz.cli import main
from phenviz.disease.cohort.saved import open_risk_model
from phenviz.errors import DataError, ModelError, PhenvizError, ProjectError, TargetError
from phenviz.genome import Locus
from phenviz.models.phenformer_training import scaled
from phenviz.results import load
from phenviz.results.risk import risk_tables
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.effects.toys import write_people
from tests.risk_toys import GROUPS, POSITIONS, risk_project

KNOWN = (2_000, 12_000)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = risk_project(tmp_path_factory.mktemp("risk"))
    write_people(project.parent / "people.vcf", open_world(project).reference, 3, count=200)
    project.write_text(project.read_text() + "individuals: [people.vcf]\n")
    return project


@pytest.fixture(scope="module")
def service(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    with ModelService(open_world(project), "cpu", store=folder, costs=folder / "costs.json") as service:
        yield service


def write_vcf(path, world, calls, head="person"):
    """Write one person's VCF with (position, genotype); ALT is A, or C."""
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20,length=50021>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", head]))
    for at, call in sorted(calls):
        ref = world.reference.sequence(Locus("20", at - 1, at)).upper()
        alt = "A" if ref != "A" else "C"
        lines.append("\t".join(["20", str(at), ".", ref, alt, ".", "PASS", ".", "GT", call]))
    path.write_text("\n".join(lines) + "\n")
    return path


def calls_of(seed, listed=POSITIONS):
    rng = np.random.default_rng(seed)
    return [(at, ("0|0", "0|1", "1|0", "1|1")[rng.integers(4)]) for at in (KNOWN[0] + 1, *listed, KNOWN[1])]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_polygenic_score_is_the_sum_of_copies_times_weights(service, tmp_path, seed):
    world, calls = service.world, calls_of(seed)
    path = write_vcf(tmp_path / "p.vcf", world, calls)
    found = service.risk(individuals=path)
    model = open_risk_model(world)
    copies = {at: call.count("1") for at, call in calls}
    for trait in found["trait"].values.tolist():
        own = model.weights[model.weights["trait"] == trait]
        plain = sum(copies[at] * weight for at, weight in zip(own["position"], own["weight"], strict=True))
        fit = model.combinations(trait)["prs"]
        base = model.card["traits"][trait]["covariates"]["intercept"]
        expected = base + plain * fit.weights[0] + fit.intercept
        assert float(found["score"].sel({"trait": trait, "method": "prs"})[0]) == pytest.approx(
            expected, abs=1e-4
        )


def test_what_a_file_covers_and_does_not_list_counts_as_the_reference(service, tmp_path):
    calls = calls_of(4)
    short = [(at, call) for at, call in calls if "1" in call or at in KNOWN or at == KNOWN[0] + 1]
    assert len(short) < len(calls)
    whole = service.risk(individuals=write_vcf(tmp_path / "whole.vcf", service.world, calls))
    listed = service.risk(individuals=write_vcf(tmp_path / "short.vcf", service.world, short))
    for name in ("score", "percentile", "gene_contribution"):
        np.testing.assert_allclose(listed[name], whole[name], atol=1e-5)
    assert listed.attrs["coverage"] == "" and max(listed.attrs["variants_found"]) < 1
    assert min(listed.attrs["variants_known"]) == 1


def test_what_a_file_does_not_cover_counts_as_average_and_is_told(service, tmp_path):
    half = 7_000
    calls = [(at, call) for at, call in calls_of(5) if at <= half]
    found = service.risk(individuals=write_vcf(tmp_path / "half.vcf", service.world, calls))
    assert "nothing is known" in found.attrs["coverage"] and 0 < found.attrs["variants_known"][0] < 1
    model = open_risk_model(service.world)
    copies = {at: call.count("1") for at, call in calls}
    last = max(at for at, _ in calls)
    own = model.weights[model.weights["trait"] == "MCV"]
    usual = dict(zip(own["position"], 2 * own["frequency"], strict=True))
    plain = sum(
        weight * (copies.get(at, 0) if at <= last else usual[at])
        for at, weight in zip(own["position"], own["weight"], strict=True)
    )
    base = model.card["traits"]["MCV"]["covariates"]["intercept"]
    expected = base + plain * model.combinations("MCV")["prs"].weights[0]
    assert float(found["score"].sel({"trait": "MCV", "method": "prs"})[0]) == pytest.approx(
        expected, abs=1e-4
    )


def test_genes_of_which_nothing_is_known_add_nothing_and_a_person_of_whom_nothing_is_known_is_refused(
    service, tmp_path
):
    few = [(KNOWN[0] + 1, "0|0"), (KNOWN[0] + 50, "0|1")]
    found = service.risk(individuals=write_vcf(tmp_path / "few.vcf", service.world, few))
    assert found.attrs["genes_uncovered"] > 0
    assert float(np.abs(found["gene_contribution"].sel(gene="BETA")).max()) < 1e-5
    plain = [(KNOWN[0] + 1, "0|0"), (KNOWN[1], "0|1")]
    known = service.risk(individuals=write_vcf(tmp_path / "known.vcf", service.world, plain))
    assert float(np.abs(known["gene_contribution"].sel(gene="BETA")).min()) > 1e-3
    far = write_vcf(tmp_path / "far.vcf", service.world, [(40_000, "0|1")])
    with pytest.raises(DataError, match="nothing is known of person where risk reads genotypes"):
        service.risk(individuals=far)


def test_contributions_add_up_to_the_logit_minus_that_of_the_average_person(service):
    found = service.risk()
    assert found.attrs["convergence_delta"] < 0.02
    phenformer, model = service.world.phenformer, open_risk_model(service.world)
    import torch

    genes, features = phenformer.token_mean.shape
    with torch.inference_mode():
        average = phenformer.from_scaled(torch.zeros(1, genes, features))[0].numpy()
    for number, trait in enumerate(found["trait"].values.tolist()):
        fit = model.combinations(trait)["phenformer"]
        base = model.card["traits"][trait]["covariates"]["intercept"]
        logit = (found["score"].sel({"trait": trait, "method": "phenformer"}) - base) / fit.weights[0]
        added = found["gene_contribution"].sel(trait=trait).sum("gene")
        np.testing.assert_allclose(added, logit - average[number], atol=0.03)


def test_percentiles_are_ranks_among_the_reference_people(service):
    found, model = service.risk(), open_risk_model(service.world)
    assert found["against"].values.tolist() == ["all", *GROUPS]
    for group in found["against"].values.tolist():
        own = model.reference.scores
        own = own[(own["trait"] == "MCV") & ((own["ancestry"] == group) | (group == "all"))]["ensemble"]
        score = found["score"].sel({"trait": "MCV", "method": "ensemble"}).values
        ranks = [100 * (own < one).mean() for one in score]
        place = found["percentile"].sel({"trait": "MCV", "method": "ensemble", "against": group})
        np.testing.assert_allclose(place, ranks, atol=0.6)
    assert set(found["ancestry"].values.tolist()) <= set(GROUPS)
    assert float(found["percentile_adjusted"].min()) >= 0 and float(found["percentile_adjusted"].max()) <= 100


def test_the_adjusted_scores_of_the_reference_people_have_no_ancestry_left(service):
    reference = open_risk_model(service.world).reference
    assert reference.ancestries == GROUPS and reference.people == {"all": 200, "AFR": 100, "EUR": 100}
    before, after = (
        table[table["trait"] == "MCV"].groupby("ancestry")["prs"].mean()
        for table in (reference.scores, reference.adjusted)
    )
    assert before["EUR"] - before["AFR"] > 0.4 and abs(after["EUR"] - after["AFR"]) < 0.1


def test_an_allele_adds_what_the_logit_loses_without_it_to_first_order(service, tmp_path):
    calls = calls_of(8)
    found = service.risk(individuals=write_vcf(tmp_path / "p.vcf", service.world, calls))
    table = risk_tables(found)["alleles"]
    assert set(table["trait"]) == set(found["trait"].values.tolist())
    copies = {at: call.count("1") for at, call in calls}
    assert all(copies[at] == dosage for at, dosage in zip(table["position"], table["dosage"], strict=True))
    first = table[table["trait"] == "MCV"]
    each = first.assign(size=first["contribution"] / (first["dosage"] - 2 * first["frequency"]))
    at = int(each.groupby("position")["size"].sum().abs().idxmax())
    without = [(place, "0|0" if place == at else call) for place, call in calls]
    less = service.risk(individuals=write_vcf(tmp_path / "q.vcf", service.world, without))
    fit = open_risk_model(service.world).combinations("MCV")["phenformer"].weights[0]
    where = {"trait": "MCV", "method": "phenformer"}
    lost = float(found["score"].sel(where)[0] - less["score"].sel(where)[0]) / fit
    said = float((each["size"] * each["dosage"])[each["position"] == at].sum())
    assert np.sign(lost) == np.sign(said) and 0.2 < said / lost < 5


def test_every_table_says_that_the_people_were_simulated(service, project, tmp_path):
    found = service.risk(traits="MCV")
    assert found.attrs["simulated"] == 1 and "simulated people" in found.attrs["trained_on"]
    assert phenviz.save(found, tmp_path / "r.nc") == (tmp_path / "r.nc",)
    xr.testing.assert_identical(load(tmp_path / "r.nc").drop_attrs(), found.drop_attrs())
    for suffix, read in (
        (".tsv", lambda path: pd.read_csv(path, sep="\t", comment="#")),
        (".parquet", pd.read_parquet),
    ):
        written = phenviz.save(found, tmp_path / f"r{suffix}")
        assert [path.name for path in written] == [f"r{suffix}", f"r.genes{suffix}", f"r.alleles{suffix}"]
        for path in written:
            assert set(read(path)["trained_on"]) == {"simulated people"}
    assert "simulated: 1" in (tmp_path / "r.tsv").read_text()


def test_the_command_says_whose_scores_they_are_and_what_is_not_known(project, tmp_path):
    world = open_world(project)
    path = write_vcf(tmp_path / "p.vcf", world, calls_of(9)[:8])
    words = ["risk", "--individuals", path, "--trait", "mcv", "-o", tmp_path / "o.tsv", "--world", project]
    done = CliRunner().invoke(main, [*map(str, words), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert "120 simulated people" in done.output and "not for clinical use" in done.output
    assert "nothing is known" in done.output and "count as average" in done.output
    assert len(pd.read_csv(tmp_path / "o.tsv", sep="\t", comment="#")) == 5


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"traits": "height"}, TargetError, "doesn't predict trait 'height'"),
        ({"traits": []}, TargetError, "no trait was chosen"),
        ({"samples": "nobody"}, PhenvizError, "nobody"),
        ({"samples": []}, DataError, "no individual was chosen"),
        ({"individuals": "none.vcf"}, PhenvizError, "none.vcf"),
    ],
)
def test_what_is_not_there_is_named(service, given, kind, message):
    with pytest.raises(kind, match=message):
        service.submit("risk", **given)


def test_a_world_without_a_risk_model_says_how_to_get_one(toy_project):
    with pytest.raises(ModelError, match=r"phenviz cohort train.*set 'risk'"):
        open_risk_model(open_world(toy_project))


def test_a_risk_model_of_another_backbone_is_refused_with_its_line(project, tmp_path):
    import json

    card = project.parent / "risk" / "phenformer.json"
    kept = card.read_text()
    card.write_text(json.dumps(json.loads(kept) | {"backbone_sha256": "0" * 64}))
    try:
        with pytest.raises(ModelError, match=r"line \d+: 'risk': .*backbone with the hash 00000000"):
            open_risk_model(open_world(project))
    finally:
        card.write_text(kept)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("risk: nowhere", "is no folder"),
        ("risk: 3", "no path"),
        ("risk: risk\nphenformer: phenformer.safetensors", "both name the disease model"),
    ],
)
def test_a_project_whose_risk_model_is_wrong_is_refused(project, line, message):
    path = project.with_name("wrong.yaml")
    path.write_text(re.sub(r"^risk: risk$", line, project.read_text(), flags=re.MULTILINE))
    with pytest.raises(ProjectError, match=message):
        open_world(path)


def test_scaled_tokens_of_the_average_person_are_zero(service):
    phenformer, model = service.world.phenformer, open_risk_model(service.world)
    from phenviz.results.tokens import Tokens

    usual = 2 * (phenformer.token_mean.numpy() - model.reference_tokens)
    tokens = Tokens(
        usual[None].astype(np.float32), np.ones_like(model.reference_tokens), model.reference_tokens
    )
    assert float(scaled(phenformer, tokens, slice(None)).abs().max()) < 1e-4
