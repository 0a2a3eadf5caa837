from __future__ import annotations

from itertools import permutations as orders

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz.cli import main
from phenviz.disease import compare, hypotheses, read_hypotheses, read_reference, reference_names
from phenviz.disease.comparison import agreement
from phenviz.errors import DataError
from tests.disease import worlds


def _table(path, rows, columns=("trait", "context", "role")):
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, sep="\t", index=False)
    return path


def _tests(scores, method="m"):
    rows = [(trait, name, method, value) for trait, own in scores.items() for name, value in own.items()]
    return pd.DataFrame(rows, columns=["trait", "context", "method", "z"])


def test_metrics_are_those_counted_by_hand():
    # in order of z: wrong, right, neutral, right, wrong
    z = np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    roles = np.array(["", "expected", "neutral", "expected", ""])
    found = agreement(z, roles, (1, 2))
    # of 2 x 2 pairs of right and wrong, right is above in two
    assert found["auroc"] == pytest.approx(2 / 4)
    # precision at the two right ones, neutral left out: 1/2 and 2/3
    assert found["auprc"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert (found["rank"], found["top_1"], found["top_2"]) == (2, 0, 1)
    # drawn from five with two right: 1 - 3/5, 1 - 3/5 * 2/4
    assert found["chance_1"] == pytest.approx(0.4) and found["chance_2"] == pytest.approx(0.7)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_are_those_of_the_slow_way(seed):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 6, 15).astype(float)
    roles = rng.choice(["", "expected", "neutral"], 15, p=[0.5, 0.3, 0.2])
    right, wrong = z[roles == "expected"], z[roles == ""]
    pairs = [(one > other) + 0.5 * (one == other) for one in right for other in wrong]
    found = agreement(z, roles)
    assert found["auroc"] == pytest.approx(np.mean(pairs))
    places = [1 + (z > value).sum() + ((z == value).sum() - 1) / 2 for value in right]
    assert found["rank"] == min(places)


def test_the_p_value_is_that_of_all_renamings_of_the_contexts(tmp_path):
    names, rng = list("abcd"), np.random.default_rng(3)
    scores = {trait: dict(zip(names, rng.normal(size=4), strict=True)) for trait in ("T", "U")}
    known = {"T": {"a"}, "U": {"a", "b"}}
    path = _table(tmp_path / "r.tsv", [(t, c, "expected") for t, own in known.items() for c in own])

    def mean_auroc(order):
        renamed = dict(zip(names, order, strict=True))
        areas = []
        for trait, own in known.items():
            right = {renamed[name] for name in own}
            z = scores[trait]
            areas.append(np.mean([z[i] > z[j] for i in right for j in set(names) - right]))
        return np.mean(areas)

    drawn = [mean_auroc(order) for order in orders(names)]
    expected = np.mean(np.array(drawn) >= drawn[0] - 1e-12)
    found = compare(_tests(scores), path, permutations=20_000).methods.iloc[0]
    assert found["p_auroc"] == pytest.approx(expected, abs=0.02)
    assert found["auroc"] == pytest.approx(drawn[0])


def test_rankings_are_compared_with_known_scores(tmp_path):
    rows = [("T", name, score) for name, score in zip("abcd", [4, 3, 2, 1], strict=True)]
    path = _table(tmp_path / "s.csv", rows, ("trait", "context", "score"))
    tests = _tests({"T": {"a": 9.0, "b": 1.0, "c": 3.0, "d": 2.0, "unknown": 50.0}})
    found = compare(tests, path).methods.iloc[0]
    # squared differences of ranks: 0, 4, 1, 1
    assert found["spearman"] == pytest.approx(1 - 6 * 6 / (4 * 15)) and np.isnan(found["auroc"])


def test_renamings_are_uniform_where_nothing_is_known():
    rng = np.random.default_rng(5)
    reference = read_reference("haematopoiesis")
    names = sorted(set(reference.table["context"]))
    p = []
    for _ in range(120):
        profile = rng.normal(size=len(names))
        # traits that resemble each other, as real ones do
        tests = _tests(
            {
                t: dict(zip(names, profile + 0.3 * rng.normal(size=len(names)), strict=True))
                for t in ("MCV", "MCH", "HGB", "MPV")
            }
        )
        p.append(compare(tests, reference, permutations=200).methods["p_auroc"].iloc[0])
    assert 0.005 <= np.mean(np.array(p) <= 0.05) <= 0.12


def test_the_packaged_reference_knows_the_lineages_and_what_counts():
    assert reference_names() == ("haematopoiesis",)
    table = read_reference("haematopoiesis").table
    assert table["trait"].nunique() == 16
    red = table[table["trait"] == "MCV"]
    assert red.loc[red["role"] == "expected", "context"].tolist() == ["Ery"]
    assert not table.loc[table["trait"] == "WBC_COUNT", "counted"].any()


