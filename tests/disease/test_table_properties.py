"""What must not change what is read of a table: order, strand, swapped alleles, rows of other tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from phenviz.disease import read_trait_variants
from phenviz.disease.summary_statistics import PRIOR_SD
from phenviz.errors import DataError
from phenviz.variation.normalise import left_align

_TURN = str.maketrans("ACGT", "TGCA")
_SEEDS = range(6)


def _variants(world, rng, count=120, indels=0.1):
    """Draw left-aligned variants of the reference: position, ref, alt, beta, se, p; some are significant."""
    rows, codes = [], world.reference.codes("20")
    for position in np.sort(rng.choice(np.arange(100_000, 130_000, 7), count, replace=False)):
        ref = "".join("ACGT"[c] for c in codes[position - 1 : position + 3])
        # the inserted base isn't the next one, so that one allele only can be the reference's
        inserted = ref[0] + "ACGT"[("ACGT".index(ref[1]) + 1) % 4]
        kind = rng.random()
        if kind < indels / 2 and left_align(codes, position - 1, ref[:3], ref[0])[0] == position - 1:
            rows.append((position, ref[:3], ref[0]))
        elif kind < indels and left_align(codes, position - 1, ref[0], inserted)[0] == position - 1:
            rows.append((position, ref[0], inserted))
        else:
            rows.append((position, ref[0], rng.choice([b for b in "ACGT" if b != ref[0]])))
    table = pd.DataFrame(rows, columns=["position", "ref", "alt"])
    table["beta"], table["se"] = rng.normal(0, 0.02, count), 0.02
    table.loc[rng.choice(count, 4, replace=False), "beta"] = rng.choice([-1, 1], 4) * rng.uniform(
        0.15, 0.19, 4
    )
    table["eaf"] = rng.uniform(0.05, 0.95, count)
    table["p"] = 2 * norm.sf(np.abs(table["beta"] / table["se"]))
    return table


def _written(table, rng=None, share=0.0):
    """Name columns by effect and other allele; a share of the rows has effects of the reference's allele."""
    swap = np.zeros(len(table), dtype=bool) if rng is None else rng.random(len(table)) < share
    return pd.DataFrame(
        {
            "chr": 20,
            "pos": table["position"],
            "effect_allele": table["alt"].where(~swap, table["ref"]),
            "other_allele": table["ref"].where(~swap, table["alt"]),
            "beta": table["beta"].where(~swap, -table["beta"]),
            "se": table["se"],
            "eaf": table["eaf"].where(~swap, 1 - table["eaf"]),
            "p": table["p"],
        }
    )


def _names(table):
    return [f"20_{v.position}_{v.ref}_{v.alt}" for v in table.itertuples()]


def _read(world, tmp_path, table, name="trait.tsv"):
    table.to_csv(tmp_path / name, sep="\t", index=False)
    return read_trait_variants(tmp_path / name, world.reference)


def _equal(found, expected):
    pd.testing.assert_frame_equal(found.table.drop(columns="id"), expected.table.drop(columns="id"))


def _with_posterior(table, rng):
    weight = rng.random(len(table)) ** 8
    return table.assign(pip=weight / weight.sum())


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("posterior", [False, True])
def test_it_does_not_matter_which_allele_effects_are_of(world, tmp_path, seed, posterior):
    rng = np.random.default_rng(seed)
    table = _variants(world, rng)
    add = np.random.default_rng(seed + 100)
    # a deletion's alternate is a base of the reference, too: names tell which allele is the reference's
    plain = _written(table).assign(variant_id=_names(table))
    swapped = _written(table, rng, share=0.5).assign(variant_id=_names(table))
    if posterior:
        pip = _with_posterior(table, add)["pip"]
        plain, swapped = plain.assign(pip=pip), swapped.assign(pip=pip)
    expected = _read(world, tmp_path, plain)
    found = _read(world, tmp_path, swapped)
    _equal(found, expected)
    # and the slow obvious way: beta is that of the alternate
    truth = table.set_index("position").loc[found.table["position"]]
    assert found.table["alt"].tolist() == truth["alt"].tolist()
    np.testing.assert_allclose(found.table["beta"], truth["beta"])
    np.testing.assert_allclose(found.table["allele_frequency"], truth["eaf"])


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_whole_file_on_the_other_strand_reads_alike(world, tmp_path, seed, share):
    rng = np.random.default_rng(seed)
    written = _written(_variants(world, rng, indels=0), rng, share=share)
    turned = written.assign(
        **{name: [a.translate(_TURN) for a in written[name]] for name in ("effect_allele", "other_allele")}
    )
    found = _read(world, tmp_path, turned)
    _equal(found, _read(world, tmp_path, written))
    palindromic = (written["effect_allele"] == turned["other_allele"]).sum()
    assert f"its {palindromic:,} A/T and C/G variants were turned over, too" in found.report.describe()


