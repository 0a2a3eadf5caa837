from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from phenviz import open_world
from phenviz.data.packs import has_pack, require_pack
from phenviz.disease.ld_panel import LdPanel, read_panels
from phenviz.disease.ld_scores import joined, ld_scores, read_ld_scores, read_ldcts
from phenviz.disease.stratified_regression import blocks_of, stratified_regression
from phenviz.errors import DataError
from tests.disease.test_gene_association import linked

PEOPLE = 300


def test_ld_scores_are_those_of_the_slow_way():
    rng = np.random.default_rng(0)
    panel = linked(600, PEOPLE, rng, 60_000)
    annotations = np.column_stack([np.ones(600), rng.integers(0, 2, 600), rng.normal(size=600)])
    found = ld_scores(panel, annotations, window=5_000)
    place = panel.variants["position"].to_numpy()
    for j in (0, 1, 255, 256, 300, 599):
        total = np.zeros(3)
        for k in range(600):
            if abs(place[j] - place[k]) <= 5_000:
                r = np.mean(panel.genotypes[j].astype(float) * panel.genotypes[k].astype(float))
                total += (r**2 - (1 - r**2) / (PEOPLE - 2)) * annotations[k]
        np.testing.assert_allclose(found[j], total, atol=1e-3)


def test_without_ld_each_variant_speaks_for_itself():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 4_000))
    x = ((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)).astype(np.float32)
    table = pd.DataFrame(
        {"contig": "20", "position": np.arange(50) + 1, "ref": "A", "alt": "C", "frequency": 0.5}
    )
    marks = np.column_stack([np.ones(50), np.arange(50) % 2])
    found = ld_scores(LdPanel(table, x), marks)
    assert found[:, 0].mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(found[:, 1], marks[:, 1], atol=0.2)


def test_blocks_are_of_neighbours_of_one_contig_and_long_enough():
    contig = np.repeat(["1", "2"], 5_000)
    position = np.tile(np.arange(5_000) * 2_000, 2)
    block = blocks_of(contig, position)
    assert (np.diff(block) >= 0).all() and set(np.diff(block)) == {0, 1}
    for number in range(block.max() + 1):
        own = block == number
        assert len(set(contig[own])) == 1
        # but for a contig's last one
        if position[own][-1] < position.max():
            assert np.ptp(position[own]) >= 240_000
    # a whole genome's variants are parted in 200 of as many
    many = blocks_of(np.repeat("1", 100_000), np.arange(100_000) * 3_000)
    assert many.max() + 1 == 200 and np.ptp(np.bincount(many)) <= 1
    assert blocks_of(np.array([], dtype=str), np.array([], dtype=np.int64)).size == 0


def _study(rng, tau, count=6_000, intercept=1.0):
    """Chi-squares whose expectation is what the model says; simulated."""
    scores = np.column_stack([rng.gamma(4, 5, count), rng.gamma(1, 3, count), rng.gamma(1, 2, count)])
    scores[:, 0] += scores[:, 1:].sum(1)
    expected = intercept + scores @ np.asarray(tau)
    return expected * rng.normal(size=count) ** 2, scores, np.arange(count) // (count // 40)


def test_the_fit_and_its_error_are_those_of_weighted_least_squares_and_each_block_left_out():
    rng = np.random.default_rng(2)
    y, scores, block = _study(rng, [0.02, 0.0, 0.3])
    y = np.minimum(y, 79.0)
    weights_of, sizes = np.ones(len(y)), np.array([1_000.0, 100, 100])
    found = stratified_regression(y, scores, weights_of, block, sizes)
    x = np.column_stack([scores, np.ones(len(y))])

    def fit(rows, weights):
        root = np.sqrt(weights[rows])
        return np.linalg.lstsq(x[rows] * root[:, None], y[rows] * root, rcond=None)[0]

    everything = np.ones(len(y), dtype=bool)
    slope = (y.mean() - 1) / scores[:, 0].mean()
    for _ in range(2):
        weights = 1 / (1 + max(slope, 0) * scores[:, 0]) ** 2
        whole = fit(everything, weights)
        slope = whole[:-1] @ sizes / sizes[0]
    left_out = np.array([fit(block != number, weights) for number in range(40)])
    pseudo = 40 * whole - 39 * left_out
    np.testing.assert_allclose(found.coefficient, whole[:-1], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.se, np.sqrt(pseudo.var(0, ddof=1) / 40)[:-1], rtol=1e-5)
    assert (found.intercept, found.blocks, found.variants) == (pytest.approx(whole[-1]), 40, len(y))


def test_a_planted_enrichment_is_found_and_estimated_and_p_is_uniform_without():
    rng = np.random.default_rng(3)
    found = [
        stratified_regression(y, s, np.ones(len(y)), b, np.array([6e3, 600, 600]))
        for y, s, b in (_study(rng, [0.03, 0.0, 0.4], 2_000) for _ in range(60))
    ]
    estimates = np.array([one.coefficient for one in found])
    assert estimates.mean(0) == pytest.approx([0.03, 0.0, 0.4], abs=0.06)
    assert np.mean([one.p_value[2] < 0.01 for one in found]) > 0.9
    assert kstest([one.p_value[1] for one in found], "uniform").pvalue > 0.01
    # the jackknife's error is that of the estimates
    assert np.mean([one.se for one in found], axis=0) == pytest.approx(estimates.std(0), rel=0.35)
    assert np.mean([one.intercept for one in found]) == pytest.approx(1, abs=0.1)


