"""From people to a report by the command line, and that no label of a test person teaches anything."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.cohort.ensemble import COMBINATIONS
from phenviz.disease.cohort.saved import load_risk_model
from phenviz.disease.cohort.subtypes import COMORBIDITY
from phenviz.models.phenformer_checkpoint import load_phenformer
from phenviz.results.tokens import TokenStore
from tests.disease.cohort import toys


def test_a_report_comes_out_at_the_end(additive, trained, project, tmp_path):
    report = tmp_path / "report"
    words = ["--model", trained, "-o", report, "--resamples", 20, "--world", project, "--device", "cpu"]
    done = toys.run("evaluate", additive, *words)
    assert "AUROC" in done.output and "test people of the same cohort" in done.output
    scores, metrics = (pd.read_parquet(report / f"{name}.parquet") for name in ("scores", "metrics"))
    wanted = ["sample", "trait", "split", "ancestry", "label", *COMBINATIONS]
    assert set(wanted) <= set(scores.columns) and len(scores) == 240
    assert scores[list(COMBINATIONS)].notna().all().all()
    names = ["trait", "ancestry", "score", "metric", "value", "low", "high", "cases", "controls"]
    assert list(metrics.columns) == names
    test = scores[scores["split"] == "test"]
    own = metrics[(metrics["ancestry"] == "all") & (metrics["metric"] == "auroc")]
    assert own["cases"].iloc[0] == (test["label"] == 1).sum()
    # one trait says nothing of other ones
    assert not len(pd.read_parquet(report / "subtypes.parquet"))
    assert list(pd.read_parquet(report / "comorbidity.parquet")) == COMORBIDITY
    html = (report / "report.html").read_text()
    assert "the model predicts fewer than two other traits" in html
    assert "Simulated people" in html and "Not for clinical use" in html and "PRS-RS" in html
    # self-contained: nothing is fetched
    assert "<svg" in html and "src=" not in html and "<link" not in html and "<script" not in html


def scored(cohort, model, project, folder) -> pd.DataFrame:
    """Evaluate a model without intervals; return its scores."""
    words = ["--model", model, "-o", folder, "--resamples", 0, "--world", project, "--device", "cpu"]
    toys.run("evaluate", cohort, *words)
    return pd.read_parquet(folder / "scores.parquet")


def test_scores_are_those_of_the_saved_weights(additive, trained, project, tmp_path):
    from phenviz.variation import open_individuals
    from phenviz.world import open_world

    scores = scored(additive, trained, project, tmp_path / "r").set_index("sample")
    world, model = open_world(project), load_risk_model(trained)
    people = open_individuals(additive / "genotypes.vcz", world.reference)
    from phenviz.genome import Locus

    found = people.genotypes(Locus("20", 0, 50_021))
    table = found.variants.assign(row=range(len(found.variants)))
    both = model.weights.merge(table, on=["position", "ref", "alt"])
    plain = (found.alleles == 1).sum(axis=2)[both["row"]].T @ both["weight"].to_numpy()
    np.testing.assert_allclose(scores["prs_raw"].loc[list(found.samples)], plain, rtol=1e-4, atol=1e-4)
    phenformer = load_phenformer(model.phenformer, world.backbone, world.readout)
    import torch

    tokens = TokenStore(additive / "tokens.zarr").read(["EUR00007"])
    whole = torch.from_numpy(tokens.apart() + tokens.reference)
    with torch.inference_mode():
        slow = phenformer(whole.float())[0, 0]
    assert scores.loc["EUR00007", "phenformer_raw"] == pytest.approx(float(slow), abs=2e-3)


def test_no_label_of_a_test_person_touches_anything_that_is_fitted(additive, trained, project, tmp_path):
    poisoned = tmp_path / "poisoned"
    shutil.copytree(additive, poisoned)
    table = pd.read_parquet(poisoned / "people.parquet")
    test = (table["split"] == "test").to_numpy()
    assert test.sum() > 50
    table.loc[test, "T"] = 1 - table.loc[test, "T"]
    table.to_parquet(poisoned / "people.parquet", index=False)
    toys.run("train", poisoned, "-o", tmp_path / "m", "--epochs", 3, "--world", project, "--device", "cpu")
    files = {path.relative_to(trained) for path in trained.rglob("*") if path.is_file()}
    assert {str(path) for path in files} >= {
        "phenformer.safetensors", "weights.parquet", "expression.parquet", "risk.json", "genes.parquet",
        "compared.parquet", "distance.parquet", "training/metrics.jsonl",
    }  # fmt: skip
    for path in files:
        one, two = trained / path, tmp_path / "m" / path
        if path.suffix == ".parquet":
            pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(two))
        elif path.suffix == ".gz":
            pd.testing.assert_frame_equal(pd.read_csv(one, sep="\t"), pd.read_csv(two, sep="\t"))
        elif path.name == "metrics.jsonl":
            strip = [
                [
                    {k: v for k, v in json.loads(line).items() if k != "seconds"}
                    for line in each.read_text().splitlines()
                ]
                for each in (one, two)
            ]
            assert strip[0] == strip[1]
        else:
            assert one.read_bytes() == two.read_bytes(), path


def test_labels_of_the_training_people_do_teach(additive, trained, project, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(additive, changed)
    table = pd.read_parquet(changed / "people.parquet")
    train = (table["split"] == "train").to_numpy()
    table.loc[train, "T"] = 1 - table.loc[train, "T"]
    table.to_parquet(changed / "people.parquet", index=False)
    toys.run("train", changed, "-o", tmp_path / "m", "--epochs", 3, "--world", project, "--device", "cpu")
    assert (tmp_path / "m" / "weights.parquet").read_bytes() != (trained / "weights.parquet").read_bytes()


@pytest.mark.parametrize("haplotypes", ["sum", "pair"])
def test_the_additive_path_is_near_the_exact_one(additive, project, tmp_path, haplotypes):
    for name, words in (("added.zarr", []), ("exact.zarr", ["--exact"])):
        common = [
            "-o",
            tmp_path / name,
            "--haplotypes",
            haplotypes,
            "--window",
            toys.WINDOW,
            "--gene",
            "ALPHA",
        ]
        toys.run("embed", additive, *common, *words, "--world", project, "--device", "cpu")
    one, two = (TokenStore(tmp_path / name).read() for name in ("added.zarr", "exact.zarr"))
    assert one.difference.shape == two.difference.shape
    added, exact = one.sums()[:, 0], two.sums()[:, 0]
    np.testing.assert_allclose(one.reference, two.reference, rtol=1e-5)
    assert np.sqrt(((added - exact) ** 2).mean() / (exact**2).mean()) < 0.3


def test_tokens_go_on_where_they_were(additive, project, tmp_path, monkeypatch):
    from phenviz.service import cohort, cohort_embedding

    monkeypatch.setattr(cohort, "GENES_TOGETHER", 1)
    words = ["-o", tmp_path / "t.zarr", "--window", toys.WINDOW, "--world", project, "--device", "cpu"]
    usual, calls = cohort_embedding._additive, []

    def failing(*arguments):
        calls.append(arguments[2])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return usual(*arguments)

    monkeypatch.setattr(cohort_embedding, "_additive", failing)
    stopped = toys.ask("embed", additive, *words)
    assert stopped.exit_code == 1 and "the same command goes on" in stopped.output
    assert TokenStore(tmp_path / "t.zarr", unfinished=True).done.sum() == 1
    done = toys.run("embed", additive, *words)
    assert "1 genes were there already" in done.output
    whole, again = TokenStore(additive / "tokens.zarr").read(), TokenStore(tmp_path / "t.zarr").read()
    np.testing.assert_allclose(again.sums(), whole.sums(), rtol=2e-3, atol=1e-9)


def test_a_real_cohort_of_a_vcf_and_a_table_goes_the_whole_way(additive, project, tmp_path):
    from phenviz.variation import open_individuals
    from phenviz.world import open_world

    world = open_world(project)
    people = open_individuals(additive / "genotypes.vcz", world.reference)
    from phenviz.genome import Locus

    found = people.genotypes(Locus("20", 0, 50_021))
    real = tmp_path / "real"
    real.mkdir()
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=20,length=50021>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    head = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *found.samples]
    lines.append("\t".join(head))
    for row, one in enumerate(found.variants.itertuples(index=False)):
        calls = [f"{first}|{second}" for first, second in found.alleles[row]]
        # what isn't called is counted
        calls[0] = ".|." if row % 40 == 0 else calls[0]
        lines.append(
            "\t".join([one.contig, str(one.position), ".", one.ref, one.alt, ".", ".", ".", "GT", *calls])
        )
    (real / "calls.vcf").write_text("\n".join(lines) + "\n")
    table = pd.read_parquet(additive / "people.parquet")
    table.iloc[5:].to_csv(real / "people.tsv", sep="\t", index=False)
    done = toys.run("embed", real, "--world", project, "--window", toys.WINDOW, "--device", "cpu")
    assert "235 people" in done.output and "5 people with genotypes aren't in people.tsv" in done.output
    model = tmp_path / "model"
    toys.run("train", real, "-o", model, "--epochs", 2, "--world", project, "--device", "cpu")
    words = ["--model", model, "-o", tmp_path / "r", "--resamples", 5, "--world", project, "--device", "cpu"]
    toys.run("evaluate", real, *words)
    assert "Simulated people" not in (tmp_path / "r" / "report.html").read_text()
    assert load_risk_model(model).card["simulated"] is False


def test_what_a_model_was_trained_on_is_on_its_card(trained, project):
    from phenviz.world import open_world

    world = open_world(project)
    phenformer = load_phenformer(trained / "phenformer.safetensors", world.backbone, world.readout)
    assert phenformer.card["training"]["cohort"] == "simulated"
    assert phenformer.covariates == ("sex", "age", "PC1", "PC2", "PC3", "PC4")
    assert phenformer.window == toys.WINDOW


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("magic: 1", "unknown entry 'magic'"),
        ("training: {epochs: many}", "give a whole number"),
        ("training: {epochs: 0}", "epochs is 0"),
        ("architecture: [1]", "holds entries of its own"),
        ("- a", "holds no entries"),
        (":\n - -", "can't be read|holds no entries|unknown entry"),
        ("scoring_files: none.txt", "can't be read"),
        ("architecture: {haplotypes: pair}", "--haplotypes pair"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(additive, project, tmp_path, text, message):
    import re

    (tmp_path / "c.yaml").write_text(text)
    words = ["-o", tmp_path / "m", "--config", tmp_path / "c.yaml", "--world", project, "--device", "cpu"]
    done = toys.ask("train", additive, *words)
    assert done.exit_code == 1 and re.search(message, done.output) and "Traceback" not in done.output


def test_help_is_quick_and_names_every_step():
    code = "import sys; from phenviz.cli import main; main(['cohort', '--help'], standalone_mode=False); print(sys.modules.keys() & {'torch', 'numpy', 'msprime'})"  # noqa: E501
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert all(word in shown for word in ("simulate", "embed", "train", "evaluate")) and "set()" in shown


def test_a_scoring_file_competes_and_says_what_became_of_its_variants(additive, trained, project, tmp_path):
    weights = load_risk_model(trained).weights.head(40)
    lines = [
        "#pgs_id=PGS000777",
        "#genome_build=toy1",
        "chr_name\tchr_position\teffect_allele\tother_allele\teffect_weight",
    ]
    for one in weights.itertuples(index=False):
        lines.append(f"20\t{one.position}\t{one.alt}\t{one.ref}\t{one.weight}")
    (tmp_path / "score.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "c.yaml").write_text("scoring_files: score.txt\nmin_overlap: 0.5\n")
    words = ["--config", tmp_path / "c.yaml", "--epochs", 1, "--world", project, "--device", "cpu"]
    toys.run("train", additive, "-o", tmp_path / "m", *words)
    compared = pd.read_parquet(tmp_path / "m" / "compared.parquet")
    assert "PGS000777" in compared["method"].tolist()
    table = pd.read_csv(tmp_path / "m" / "matched" / "PGS000777.tsv.gz", sep="\t")
    assert len(table) == len(weights) and set(table["status"]) <= {
        "matched",
        "strand can't be told (A/T or C/G)",
    }
    (tmp_path / "c.yaml").write_text("scoring_files: score.txt\nmin_overlap: 1\n")
    lines[1] = "#genome_build=GRCh38"
    (tmp_path / "score.txt").write_text("\n".join(lines) + "\n")
    done = toys.ask("train", additive, "-o", tmp_path / "n", *words)
    assert done.exit_code == 1 and "positions of GRCh38" in done.output


def test_a_score_is_normalised_against_the_training_people(additive, trained, project, tmp_path):
    scores = scored(additive, trained, project, tmp_path / "r")
    train = scores[scores["split"] == "train"]
    assert train["z_norm1"].mean() == pytest.approx(0, abs=1e-6)
    assert train["z_norm1"].std() == pytest.approx(1, rel=0.05)
    assert train["percentile"].mean() == pytest.approx(50, abs=2)


def test_the_tokens_of_one_readout_among_several_make_a_model_of_that_one(additive, tmp_path):
    from phenviz.models.readout import save_readout
    from phenviz.world import open_world
    from tests.attribution.oracles import toy_readout

    project = toys.cohort_project(tmp_path)
    other = toy_readout(seed=5)
    import dataclasses

    other.contexts = tuple(dataclasses.replace(one, name=f"{one.name} 2") for one in other.contexts)
    other.name, other.backbone_hash = "second", open_world(project).backbone.weights_hash
    save_readout(other, tmp_path / "second.safetensors")
    text = project.read_text().replace(
        "readout: readout.safetensors", "readout: [readout.safetensors, second.safetensors]"
    )
    project.write_text(text)
    assert len(open_world(project).readout.contexts) == 6
    folder = tmp_path / "cohort"
    shutil.copytree(additive, folder, ignore=shutil.ignore_patterns("tokens.zarr", "effects.zarr"))
    common = ["--world", project, "--device", "cpu"]
    for name, count in (("second", 3), (None, 6)):
        tokens, asked = tmp_path / f"{name}.zarr", [] if name is None else ["--readout", name]
        toys.run("embed", folder, "-o", tokens, "--window", toys.WINDOW, *asked, *common)
        assert len(TokenStore(tokens).attrs["expression"]) == count
        model = tmp_path / f"model-{name}"
        toys.run("train", folder, "-o", model, "--epochs", 1, "--tokens", tokens, *common)
        words = ["--tokens", tokens, "--resamples", 0]
        toys.run("evaluate", folder, "--model", model, "-o", tmp_path / "r", *words, *common)
    wrong = toys.ask("embed", folder, "-o", tmp_path / "x.zarr", "--readout", "third", *common)
    assert wrong.exit_code == 1 and "it has readout, second" in wrong.output