def test_in_a_file_of_mixed_strands_the_signs_of_ambiguous_variants_are_unknown(world, tmp_path):
    rng = np.random.default_rng(1)
    written = _with_posterior(_written(_variants(world, rng, indels=0), rng, share=0.5), rng)
    half = rng.random(len(written)) < 0.5
    for name in ("effect_allele", "other_allele"):
        turned = pd.Series([a.translate(_TURN) for a in written[name]])
        written[name] = written[name].where(~half, turned)
    found = _read(world, tmp_path, written)
    palindromic = found.table["ref"] == found.table["alt"].str.translate(_TURN)
    assert palindromic.any() and found.table["beta"].isna().tolist() == palindromic.tolist()
    assert f"{palindromic.sum()} A/T and C/G variants are ambiguous" in found.report.describe()


@pytest.mark.parametrize("seed", _SEEDS)
def test_order_duplicates_and_rows_of_other_tests_change_nothing(world, tmp_path, seed):
    rng = np.random.default_rng(seed)
    table = _variants(world, rng)
    written = _written(table, rng, share=0.3).assign(TEST="ADD", variant_id=_names(table))
    expected = _read(world, tmp_path, written)
    others = written.assign(TEST="AGE", beta=0.9, p=0.0)
    again = written.sample(30, random_state=seed)
    mixed = pd.concat([written, others, again]).sample(frac=1, random_state=seed)
    found = _read(world, tmp_path, mixed)
    _equal(found, expected)
    assert found.report.skipped["with_TEST_other_than_ADD"] == len(others)
    assert found.report.skipped["listed_twice"] == 30


@pytest.mark.parametrize("seed", _SEEDS)
def test_overlapping_windows_count_once_whatever_the_order(world, tmp_path, seed):
    rng = np.random.default_rng(seed)
    written = _with_posterior(_written(_variants(world, rng)), rng)
    once = _read(world, tmp_path, written.assign(region="w"))
    windows = pd.concat(
        [
            written.assign(region=name).iloc[first : first + 90]
            for name, first in (("w1", 0), ("w2", 20), ("w3", 30))
        ]
    )
    found = _read(world, tmp_path, windows.sample(frac=1, random_state=seed))
    np.testing.assert_allclose(found.table["posterior"], once.table["posterior"])
    assert found.table["position"].tolist() == once.table["position"].tolist()
    assert found.table["locus"].nunique() == once.table["locus"].nunique() == 1
    assert found.report.posterior["trait"] == pytest.approx(1)


@pytest.mark.parametrize("seed", _SEEDS)
def test_posteriors_are_those_of_the_textbook_over_each_variant_once(world, tmp_path, seed):
    rng = np.random.default_rng(seed)
    table = _variants(world, rng)
    found = _read(world, tmp_path, pd.concat([_written(table), _written(table).head(40)])).table
    z2, shrink = (table["beta"] / table["se"]) ** 2, PRIOR_SD**2 / (PRIOR_SD**2 + table["se"] ** 2)
    factor = np.sqrt(1 - shrink) * np.exp(shrink * z2 / 2)
    expected = (factor / factor.sum()).groupby(table["position"]).sum()
    np.testing.assert_allclose(found["posterior"], expected.loc[found["position"]], rtol=1e-6)


@pytest.mark.parametrize("base", [0, 1])
def test_intervals_count_from_0_or_1_by_the_whole_file(world, tmp_path, base):
    rng = np.random.default_rng(base)
    table = _with_posterior(_variants(world, rng, indels=0.3), rng)
    start = table["position"] - 1 + base
    bed = pd.DataFrame(
        {"chr": 20, "start": start, "end": start + table["ref"].str.len() - base, "ref": table["ref"],
         "alt": table["alt"], "pip": table["pip"]}
    )  # fmt: skip
    found = _read(world, tmp_path, bed)
    assert found.report.skipped == {} and found.table["position"].tolist() == table["position"].tolist()
    assert f"start counts from {base}" in found.report.describe()
    bed.loc[bed.index[:2], "end"] = bed["start"] + 1 - base
    single = bed["ref"].str.len().eq(1) & bed["alt"].str.len().eq(1)
    bed.loc[bed.index[single][:3], "end"] = bed["start"] + base
    with pytest.raises(DataError, match="start counts from 0 in one and from 1 in the other"):
        _read(world, tmp_path, bed)


def test_an_indel_that_fits_either_way_follows_the_rest_of_the_file_or_is_left_out(world, tmp_path):
    table = _with_posterior(_variants(world, np.random.default_rng(3), indels=0.3), np.random.default_rng(3))
    deletions = table["ref"].str.len() > 1
    pip = {"pip": table["pip"]}
    ordered = _read(world, tmp_path, _written(table).assign(**pip))
    assert ordered.report.kept == len(table) and ordered.table["ref"].tolist() == table["ref"].tolist()
    swapped = _written(table, np.random.default_rng(9), share=0.5).assign(**pip)
    left_out = _read(world, tmp_path, swapped)
    assert left_out.report.skipped == {"indel_that_fits_either_way": deletions.sum()}
    named = _read(world, tmp_path, swapped.assign(variant=_names(table)))
    _equal(named, ordered)
    with_ref = _read(world, tmp_path, swapped.assign(ref=table["ref"]))
    _equal(with_ref, ordered)


