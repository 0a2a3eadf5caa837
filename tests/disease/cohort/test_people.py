"""The table of a real cohort: what is wrong with it is said, what is missing is counted."""

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.cohort.dosages import allele_frequency
from phenviz.disease.cohort.folder import open_cohort
from phenviz.disease.cohort.people import read_people
from phenviz.disease.cohort.relatives import check_relatives, related_pairs
from phenviz.errors import DataError

SAMPLES = [f"s{number}" for number in range(30)]


def table(**columns):
    rng = np.random.default_rng(0)
    base = pd.DataFrame(
        {
            "sample": SAMPLES,
            "family": [f"f{number // 2}" for number in range(30)],
            "split": ["train"] * 18 + ["validation"] * 6 + ["test"] * 6,
            "sex": [number % 2 for number in range(30)],
            "age": rng.integers(40, 70, 30),
            "PC1": rng.normal(size=30),
            "T": [number % 2 for number in range(30)],
        }
    )
    return base.assign(**columns)


def write(frame, path):
    frame.to_parquet(path, index=False) if path.suffix == ".parquet" else frame.to_csv(
        path, sep="\t" if path.suffix == ".tsv" else ",", index=False
    )
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".tsv", ".csv"])
def test_every_kind_of_table_says_the_same(tmp_path, suffix):
    people = read_people(write(table(), tmp_path / f"p{suffix}"), SAMPLES)
    assert people.traits == ("T",) and people.covariates == ("sex", "age", "PC1") and len(people) == 30
    assert people.notes == () and people.samples == SAMPLES
    np.testing.assert_array_equal(people.labels()[:, 0], np.arange(30) % 2)
    np.testing.assert_allclose(people.covariate_values()[:, 1], table()["age"])


def test_who_has_no_genotypes_and_who_has_no_line_is_counted(tmp_path):
    people = read_people(write(table(), tmp_path / "p.tsv"), [*SAMPLES[4:], "x", "y", "z"])
    assert len(people) == 26
    assert "4 of 30 people of p.tsv have no genotypes" in people.notes[0] and "s0" in people.notes[0]
    assert "3 people with genotypes" in people.notes[1]


def test_missing_labels_and_covariates_are_counted(tmp_path):
    frame = table(T=table()["T"].astype(object), age=table()["age"].astype(object))
    frame.loc[[1, 3], "T"], frame.loc[5, "age"], frame.loc[7, "T"] = "NA", "", "-9"
    people = read_people(write(frame, tmp_path / "p.tsv"), SAMPLES)
    assert "T is missing in 3 of 30" in " ".join(people.notes)
    assert "age is missing in 1 of 30" in " ".join(people.notes)
    assert np.isnan(people.labels()[[1, 3, 7], 0]).all()


def test_names_that_are_numbers_stay_as_they_are(tmp_path):
    samples = [f"{number:04d}" for number in range(30)]
    assert len(read_people(write(table(sample=samples), tmp_path / "p.tsv"), samples)) == 30
    numbers = list(range(1, 31))
    frame = table(sample=numbers)
    assert read_people(write(frame, tmp_path / "n.parquet"), list(map(str, numbers))).samples[0] == "1"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sample": ["s0", *SAMPLES[:29]]}, r"names 's0' twice \(lines 2 and 3\)"),
        ({"sample": [f"q{n}" for n in range(30)]}, "nobody of"),
        ({"family": ["f"] * 30}, "family lies across splits"),
        ({"split": ["train"] * 30}, "nobody in the split validation"),
        ({"split": ["magic"] * 30}, "'magic'"),
        ({"T": [n % 2 + 1 for n in range(30)]}, "PLINK's 1 and 2|holds 0 and 1"),
        ({"T": [0] * 30}, "0 cases"),
        ({"T": [0] * 18 + [1] * 12}, "train split has 0 cases"),
        ({"age": ["old"] * 30}, "'old', no number"),
        ({"sample": ["", *SAMPLES[1:]]}, "line 2 has no sample"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, columns, message):
    with pytest.raises(DataError, match=message):
        read_people(write(table(**columns), tmp_path / "p.tsv"), SAMPLES)


def test_a_trait_that_is_named_must_be_one(tmp_path):
    path = write(table(BMI=np.linspace(18, 40, 30), P=[n % 2 + 1 for n in range(30)]), tmp_path / "p.tsv")
    with pytest.raises(DataError, match="choose a threshold"):
        read_people(path, SAMPLES, traits=["BMI"])
    with pytest.raises(DataError, match="PLINK's 1 and 2"):
        read_people(path, SAMPLES, traits=["P"])
    with pytest.raises(DataError, match="no column 'Q'"):
        read_people(path, SAMPLES, traits=["Q"])


def test_a_constant_trait_is_left_out_and_told(tmp_path):
    people = read_people(write(table(U=[0] * 30), tmp_path / "p.tsv"), SAMPLES)
    assert people.traits == ("T",) and "trait U is left out" in " ".join(people.notes)


def test_families_are_dealt_out_where_there_is_no_split(tmp_path):
    frame = table().drop(columns="split")
    people = read_people(write(frame, tmp_path / "p.tsv"), SAMPLES, seed=1)
    assert (people.table.groupby("family")["split"].nunique() == 1).all()
    assert "no column split" in people.notes[0]


