"""Hypotheses from people by the command line: what comes out, from whom, and what is refused."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import stats

from phenviz.cli import main
from phenviz.disease import methods_paragraph, reservations, table_of
from phenviz.disease.cohort.folder import open_cohort
from phenviz.disease.cohort.people_hypotheses import people_hypotheses
from phenviz.disease.cohort.saved import load_risk_model
from phenviz.disease.cohort_methods import ATTRIBUTION, COHORT, EXPRESSION, METHODS, WITH_VARIANTS, described
from phenviz.results import load
from phenviz.service import ModelService
from phenviz.service.cohort_hypotheses import model_evidence
from tests.disease.cohort import toys

DRAWS = 200


def words_for(cohort, model, project, output, *more):
    where = ["--world", project, "--device", "cpu", "--permutations", DRAWS]
    return ["hypotheses", cohort, "--model", model, "-o", output, *where, *more]


@pytest.fixture(scope="module")
def found(additive, trained, project, tmp_path_factory):
    path = tmp_path_factory.mktemp("found") / "h.nc"
    toys.run(*words_for(additive, trained, project, path))
    return path


@pytest.fixture(scope="module")
def evidence(additive, trained, world):
    cohort, model = open_cohort(additive, world.reference), load_risk_model(trained)
    with ModelService(world, "cpu") as service:
        return cohort, model, model_evidence(service, cohort, model, additive / "tokens.zarr", ["T"])


def changed(additive, folder, change):
    """Copy a cohort, with another table of people."""
    shutil.copytree(additive, folder)
    table = pd.read_parquet(folder / "people.parquet")
    change(table).to_parquet(folder / "people.parquet", index=False)
    return folder


def test_every_kind_of_file_holds_the_same_and_says_that_people_are_simulated(
    found, additive, trained, project, tmp_path
):
    whole = load(found)
    assert whole.attrs["simulated"] == 1 and "SIMULATED people" in whole.attrs["source"]
    assert whole["method"].values.tolist() == [COHORT, EXPRESSION, ATTRIBUTION]
    assert int(whole["people"][0]) > int(whole["held_out"][0]) > 40 < int(whole["cases"][0])
    for name in ("h.tsv", "h.parquet", "h.txt", "h.svg", "h.zarr"):
        done = toys.run(*words_for(additive, trained, project, tmp_path / name))
    assert "SIMULATED people" in done.output and "first" in done.output
    table = pd.read_csv(tmp_path / "h.tsv", sep="\t")
    np.testing.assert_allclose(table["p_value"], table_of(whole)["p_value"])
    assert table["simulated"].all() and table["p_value"].between(0, 1).all()
    genes = pd.read_csv(tmp_path / "h.genes.tsv", sep="\t")
    assert genes["simulated"].all() and set(genes["context"]) == set(whole["context"].values)
    one = genes.iloc[0]
    assert one["z"] == pytest.approx(
        float(whole["gene_z"].sel(trait="T", gene=one["gene"], context=one["context"]))
    )
    assert len(pd.read_parquet(tmp_path / "h.genes.parquet")) == len(genes)
    np.testing.assert_allclose(load(tmp_path / "h.parquet")["z"], whole["z"])
    np.testing.assert_allclose(load(tmp_path / "h.zarr")["gene_p_family"], whole["gene_p_family"])
    said = (tmp_path / "h.txt").read_text()
    assert "SIMULATED people" in said and "permuted among the people of each ancestry" in said
    assert "SIMULATED people" in (tmp_path / "h.svg").read_text()


def test_comparison_and_report_take_them(found, trained, project, tmp_path):
    (tmp_path / "known.tsv").write_text("trait\tcontext\nT\tEry\n")
    words = ["hypotheses", "compare", found, "--reference", tmp_path / "known.tsv", "-o", tmp_path / "c.tsv"]
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0 and COHORT in (tmp_path / "c.tsv").read_text(), done.output
    words = ["report", found, "-o", tmp_path / "r.html", "--world", project, "--device", "cpu"]
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    html = (tmp_path / "r.html").read_text()
    assert "SIMULATED people" in html and "genes.tsv" in html and METHODS[COHORT].label in html
    assert "variants in" not in html and "fine-mapped variants in" not in html


def test_nobody_is_named_in_anything_that_is_written(found, additive, trained, project, tmp_path):
    names = pd.read_parquet(additive / "people.parquet")["sample"].tolist()
    done = toys.run(*words_for(additive, trained, project, tmp_path / "h.tsv"))
    files = [found, *(path for path in tmp_path.iterdir())]
    assert len(files) == 3
    written = b"".join(path.read_bytes() for path in files) + done.output.encode()
    assert not [name for name in names if name.encode() in written]
    sizes = load(found).sizes
    # nor has anything a number for each of them
    assert not {len(names), int(load(found)["people"][0]), int(load(found)["held_out"][0])} & set(
        sizes.values()
    )


def test_the_same_seed_gives_the_same_numbers(found, evidence):
    again = people_hypotheses(*evidence, ["T"], permutations=DRAWS)
    np.testing.assert_array_equal(again["p_value"], load(found)["p_value"])
    other = people_hypotheses(*evidence, ["T"], permutations=DRAWS, seed=1)
    assert (other["z"] != again["z"]).any()


def test_only_people_who_taught_nothing_judge_the_phenformer(evidence):
    cohort, model, found = evidence
    test = cohort.people.rows("test")
    np.testing.assert_array_equal(found.held_out, test)

    def tested(rows):
        table = cohort.people.table.copy()
        table.loc[rows, "T"] = 1 - table.loc[rows, "T"]
        people = replace(cohort.people, table=table)
        return people_hypotheses(replace(cohort, people=people), model, found, ["T"], permutations=DRAWS)

    usual, others, own = tested([]), tested(np.setdiff1d(np.arange(len(cohort.people)), test)), tested(test)
    by = {"method": ATTRIBUTION}
    # draws follow those of expression, in which nothing but the labels differ
    np.testing.assert_array_equal(others["p_value"].sel(by), usual["p_value"].sel(by))
    np.testing.assert_allclose(own["effect"].sel(by), -usual["effect"].sel(by), rtol=1e-6)
    assert (
        others["p_value"].sel({"method": EXPRESSION}) != usual["p_value"].sel({"method": EXPRESSION})
    ).any()


def test_everybody_of_another_cohort_taught_nothing(additive, trained, world):
    cohort, model = open_cohort(additive, world.reference), load_risk_model(trained)
    other = replace(cohort, card={**cohort.card, "name": "other"})
    with ModelService(world, "cpu") as service:
        found = model_evidence(service, other, model, additive / "tokens.zarr", ["T"])
    assert len(found.held_out) == len(cohort.people)
    # a cohort is told by its name alone
    said = reservations(people_hypotheses(other, model, found, ["T"], permutations=100))
    assert any("if it is the same cohort by another name" in line for line in said)


@pytest.mark.parametrize("follows", ["nothing", "ancestry"])
def test_null_labels_of_real_tokens_are_called_no_more_often_than_should(evidence, follows):
    cohort, model, found = evidence
    rng, sets = np.random.default_rng(7), 150
    table = cohort.people.table
    share = np.full(len(table), 0.3)
    if follows == "ancestry":
        share = table["ancestry"].map({"EUR": 0.2, "AFR": 0.7}).fillna(0.4).to_numpy()
    hits = pd.Series(0, [COHORT, EXPRESSION, ATTRIBUTION])
    for _ in range(sets):
        people = replace(cohort.people, table=table.assign(T=(rng.random(len(table)) < share).astype(float)))
        one = people_hypotheses(replace(cohort, people=people), model, found, ["T"], permutations=99, seed=1)
        hits += (one["p_value"].isel(trait=0, context=0) <= 0.05).to_series()[hits.index].astype(int)
    for name, count in hits.items():
        assert stats.binomtest(int(count), sets, 0.05, alternative="greater").pvalue > 0.002, name


def test_a_planted_gene_and_context_are_found(evidence):
    cohort, model, found = evidence
    rng = np.random.default_rng(3)
    unit = found.expression - found.expression.mean(0)
    own = unit[:, 1, 2] / unit[:, 1, 2].std()
    labels = (rng.random(len(own)) < 1 / (1 + np.exp(1 - 2.5 * own))).astype(float)
    people = replace(cohort.people, table=cohort.people.table.assign(T=labels))
    one = people_hypotheses(replace(cohort, people=people), model, found, ["T"], permutations=999)
    assert float(one["p_value"].sel({"method": EXPRESSION})[0, 2]) <= 0.005
    genes = one["gene_p_family"].isel(trait=0)
    assert float(genes[1, 2]) <= 0.005 and float(one["gene_z"].isel(trait=0)[1, 2]) > 4


def test_any_column_of_numbers_is_tested_by_expression_alone(additive, trained, project, tmp_path):
    rng = np.random.default_rng(1)
    folder = changed(
        additive, tmp_path / "c", lambda t: t.assign(height=rng.normal(170, 8, len(t)), town="here")
    )
    path = tmp_path / "h.nc"
    done = toys.run(*words_for(folder, trained, project, path, "--trait", "height", "--trait", "T"))
    assert "the Phenformer doesn't predict height" in done.output
    whole = load(path)
    tested = np.isfinite(whole["p_value"]).any("context")
    assert tested.sel({"method": ATTRIBUTION}).values.tolist() == [False, True]
    assert tested.sel({"method": EXPRESSION}).all() and np.isnan(whole["cases"][0])
    wrong = toys.ask(*words_for(folder, trained, project, path, "--trait", "town"))
    assert wrong.exit_code == 1 and "town is 'here', no number" in wrong.output


def test_of_too_few_held_out_cases_expression_alone_is_tested(additive, trained, project, tmp_path):
    def few(table):
        cases = table.index[(table["split"] == "test") & (table["T"] == 1)]
        return table.assign(T=table["T"].where(~table.index.isin(cases[5:])))

    folder = changed(additive, tmp_path / "c", few)
    done = toys.run(*words_for(folder, trained, project, tmp_path / "h.nc"))
    assert "taught the Phenformer nothing: trait T has" in done.output
    whole = load(tmp_path / "h.nc")
    assert np.isnan(whole["p_value"].sel({"method": ATTRIBUTION})).all() and int(whole["held_out"][0]) == 0
    both = whole["p_value"].sel({"method": [COHORT, EXPRESSION]}).values
    np.testing.assert_allclose(both[..., 0], np.minimum(both[..., 1], 1 - 1 / (1 + DRAWS)))


def test_without_components_or_ancestry_the_result_says_so(evidence):
    cohort, model, found = evidence
    table = cohort.people.table.assign(ancestry="")
    people = replace(cohort.people, table=table, covariates=("sex", "age"))
    said = reservations(
        people_hypotheses(replace(cohort, people=people), model, found, ["T"], permutations=100)
    )
    assert any("No principal components are among the covariates (sex, age)" in line for line in said)
    assert any("Nobody's ancestry is known" in line for line in said)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trait", "gout"], "has no trait 'gout': choose from T"),
        (["--trait", "sex"], "has no trait 'sex'"),
        (["--trait", "sample"], "has no trait 'sample'"),
        (["--tokens", "one.zarr"], "were made for other genes than"),
        (["--tokens", "none.zarr"], "holds no gene tokens"),
    ],
)
def test_what_can_not_be_tested_is_refused_in_one_line(
    additive, trained, project, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    if "one.zarr" in words:
        more = ["--gene", "ALPHA", "--window", toys.WINDOW, "--world", project, "--device", "cpu"]
        toys.run("embed", additive, "-o", "one.zarr", *more)
    done = toys.ask(*words_for(additive, trained, project, tmp_path / "h.nc", *words))
    assert done.exit_code == 1 and message in done.output and "Traceback" not in done.output
    assert not (tmp_path / "h.nc").exists()


def test_too_few_cases_are_refused(additive, trained, project, tmp_path):
    def few(table):
        kept = table[table["T"] == 1].groupby("split").head(4).index
        return table.assign(T=table["T"].where((table["T"] == 0) | table.index.isin(kept)))

    folder = changed(additive, tmp_path / "c", few)
    done = toys.ask(*words_for(folder, trained, project, tmp_path / "h.nc"))
    assert done.exit_code == 1 and "at least 20 of each are needed" in done.output


def test_variants_of_the_same_trait_are_combined(found, evidence, tmp_path):
    whole = load(found)
    variants = (
        whole.sel({"method": [EXPRESSION]}).drop_vars(["people", "cases", "held_out"]).drop_dims("gene")
    )
    variants = variants.assign_coords(method=["sequence"]).assign_attrs(source="data pack somewhere")
    variants.attrs.pop("cohort")
    variants = variants.isel(context=[0, 2])
    variants["p_value"][...] = [[[0.001], [0.9]]]
    together = people_hypotheses(*evidence, ["T"], permutations=DRAWS, variants=variants)
    names = together["method"].values.tolist()
    assert names == [COHORT, EXPRESSION, ATTRIBUTION, "sequence", WITH_VARIANTS]
    p = together["p_value"].isel(trait=0).to_pandas()
    np.testing.assert_allclose(p["sequence"], [0.001, np.nan, 0.9])
    for context, parts in p.iterrows():
        own = parts[[EXPRESSION, ATTRIBUTION, "sequence"]].dropna().clip(upper=1 - 1 / (1 + DRAWS))
        slow = 0.5 - np.arctan(np.tan((0.5 - own) * np.pi).mean()) / np.pi
        assert parts[WITH_VARIANTS] == pytest.approx(slow), context
    assert "data pack somewhere" in together.attrs["source"] and "SIMULATED" in together.attrs["source"]
    from phenviz.errors import DataError

    for wrong, message in [
        (variants.assign_coords(trait=["other"]), "share no trait and context"),
        (whole, "no tests of fine-mapped variants"),
        (variants.drop_vars("is_control"), "holds no hypotheses"),
    ]:
        with pytest.raises(DataError, match=message):
            people_hypotheses(*evidence, ["T"], permutations=DRAWS, variants=wrong)


def test_methods_of_people_are_told_of_and_not_asked_for_by_variants(found, tmp_path):
    assert set(METHODS) <= set(described())
    assert all(one.summary and one.text.endswith(".") for one in METHODS.values())
    said = methods_paragraph(load(found))
    assert METHODS[EXPRESSION].text in said and "trained on 101 simulated people" in said
    (tmp_path / "t.tsv").write_text("trait\tchr\tpos\tref\talt\tpip\nT\tchr20\t1600925\tG\tA\t0.9\n")
    words = ["hypotheses", "--table", tmp_path / "t.tsv", "--method", COHORT, "-o", tmp_path / "x.nc"]
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 1 and "use `phenviz cohort hypotheses`" in done.output