def test_a_standard_error_that_is_lacking_is_that_of_p(world, tmp_path):
    table = _variants(world, np.random.default_rng(2))
    expected = _read(world, tmp_path, _written(table))
    found = _read(world, tmp_path, _written(table).drop(columns="se"))
    np.testing.assert_allclose(found.table["se"], 0.02, rtol=1e-6)
    np.testing.assert_allclose(found.table["posterior"], expected.table["posterior"], rtol=1e-6)
    assert "standard errors of 120 rows were computed" in found.report.describe()


@pytest.mark.parametrize("of_ratio", [False, True])
def test_a_standard_error_of_the_odds_ratio_is_noticed(world, tmp_path, of_ratio):
    table = _variants(world, np.random.default_rng(4))
    written = _written(table).rename(columns={"beta": "odds_ratio"})
    written["odds_ratio"] = np.exp(table["beta"]).round(4)
    if of_ratio:
        written["se"] *= written["odds_ratio"]
    found = _read(world, tmp_path, written)
    np.testing.assert_allclose(found.table["se"], 0.02, rtol=1e-6)
    assert ("the standard error of the odds ratio" in found.report.describe()) == of_ratio


def test_p_that_does_not_belong_to_beta_and_z_of_another_allele_are_warned_of(world, tmp_path):
    table = _written(_variants(world, np.random.default_rng(5)))
    assert "warning" not in _read(world, tmp_path, table).report.describe()
    said = _read(world, tmp_path, table.assign(p=table["p"] ** 3)).report.describe()
    assert "p and beta / se don't fit each other" in said
    said = _read(world, tmp_path, table.assign(z=-table["beta"] / table["se"])).report.describe()
    assert "120 of 120 rows beta and z have opposite signs" in said


def test_a_column_that_is_called_ref_and_never_is_brings_a_warning(world, tmp_path):
    table = _written(_variants(world, np.random.default_rng(6), indels=0))
    exchanged = table.rename(columns={"effect_allele": "ref", "other_allele": "alt"})
    said = _read(world, tmp_path, exchanged).report.describe()
    assert "the signs are in doubt" in said and "120 of 120 variants" in said


def _rewritten(bases, position, ref, alt, rng):
    """Write a variant another way: moved right as far as chance has it, then padded on both sides."""
    while len(ref) != len(alt) and rng.random() < 0.8:
        after = bases[position - 1 + len(ref)]
        if (ref[1:] + alt[1:])[0] != after:
            break
        position, ref, alt = position + 1, ref[1:] + after, alt[1:] + after
    left, right = rng.integers(0, 4, 2) if len(ref) != len(alt) or rng.random() < 0.2 else (0, 0)
    start, end = position - 1, position - 1 + len(ref)
    before, after = bases[start - left : start], bases[end : end + right]
    return position - left, before + ref + after, before + alt + after


def _in_other_forms(world, table, rng):
    bases = "".join("ACGTN"[code] for code in world.reference.codes("20"))
    rows = [_rewritten(bases, row.position, row.ref, row.alt, rng) for row in table.itertuples()]
    position, ref, alt = zip(*rows, strict=True)
    return table.assign(position=position, ref=ref, alt=alt)


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("posterior", [False, True])
def test_a_variant_counts_once_and_keeps_its_sign_however_it_is_written(world, tmp_path, seed, posterior):
    rng = np.random.default_rng(seed)
    table = _variants(world, rng, indels=0.6)
    table = _with_posterior(table, rng) if posterior else table
    other = _in_other_forms(world, table, rng)
    moved = other[(other["position"] != table["position"]) | (other["ref"] != table["ref"])]
    assert len(moved) > 10

    def written(rows, draws=None):
        found = _written(rows, draws, share=0.5 if draws is not None else 0).assign(ref=rows["ref"])
        return found.assign(pip=rows["pip"]) if posterior else found

    expected = _read(world, tmp_path, written(table))
    _equal(_read(world, tmp_path, written(other, np.random.default_rng(7))), expected)
    mixed = pd.concat([written(table), written(moved)]).sample(frac=1, random_state=seed)
    found = _read(world, tmp_path, mixed)
    _equal(found, expected)
    assert found.report.skipped["listed_twice"] == len(moved)
    assert found.report.changed["left_aligned_or_trimmed"] == len(moved)
    if posterior:
        assert found.report.posterior["trait"] == pytest.approx(1)
        # two windows that share variants in two forms alone
        regions = [written(rows).assign(region=name) for rows, name in ((table, "w1"), (moved, "w2"))]
        assert _read(world, tmp_path, pd.concat(regions)).table["locus"].nunique() == 1