def genotypes(seed, people=40, variants=4_000):
    """Make dosages of strangers, of whom the last three are a twin, a child and a sibling of others."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.1, 0.5, variants)
    haplotypes = (rng.random((variants, people, 2)) < frequency[:, None, None]).astype(np.int8)

    def child(one, two):
        return np.stack(
            [haplotypes[np.arange(variants), parent, rng.integers(0, 2, variants)] for parent in (one, two)],
            axis=1,
        )

    haplotypes[:, -1] = haplotypes[:, 0]
    haplotypes[:, -2], haplotypes[:, -3] = child(1, 2), child(1, 2)
    return haplotypes.sum(axis=2, dtype=np.int8)


@pytest.mark.parametrize("seed", range(3))
def test_relatives_are_found_by_their_genotypes(seed):
    found = related_pairs(genotypes(seed), 0.177)
    pairs = {(one, two) for one, two in zip(found["one"], found["two"], strict=True)}
    assert pairs == {(0, 39), (1, 38), (2, 38), (1, 37), (2, 37), (37, 38)}
    twin = found[(found["one"] == 0)]["kinship"].iloc[0]
    assert (
        twin == pytest.approx(0.5)
        and found["kinship"].drop(found.index[found["one"] == 0]).between(0.2, 0.3).all()
    )


def test_kinship_is_king_s_formula():
    values = genotypes(4, people=6, variants=300)
    values[np.random.default_rng(0).random(values.shape) < 0.05] = -1
    found = related_pairs(values, -2.0).set_index(["one", "two"])["kinship"]
    for one in range(6):
        for two in range(one + 1, 6):
            a, b = values[:, one].astype(int), values[:, two].astype(int)
            both, opposite = ((a == 1) & (b == 1)).sum(), ((a == 0) & (b == 2) | (a == 2) & (b == 0)).sum()
            fewer, total = min((a == 1).sum(), (b == 1).sum()), (a == 1).sum() + (b == 1).sum()
            slow = (both - 2 * opposite) / (2 * fewer) + 0.5 - total / (4 * fewer)
            assert found[one, two] == pytest.approx(slow, abs=1e-5)


def test_frequencies_leave_missing_genotypes_out():
    values = np.array([[0, 1, 2, -1], [-1, -1, -1, -1], [2, 2, -1, 0]], dtype=np.int8)
    assert allele_frequency(values).tolist() == pytest.approx([0.5, 0, 4 / 6])


def test_the_same_person_in_two_splits_is_refused(monkeypatch, tmp_path):
    values = genotypes(0, people=30)
    monkeypatch.setattr("phenviz.disease.cohort.relatives._thinned", lambda *_: (values, 60_000_000))
    split = ["train"] * 18 + ["validation"] * 6 + ["test"] * 6
    people = read_people(write(table(split=split, family=SAMPLES), tmp_path / "p.tsv"), SAMPLES)
    with pytest.raises(DataError, match=r"s0 .* s29 .* the same genotypes"):
        check_relatives(None, people)
    assert "s29" in " ".join(check_relatives(None, people, keep=True))
    monkeypatch.setattr("phenviz.disease.cohort.relatives._thinned", lambda *_: (values[:, :27], 60_000_000))
    people = read_people(write(table(family=SAMPLES).iloc[:27], tmp_path / "q.tsv"), SAMPLES)
    assert check_relatives(None, people) == []


def test_a_folder_says_what_it_lacks(tmp_path, world):
    with pytest.raises(DataError, match="is no folder"):
        open_cohort(tmp_path / "none", world.reference)
    with pytest.raises(DataError, match=r"has no cohort.yaml, and 0 files of genotypes"):
        open_cohort(tmp_path, world.reference)
    for text, message in (
        ("[1, 2]", "holds no entries"),
        ("genotypes: a.vcf", "lacks the entry people"),
        ("genotypes: a.vcf\npeople: b\nmagic: 1", "unknown entry 'magic'"),
        ("genotypes: a.vcf\npeople: b\nprevalence: 2", "prevalence 2"),
        ("genotypes: a.vcf\npeople: b\nassembly: GRCh38", "is of GRCh38"),
        ("genotypes: a.vcf\npeople: b", "a.vcf doesn't exist"),
        (":\n -", "can't be read|holds no entries|lacks"),
    ):
        (tmp_path / "cohort.yaml").write_text(text)
        with pytest.raises(DataError, match=message):
            open_cohort(tmp_path, world.reference)


def test_copies_are_counted_two_alleles_at_a_time():
    import pandas as pd

    from phenviz.disease.cohort.genotypes import Block

    rng = np.random.default_rng(0)
    alleles = rng.choice(np.array([-2, -1, 0, 1], dtype=np.int8), (60, 25, 2), p=[0.05, 0.1, 0.6, 0.25])
    block = Block(pd.DataFrame(index=range(60)), alleles)
    copies = (alleles == 1).sum(axis=2)
    np.testing.assert_array_equal(block.carried().toarray(), copies)
    np.testing.assert_array_equal(block.dosages(), np.where((alleles == -1).any(axis=2), -1, copies))
