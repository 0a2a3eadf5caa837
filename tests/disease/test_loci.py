"""Which variants are one locus: credible sets of any width, several of a region, windows that overlap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from phenviz.disease.loci import posterior_of_variants
from phenviz.disease.traits import TraitReport, make_trait_variants


def _table(rows, **columns):
    """Make a table of (region, set, position, posterior)."""
    table = pd.DataFrame(rows, columns=["region", "credible_set", "position", "posterior"])
    return table.assign(**({"trait": "t", "contig": "20", "ref": "A", "alt": "C"} | columns))


def _loci(rows):
    """Return the positions of each locus."""
    found = make_trait_variants(_table(rows), TraitReport("x"))
    assert not found.table.duplicated(["trait", "contig", "position", "ref", "alt"]).any()
    return sorted(sorted(own["position"]) for _, own in found.table.groupby("locus")), found


def test_a_credible_set_wider_than_any_clump_is_one_locus():
    wide = [("r", "1", 1_000_000 + 300_000 * n, 0.19) for n in range(5)]
    assert _loci(wide)[0] == [[row[2] for row in wide]]
    # without a name of the region only where its variants lie near one another
    near = [("", "1", 1_000_000 + 200_000 * n, 0.19) for n in range(5)]
    assert _loci(near)[0] == [[row[2] for row in near]]
    two = [("", "1", 1_000_000, 0.4), ("", "1", 2_000_000, 0.4)]
    assert _loci(two)[0] == [[1_000_000], [2_000_000]]
    # what the file doesn't call a set is clumped by distance
    assert len(_loci([(region, "", *rest) for region, _, *rest in wide])[0]) == 5


def test_two_credible_sets_of_a_region_are_two_loci_also_where_they_share_a_variant():
    rows = [
        ("r", "1", 1_000, 0.6), ("r", "1", 1_100, 0.3), ("r", "2", 1_100, 0.1), ("r", "2", 1_200, 0.8),
        ("r", "-1", 1_150, 0.01),
    ]  # fmt: skip
    for names in ({"1": "1", "2": "2"}, {"1": "L1", "2": "L2"}, {"1": "x_cs1", "2": "x_cs2"}):
        loci, found = _loci([(region, names.get(name, name), *rest) for region, name, *rest in rows])
        assert loci == [[1_000, 1_100], [1_150, 1_200]]
        shared = found.table.set_index("position")["posterior"][1_100]
        assert shared == pytest.approx(1 - 0.7 * 0.9)
        assert "listed_twice" not in found.report.skipped
        said = found.report.describe()
        assert "each tested as a signal of its own: 2; regions with several of them: 1" in said
        assert "likeliest, with the probability of being causal in any: 1 (20:1100:A:C)" in said


def test_a_posterior_that_is_the_same_in_all_sets_is_the_whole_and_counts_once():
    rows = [("r", "1", 1_000, 0.6), ("r", "1", 1_100, 0.3), ("r", "2", 1_100, 0.3), ("r", "2", 1_200, 0.8)]
    loci, found = _loci(rows)
    assert len(loci) == 2 and found.table["posterior"].sum() == pytest.approx(0.6 + 0.3 + 0.8)


@pytest.mark.parametrize(
    "names", [(1.0, 0.0), (True, False), ("1", "-1"), ("L1", ""), ("True", "False"), (1, None)]
)
def test_a_set_is_known_however_its_column_was_read(names):
    inside, outside = names
    rows = [("", inside, 1_000, 0.5), ("", inside, 150_000, 0.4), ("", inside, 300_000, 0.05)]
    loci, found = _loci([*rows, ("", outside, 2_000, 0.01), ("", outside, 5_000_000, 0.2)])
    assert loci == [[1_000, 2_000, 150_000, 300_000]]
    assert found.report.skipped == {"outside_credible_sets": 1}


def test_windows_that_overlap_join_the_sets_that_are_alike_and_no_others():
    window = {"1": [(1_000, 0.7), (1_100, 0.2)], "2": [(1_100, 0.1), (5_000, 0.8)]}
    rows = [(w, name, *row) for w in ("a", "b") for name, own in window.items() for row in own]
    loci, found = _loci(rows)
    assert loci == [[1_000, 1_100], [5_000]]
    assert found.report.skipped["listed_twice"] == 4
    assert found.table["posterior"].sum() == pytest.approx(0.7 + (1 - 0.8 * 0.9) + 0.8)


def test_a_locus_of_several_signals_that_are_not_told_apart_is_said():
    said = _loci([("r", "", 1_000, 0.9), ("r", "", 1_500, 0.8)])[1].report.describe()
    assert "several causal signals that the file doesn't tell apart, each tested as a whole: 1" in said
    assert not _loci([("r", "", 1_000, 0.9), ("r", "", 1_500, 0.1)])[1].report.notes


def test_a_set_of_ten_thousand_variants_loses_none():
    rows = [("r", "1", 1_000 + 100 * n, 1e-4) for n in range(10_000)]
    loci, found = _loci(rows)
    assert len(loci) == 1 and found.table["posterior"].sum() == pytest.approx(1) and not found.report.skipped


def _slow_posterior(own):
    """Combine the rows of one trait's variants the long way."""
    same = True
    cells = {}
    for row in own.itertuples():
        one = cells.setdefault((row.position, row.region), {})
        one[row.credible_set] = max(one.get(row.credible_set, 0.0), row.posterior)
    for sets in cells.values():
        inside = [p for name, p in sets.items() if name != "-1"]
        same &= not inside or max(inside) - min(inside) <= 1e-9
    result = {}
    for (position, _), sets in cells.items():
        value = max(sets.values())
        inside = [p for name, p in sets.items() if name != "-1"]
        if len(inside) > 1 and not same:
            value = max(value, 1 - np.prod([1 - p for p in inside]))
        result[position] = max(result.get(position, 0.0), value)
    return result


@pytest.mark.parametrize("seed", range(8))
def test_posteriors_over_sets_and_windows_are_those_of_the_plain_loop(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(80):
        where = (rng.choice(["a", "b"]), rng.choice(["-1", "1", "2", "3"]), int(rng.integers(1, 25)))
        # one posterior per variant in half of the seeds, as SuSiE's PIP
        rows.append((*where, where[2] / 30 if seed % 2 else float(rng.uniform(0, 0.5))))
    table = _table(rows, trait=rng.choice(["t", "u"], len(rows)))
    found = posterior_of_variants(table)
    for trait, own in table.groupby("trait"):
        expected = _slow_posterior(own)
        for position, value in expected.items():
            assert found[(trait, "20", position, "A", "C")] == pytest.approx(value)
    kept = make_trait_variants(table, TraitReport("x")).table
    assert (kept.groupby("trait")["posterior"].sum() <= found.groupby("trait").sum() + 1e-9).all()
