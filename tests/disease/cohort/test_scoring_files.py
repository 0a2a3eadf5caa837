"""Scoring files: formats, and what became of every variant."""

import gzip

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.cohort.ancestry import normalise_by_ancestry
from phenviz.disease.cohort.dosages import Dosages
from phenviz.disease.cohort.scoring_files import ScoringFile, match, match_scores
from phenviz.errors import DataError

VARIANTS = pd.DataFrame(
    {
        "contig": "20",
        "position": [100, 200, 300, 400, 500, 500, 600],
        "ref": ["A", "C", "A", "G", "T", "T", "AC"],
        "alt": ["G", "T", "T", "C", "C", "G", "A"],
        "id": "",
    }
)
CATALOG = """###PGS CATALOG SCORING FILE - see https://www.pgscatalog.org
#format_version=2.0
##POLYGENIC SCORE (PGS) INFORMATION
#pgs_id=PGS000999
#genome_build=GRCh38
#HmPOS_build=GRCh37
rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\tis_dominant\thm_chr\thm_pos
rs1\t20\t1100\tG\tA\t0.5\tFalse\t20\t100
rs2\t20\t1200\tC\tT\t0.25\tFalse\t20\t200
rs3\t20\t1200\tG\tA\t-1\tFalse\t20\t200
rs4\t20\t1300\tA\tT\t1\tFalse\t20\t300
rs5\t20\t1500\tG\tT\t2\tFalse\t20\t500
rs6\t20\t1500\tA\tG\t3\tFalse\t20\t500
rs7\t20\t1700\tA\tG\t1\tFalse\t20\t700
rs8\t20\t1100\tG\tA\t1\tTrue\t20\t100
rs9\t20\t\tG\tA\t1\tFalse\t\t
rs10\t20\t1100\tG\tA\t1\tFalse\t20\t100
rs11\t20\t1500\tT\t\t1\tFalse\t20\t500
"""


def write(tmp_path, text, name="score.txt"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["score.txt", "score.txt.gz"])
def test_every_variant_of_a_catalog_file_gets_a_status(tmp_path, name):
    scores = ScoringFile.read(write(tmp_path, CATALOG, name))
    assert scores.name == "PGS000999" and scores.build == "GRCh37"
    table = match(scores, VARIANTS, "GRCh37").set_index("id")
    assert table["status"].to_dict() == {
        "rs1": "matched",
        "rs2": "matched",
        # the same alleles, written on the other strand
        "rs3": "matched on the other strand",
        "rs4": "strand can't be told (A/T or C/G)",
        "rs5": "matched",
        "rs6": "matched on the other strand",
        "rs7": "not in the genotypes",
        "rs8": "not additive",
        "rs9": "no position",
        "rs10": "the same variant again",
        "rs11": "other allele unknown at a place with several",
    }
    assert table["row"].to_dict() == {
        "rs1": 0, "rs2": 1, "rs3": 1, "rs4": -1, "rs5": 5, "rs6": 4, "rs7": -1, "rs8": -1, "rs9": -1,
        "rs10": -1, "rs11": -1,
    }  # fmt: skip
    assert table["weight_of_alt"][["rs1", "rs2", "rs3", "rs5", "rs6"]].tolist() == [
        0.5,
        -0.25,
        1.0,
        2.0,
        -3.0,
    ]


def test_another_assembly_is_refused(tmp_path):
    with pytest.raises(DataError, match="GRCh37, and the cohort is of GRCh38"):
        match(ScoringFile.read(write(tmp_path, CATALOG)), VARIANTS, "GRCh38")


@pytest.mark.parametrize(
    "text",
    [
        "20\trs1\t100\tG\tA\t0.5\n20\trs2\t200\tC\tT\t0.25\n",  # PRS-CS
        "CHR SNP POS A1 A2 PIP BETA\n20 rs1 100 G A 1 0.5\n20 rs2 200 C T 1 0.25\n",  # VIPRS
        "chr,pos,rsid,a0,a1,beta\n20,100,rs1,A,G,0.5\n20,200,rs2,T,C,0.25\n",  # LDpred2
        "#CHROM\tPOS\tID\tREF\tALT\tA1\tBETA\n20\t100\trs1\tA\tG\tG\t0.5\n20\t200\trs2\tC\tT\tC\t0.25\n",
    ],
    ids=["PRS-CS", "VIPRS", "LDpred2", "PLINK"],
)
def test_weights_of_other_methods_are_read(tmp_path, text):
    table = match(ScoringFile.read(write(tmp_path, text)), VARIANTS)
    assert table["row"].tolist()[0] == 0 and table["weight_of_alt"].tolist()[0] == 0.5
    assert table["id"].tolist() == ["rs1", "rs2"]
    if "REF" not in text:
        assert table["weight_of_alt"].tolist() == [0.5, -0.25]


def test_too_little_overlap_is_refused_with_the_reasons(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.binomial(2, 0.3, (len(VARIANTS), 50)).astype(np.int8)
    dosages = Dosages(VARIANTS, values, values.mean(axis=1) / 2)
    scores = ScoringFile.read(write(tmp_path, CATALOG))
    with pytest.raises(DataError, match=r"only 5 of 11 variants \(45\.5%\).*75% are needed.*1 not additive"):
        match_scores(scores, dosages)
    found, table = match_scores(scores, dosages, 0.4)
    assert len(table) == 11
    assert found.settings == {"variants": 11, "matched": 5, "overlap": 0.4545}
    # as PLINK's score sums: effect alleles times weights, up to the same number for everybody
    copies = [values[0], 2 - values[1], values[1], values[5], 2 - values[4]]
    plain = sum(weight * copy for weight, copy in zip([0.5, 0.25, 1.0, 2.0, 3.0], copies, strict=True))
    np.testing.assert_allclose(np.ptp(dosages.score(found.weights) - plain), 0, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no weights"),
        ("#pgs_id=PGS1\n", "no weights"),
        ("a\tb\tc\n1\t2\t3\n", "none of a scoring file"),
        ("chr\tpos\teffect_allele\teffect_weight\n20\t100\tA\tbig\n", "line 2: the weight is no number"),
        ("rsid\teffect_allele\teffect_weight\nrs1\tA\t1\n", "no column of the contig"),
    ],
)
def test_what_is_no_scoring_file_is_said(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        ScoringFile.read(write(tmp_path, text))


def test_ancestry_is_taken_out_of_mean_and_spread():
    rng = np.random.default_rng(0)
    components = rng.normal(size=(4_000, 2))
    spread = np.exp(0.4 * components[:, 0])
    score = 3 + 2 * components[:, 1] + spread * rng.normal(size=4_000)
    reference = np.arange(3_000)
    found = normalise_by_ancestry(score, components, reference)
    for column in ("z_norm1", "z_norm2"):
        assert np.abs(np.corrcoef(found[column], components[:, 1])[0, 1]) < 0.05
    high, low = components[:, 0] > 0.8, components[:, 0] < -0.8
    assert found["z_norm1"][high].std() / found["z_norm1"][low].std() > 1.7
    assert found["z_norm2"][high].std() / found["z_norm2"][low].std() == pytest.approx(1, abs=0.15)
    assert found["percentile"][reference].mean() == pytest.approx(50, abs=1)