def test_annotations_that_say_nothing_of_their_own_and_too_few_blocks_give_no_number():
    rng = np.random.default_rng(4)
    y, scores, block = _study(rng, [0.02, 0.1, 0.1], 800)
    sizes = np.ones(3)
    same = np.column_stack([scores[:, 0], scores[:, 0], scores[:, 1]])
    empty = np.column_stack([scores[:, :2], np.zeros(len(y))])
    for broken in (same, empty):
        assert np.isnan(stratified_regression(y, broken, np.ones(len(y)), block, sizes).p_value).all()
    few = stratified_regression(y, scores, np.ones(len(y)), block % 5, sizes)
    assert np.isnan(few.p_value).all() and few.blocks == 5
    holes = np.where(rng.uniform(size=len(y)) < 0.1, np.nan, y)
    assert np.isfinite(stratified_regression(holes, scores, np.ones(len(y)), block, sizes).p_value).all()
    none = stratified_regression(y[:0], scores[:0], y[:0], block[:0], sizes)
    assert none.variants == 0 and np.isnan(none.p_value).all()


def _files(folder, name, contig, names, rows, sizes=None):
    path = folder / f"{name}.{contig}.l2.ldscore.gz"
    header = "\t".join(["CHR", "SNP", "BP", *names])
    with gzip.open(path, "wt") as file:
        file.write(header + "\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    if sizes is not None:
        (folder / f"{name}.{contig}.l2.M_5_50").write_text("\t".join(map(str, sizes)) + "\n")
    return folder / f"{name}."


def test_files_of_ldsc_are_read_chromosome_by_chromosome_and_joined_by_id(tmp_path):
    base = _files(
        tmp_path,
        "base",
        1,
        ["allL2", "codingL2"],
        [(1, "rs1", 5, 2.0, 1.0), (1, "rs2", 9, 3.0, 0.5)],
        [10, 2],
    )
    _files(tmp_path, "base", 2, ["allL2", "codingL2"], [(2, "rs3", 7, 4.0, 0.0)], [20, 3])
    own = _files(tmp_path, "cell", 1, ["L2"], [(1, "rs2", 9, 0.25)], [4])
    found = read_ld_scores(base, ["1", "2", "3"])
    assert found.names == ("allL2", "codingL2") and found.sizes.tolist() == [30, 5]
    assert found.variants["id"].tolist() == ["rs1", "rs2", "rs3"]
    both = joined({"base": found, "cell": read_ld_scores(own, ["1", "2"])})
    assert both.variants["id"].tolist() == ["rs2"] and both.scores.tolist() == [[3.0, 0.5, 0.25]]
    assert both.names[-1] == "cell: L2" and both.sizes.tolist() == [30, 5, 4]
    (tmp_path / "list.ldcts").write_text("Ery cell.,base.\nMono\tcell.\n")
    lists = read_ldcts(tmp_path / "list.ldcts")
    assert {name: [one.name for one in paths] for name, paths in lists.items()} == {
        "Ery": ["cell.", "base."], "Mono": ["cell."]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("CHR\tSNP\tL2\n1\trs1\t2\n", "no column 'BP'"),
        ("CHR\tSNP\tBP\n1\trs1\t2\n", "no column of LD scores"),
        ("CHR\tSNP\tBP\tL2\n1\trs1\t2\tmuch\n", "column 'L2': it holds something that is no number"),
        ("", "can't be read as LD scores"),
    ],
)
def test_what_is_wrong_with_a_file_of_ld_scores_is_said(tmp_path, text, says):
    (tmp_path / "x.1.l2.ldscore").write_text(text)
    with pytest.raises(DataError, match=says):
        read_ld_scores(tmp_path / "x.", ["1"])


def test_missing_files_wrong_sizes_and_lists_are_named(tmp_path):
    prefix = _files(tmp_path, "y", 1, ["L2"], [(1, "rs1", 5, 2.0)], [1, 2])
    with pytest.raises(DataError, match="2 numbers for 1 annotations"):
        read_ld_scores(prefix, ["1"])
    with pytest.raises(DataError, match=r"no LD scores at .*chromosomes 7"):
        read_ld_scores(prefix, ["7"])
    for text, says in (
        ("Ery\n", "line 1: 'Ery' names no LD scores"),
        ("", "names no context"),
        ("a x\na y\n", "line 2"),
    ):
        (tmp_path / "l.ldcts").write_text(text)
        with pytest.raises(DataError, match=says):
            read_ldcts(tmp_path / "l.ldcts")


@pytest.mark.packs
def test_ld_scores_of_the_embedded_people_agree_with_published_ones():
    if not has_pack("ldscores-eur-chr20"):
        pytest.skip("data pack ldscores-eur-chr20 is neither in the cache nor in a mirror")
    published = pd.read_csv(require_pack("ldscores-eur-chr20", "20.l2.ldscore.gz"), sep=r"\s+")
    world = open_world()
    places = pd.DataFrame({"contig": "20", "position": [1_000_001, 4_000_000]})
    (panel,) = read_panels(world.individuals, places)
    # those of LDSC count the variants of HapMap 3 alone
    same = panel.variants["position"].isin(published["BP"]) & ~panel.variants["position"].duplicated(
        keep=False
    )
    panel = LdPanel(panel.variants[same].reset_index(drop=True), panel.genotypes[same.to_numpy()])
    found = panel.variants.assign(own=ld_scores(panel, np.ones((len(panel.variants), 1)))[:, 0])
    both = found.merge(published, left_on="position", right_on="BP")
    both = both[both["position"].between(2_000_000, 3_000_000)]
    assert len(both) > 500
    assert np.corrcoef(both["own"], both["L2"])[0, 1] > 0.9
    assert both["own"].mean() == pytest.approx(both["L2"].mean(), rel=0.15)
