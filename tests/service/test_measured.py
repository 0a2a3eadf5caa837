"""The job, the commands and the files about people whose expression was measured."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.effects import predict_expression
from phenviz.errors import PhenvizError
from phenviz.results import load, validate
from phenviz.results.measured import by_evidence
from phenviz.saving import save
from phenviz.service import KINDS, ModelService
from phenviz.variation import open_individuals
from phenviz.world import open_world
from tests.measured_toys import ACTING, COUNT, SAMPLES, write_many, write_measured
from tests.service.test_trait import project_with


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    project = project_with(folder)
    dosages = write_many(folder / "people.vcf", open_world(project).reference)
    table = write_measured(folder / "expression.tsv", dosages)
    return project, folder / "people.vcf", table, dosages


@pytest.fixture(scope="module")
def found(toy, tmp_path_factory):
    project, people, table, _ = toy
    store = tmp_path_factory.mktemp("store")
    with ModelService(open_world(project), "cpu", store=store) as service:
        job = service.submit("measured", source=table, individuals=people)
        result = job.result()
        assert job.private
    # nothing about people is stored
    assert not [path for path in store.rglob("*") if path.is_file() and path.stat().st_size > 4_096]
    return result


def test_a_variant_that_acts_is_found_and_named_with_its_slope(found, toy):
    assert validate(found) == "measured" and found["gene"].values.tolist() == ["ALPHA", "BETA"]
    for split in ("5-fold", "leave-one-population-out"):
        for method in ("top-variant", "elastic-net", "model+elastic-net"):
            alpha = found["correlation"].sel({"method": method, "split": split}).isel(gene=0)
            assert (alpha > 0.7).all(), (method, split)
    assert str(found["top_variant_id"].values[0]) == f"v{ACTING}"
    assert found["top_variant_slope"].values[0] == pytest.approx(1.0, abs=0.3)
    assert (found["people"] == COUNT).all()
    assert found["shuffled"].sel({"method": "elastic-net", "split": "5-fold"}).isel(gene=0).max() < 0.5
    evidence = by_evidence(found, str(found["context"].values[0]))
    assert evidence["gene"].tolist()[0] == "ALPHA"


def test_people_of_one_population_have_no_rows_for_leaving_it_out(toy, tmp_path):
    project, people, table, _ = toy
    one = tmp_path / "one.tsv"
    pd.read_csv(table, sep="\t", index_col=0).drop(columns="population").to_csv(one, sep="\t")
    with ModelService(open_world(project), "cpu") as service:
        found = service.submit("measured", source=one, genes=["ALPHA"], individuals=people).result()
    assert found["split"].values.tolist() == ["5-fold"] and (found["people"] == COUNT).all()
    assert "values are as given" in found.attrs["notes"] and "as as" not in found.attrs["notes"]


def test_the_model_is_the_sum_of_both_haplotypes(found, toy):
    project, people, _, _ = toy
    world = open_world(project)
    context = str(found["context"].values[0])
    slow = predict_expression(
        open_individuals(people, world.reference), "ALPHA", world.annotation, world.reference, world.backbone,
        world.readout, contexts=[context],
    )["expression"].sel(haplotype=["1", "2"]).sum("haplotype")  # fmt: skip
    fast = found["predicted_value"].isel(gene=0).sel({"method": "model", "context": context})
    assert fast["individual"].values.tolist() == SAMPLES
    np.testing.assert_allclose(fast.values, slow.values.ravel(), rtol=1e-5)


def test_the_driver_is_the_variant_whose_product_of_effect_and_covariance_is_largest(found):
    for row in range(found.sizes["gene"]):
        for context in found["context"].values:
            one = found.isel(gene=row).sel(context=context)
            model = one["predicted_value"].sel({"method": "model"}).values
            sign = np.sign(np.cov(model, one["measured_value"].values)[0, 1])
            if (
                str(one["driver"].values)
                and abs(float(one["correlation"].sel({"method": "model", "split": "5-fold"}))) > 0.1
            ):
                assert np.sign(float(one["driver_effect"]) * float(one["driver_slope"])) == sign


def test_commands_write_what_the_job_finds_and_nothing_about_a_person(found, toy, tmp_path):
    project, people, table, _ = toy
    words = ["measured", "--table", table, "--individuals", people, "--world", project, "--device", "cpu"]
    for name in ("m.parquet", "m.tsv", "m.nc"):
        done = CliRunner().invoke(main, [*map(str, words), "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert "ALPHA" in done.output and "your own" in done.output.lower()
    rows = pd.read_parquet(tmp_path / "m.parquet")
    wanted = {
        "gene",
        "feature",
        "context",
        "method",
        "split",
        "people",
        "correlation",
        "low",
        "high",
        "p_value",
    }
    assert wanted <= set(rows.columns)
    read = load(tmp_path / "m.nc")
    np.testing.assert_allclose(read["correlation"], found["correlation"], rtol=1e-6)
    assert not any(name.encode() in (tmp_path / "m.tsv").read_bytes() for name in SAMPLES)
    assert "individual" not in read.dims


def test_wrong_requests_are_refused_in_one_line(toy, tmp_path):
    project, people, table, _ = toy
    other = tmp_path / "other.tsv"
    other.write_text("sample\tALPHA\nKurt\t1\nAnna\t2\n")
    few = tmp_path / "few.tsv"
    few.write_text(
        "\n".join(["sample\tALPHA", *(f"{name}\t{number}" for number, name in enumerate(SAMPLES[:7]))])
    )
    base = ["measured", "--world", str(project), "-o", str(tmp_path / "m.tsv"), "--individuals", str(people)]
    for words, said in (
        (["--table", str(other)], "names nobody"),
        (["--table", str(few)], "at least 20 are needed"),
        (["--table", str(table), "--gene", "NONE"], "no gene 'NONE'"),
        (["--table", str(table), "--gene", "GAMMA1"], "not measured"),
        (["--table", str(table), "--context", "liver"], "liver"),
        (["--pack", "blood16-rna"], "no expression measured in people"),
    ):
        done = CliRunner().invoke(main, [*base, *words])
        assert done.exit_code == 1 and said in done.output and "Traceback" not in done.output, done.output
    assert CliRunner().invoke(main, base).exit_code == 2


def test_an_unknown_table_is_no_job(toy):
    project, people, _, _ = toy
    with (
        ModelService(open_world(project), "cpu") as service,
        pytest.raises(PhenvizError, match="doesn't exist"),
    ):
        service.submit("measured", source="nowhere.tsv", individuals=people)
    assert KINDS["measured"].of_people


def test_a_readout_is_fine_tuned_and_judged_on_unseen_people_and_genes(toy, tmp_path):
    project, people, table, _ = toy
    output = tmp_path / "personal.safetensors"
    words = [
        "train",
        "personal",
        "--table",
        table,
        "--individuals",
        people,
        "--world",
        project,
        "--context",
        "Ery",
    ]
    done = CliRunner().invoke(main, [*map(str, words), "--device", "cpu", "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert "unseen people" in done.output and "unseen genes" in done.output
    card = json.loads(output.with_suffix(".json").read_text())["fine_tuned"]
    assert card["people"] == COUNT and card["genes"] == ["ALPHA", "BETA"]
    assert set(card["correlation_over_people"]) == {"before", "unseen people", "unseen genes"}


def test_people_are_counted_and_listed(toy, tmp_path):
    project, people, _, _ = toy
    words = ["individuals", "--individuals", str(people), "--world", str(project)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0 and f"{COUNT} people" in done.output, done.output
    done = CliRunner().invoke(main, [*words, "-o", str(tmp_path / "people.tsv")])
    assert done.exit_code == 0, done.output
    assert pd.read_csv(tmp_path / "people.tsv", sep="\t")["sample"].tolist() == SAMPLES


def test_agreement_is_drawn_gene_by_gene_with_its_intervals(found, tmp_path):
    text = save(found, tmp_path / "agreement.svg")[0].read_text()
    for word in (
        "ALPHA",
        "BETA",
        "elastic-net",
        "correlation over people who were held out",
        "Your own table",
    ):
        assert word in text
    assert not any(name in text for name in SAMPLES)
    nothing = found.copy()
    nothing["correlation"] = nothing["correlation"] * np.nan
    with pytest.raises(PhenvizError, match="nothing to draw"):
        save(nothing, tmp_path / "nothing.svg")