def test_contexts_go_by_name_label_or_term_and_what_has_no_counterpart_is_told(tmp_path):
    tests = _tests({"T": {"Ery": 3.0, "B": 1.0, "Mono": 2.0}, "V": {"Ery": 1.0}})
    tests = tests.assign(
        context_label=tests["context"] + " cell", curie=tests["context"].map({"Ery": "CL:1"}).fillna("CL:2")
    )
    rows = [("T", "cl:1", "expected"), ("T", "mono CELL", "neutral"), ("T", "spleen", ""), ("W", "Ery", "")]
    found = compare(tests, _table(tmp_path / "r.tsv", rows))
    assert found.traits.iloc[0][["contexts", "expected", "auroc"]].tolist() == [3, 1, 1.0]
    told = "; ".join(found.notes)
    assert "V" in told and "W" in told and "spleen" in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trait\tcell\nT\tEry\n", "no column 'context'"),
        ("trait\tcontext\trole\nT\tEry\tyes\n", "line 2: role 'yes' is neither expected nor neutral"),
        ("trait\tcontext\tscore\nT\tEry\thigh\n", "line 2, column 'score': 'high' is no number"),
        ("trait\tcontext\tcounted\nT\tEry\tmaybe\n", "line 2: counted is 'maybe'"),
        ("trait\tcontext\nT\tEry\n\t\nU\n", "line"),
        ("trait\tcontext\nT\t\n", "line 2: column 'context' is empty"),
        ("trait\tcontext\trole\nT\tEry\texpected\nT\tEry\tneutral\n", "line 3: T and Ery stand there twice"),
        ("trait\tcontext\n", "holds no rows"),
        ("trait\tcontext\nother\tEry\n", "no trait is in both"),
        ("trait\tcontext\nT\tspleen\n", "no context is in both"),
    ],
)
def test_what_is_wrong_with_a_reference_is_named_with_its_line(text, says, tmp_path):
    path = tmp_path / "r.tsv"
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        compare(_tests({"T": {"Ery": 1.0, "B": 0.0}}), path)


def test_tables_of_tests_are_ranked_by_z_or_p_and_refused_where_they_are_unclear(tmp_path):
    path = _table(tmp_path / "t.tsv", [("T", "a", 0.01), ("T", "b", 0.5)], ("trait", "context", "p_value"))
    assert read_hypotheses(path)["score"].round(2).tolist() == [2.0, 0.3]
    for rows, columns, says in (
        ([("T", "a", 2.0)], ("trait", "context", "p_value"), "2.0 is no p-value"),
        ([("T", "a", 2.0)], ("trait", "context", "beta"), "none of the columns z, p_value, score"),
        ([("T", "a", 2.0), ("T", "a", 1.0)], ("trait", "context", "z"), "T in a was tested twice"),
        ([("T", "a", "")], ("trait", "context", "z"), "holds no test"),
    ):
        with pytest.raises(DataError, match=says):
            read_hypotheses(_table(tmp_path / "w.tsv", rows, columns))
    with pytest.raises(DataError, match="no reference 'nonsense': give a file, or one that is packaged"):
        read_reference("nonsense")


def test_tests_without_a_number_are_counted(tmp_path):
    rows = [("T", "a", 2.0), ("T", "b", ""), ("T", "c", 1.0)]
    tests = read_hypotheses(_table(tmp_path / "t.tsv", rows, ("trait", "context", "z")))
    known = _table(tmp_path / "r.tsv", [("T", "a", "expected")])
    assert "left out (1): tests without a number" in compare(tests, known).notes


@pytest.fixture(scope="module")
def result(world):
    rng = np.random.default_rng(0)
    planted = worlds.variants_of(
        worlds.trait_at(world, worlds.elements_of("Ery", 8, rng), trait="red"),
        worlds.trait_at(world, worlds.elements_of("B", 8, rng), trait="white", seed=1),
    )
    return hypotheses(
        planted, world, method=["variant", "control-shuffled"], permutations=200, scorer=worlds.known_scores
    )


@pytest.mark.parametrize("suffix", ["nc", "parquet", "tsv"])
def test_the_command_compares_what_hypotheses_wrote(suffix, result, tmp_path):
    from phenviz.saving import save

    path, out = tmp_path / f"h.{suffix}", tmp_path / "agreement.tsv"
    save(result, path)
    known = _table(tmp_path / "known.tsv", [("red", "Ery cell", ""), ("white", "B", "")])
    ran = CliRunner().invoke(
        main, ["hypotheses", "compare", str(path), "--reference", str(known), "-o", str(out)]
    )
    assert ran.exit_code == 0, ran.output
    line = next(line for line in ran.output.splitlines() if line.strip().startswith("variant"))
    assert line.split()[1:3] == ["2", "1.000"]
    table = pd.read_csv(out, sep="\t")
    assert table.loc[table["method"] == "variant", "auroc"].tolist() == [1.0, 1.0]


def test_the_command_says_in_one_line_what_is_wrong(tmp_path):
    path = _table(tmp_path / "t.tsv", [("T", "a", 1.0), ("T", "b", 0.0)], ("trait", "context", "z"))
    for arguments, says, code in (
        ((tmp_path / "none.tsv", "--reference", "haematopoiesis"), "doesn't exist", 1),
        ((path, "--reference", "haematopoiesis"), "no trait is in both", 1),
        ((path, "--reference", "haematopoiesis", "--method", "x"), "no method 'x' in this table", 1),
        ((path,), "Missing option '--reference'", 2),
    ):
        ran = CliRunner().invoke(main, ["hypotheses", "compare", *map(str, arguments)])
        assert ran.exit_code == code and says in ran.output and "Traceback" not in ran.output
