from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import phenviz.data
from phenviz.attribution import control_motifs, count_motifs, find_motifs
from phenviz.data.motifs import read_motifs
from phenviz.errors import DataError, ResultError
from phenviz.results import position_coord

MOTIFS = Path(phenviz.data.__file__).parent / "embedded" / "jaspar2026.human.meme"
FIRST = 50_000
GATA1_AT = range(300, 3_600, 600)
SPI1_AT = range(600, 3_600, 600)


@pytest.fixture(scope="module")
def planted() -> xr.Dataset:
    """An attribution with noise, GATA1 (positive, every other one reversed) and SPI1 (negative)."""
    rng = np.random.default_rng(0)
    codes, track = rng.integers(0, 4, 4_000), rng.normal(0, 0.05, 4_000)
    motifs = {motif.name: motif.frequencies for motif in read_motifs(MOTIFS)}
    for name, places, sign in (("GATA1", GATA1_AT, 1), ("SPI1", SPI1_AT, -1)):
        for number, place in enumerate(places):
            bases, size = motifs[name].argmax(0), motifs[name].max(0) ** 2
            if name == "GATA1" and number % 2:
                bases, size = 3 - bases[::-1], size[::-1]
            codes[place : place + len(bases)] = bases
            track[place : place + len(bases)] = sign * size
    return xr.Dataset(
        {
            "attribution": ("position", track.astype(np.float32)),
            "reference": ("position", np.array(list("ACGT"))[codes]),
        },
        coords={"position": position_coord(np.arange(FIRST, FIRST + 4_000))},
        attrs={"target_context": "Ery"},
    )


@pytest.fixture(scope="module")
def hits(planted) -> pd.DataFrame:
    return find_motifs(planted, MOTIFS)


def overlapping(hits: pd.DataFrame, place: int) -> pd.DataFrame:
    middle = FIRST + place + 5
    return hits[(hits["start"] <= middle) & (hits["end"] > middle)]


def test_planted_motifs_are_found_named_and_oriented(hits):
    for number, place in enumerate(GATA1_AT):
        (hit,) = overlapping(hits, place).itertuples()
        assert (hit.motif, hit.strand) == ("GATA1", "+-"[number % 2])
        assert hit.score > 0
        assert hit.q_value < 0.05


def test_stretches_of_negative_attribution_are_found_with_their_sign(hits):
    for place in SPI1_AT:
        (hit,) = overlapping(hits, place).itertuples()
        assert hit.motif in ("SPI1", "SPIB")
        assert hit.score < 0


def test_hits_are_sorted_and_do_not_overlap(hits):
    assert list(hits.columns) == "start end strand motif motif_id p_value q_value score context".split()
    assert hits["p_value"].is_monotonic_increasing
    ordered = hits.sort_values("start")
    assert (ordered["end"].to_numpy()[:-1] <= ordered["start"].to_numpy()[1:]).all()
    assert set(hits["context"]) == {"Ery"}


def test_planted_motifs_are_enriched_over_random_stretches_of_the_locus(planted, hits):
    control = control_motifs(hits, planted, MOTIFS, np.random.default_rng(1))
    assert len(control) == len(hits)
    table = count_motifs(hits, control).set_index("motif")
    assert table.loc["GATA1", "hits"] == len(GATA1_AT)
    assert table.loc["GATA1", "control_hits"] <= 1
    assert table.loc["GATA1", "p_value"] < 0.05


def test_a_mutagenesis_is_searched_context_by_context(planted):
    effect = np.zeros((4_000, 4, 2), dtype=np.float32)
    reference = np.array(["ACGT".index(base) for base in planted.reference.values])
    for column, sign in enumerate((1, -1)):
        effect[..., column] = -sign * planted.attribution.values[:, None]
    effect[np.arange(4_000), reference] = 0
    dataset = xr.Dataset(
        {"effect": (("position", "allele", "context"), effect), "reference": planted.reference},
        coords={"position": planted.position, "allele": list("ACGT"), "context": ["Ery", "Mono"]},
    )
    hits = find_motifs(dataset, MOTIFS, contexts=["Mono"])
    assert set(hits["context"]) == {"Mono"}
    assert (overlapping(hits, GATA1_AT[0])["score"] < 0).all()
    with pytest.raises(ResultError, match="liver"):
        find_motifs(dataset, MOTIFS, contexts=["liver"])


def test_a_flat_track_has_no_motifs(planted):
    flat = planted.assign(attribution=planted.attribution * 0)
    assert find_motifs(flat, MOTIFS).empty
    assert control_motifs(find_motifs(flat, MOTIFS), flat, MOTIFS, np.random.default_rng(0)).empty


def test_missing_or_empty_motif_files_are_errors_in_words(tmp_path, planted):
    with pytest.raises(DataError, match="MEME"):
        find_motifs(planted, tmp_path / "none.meme")
    (tmp_path / "empty.meme").write_text("MEME version 4\n")
    with pytest.raises(DataError, match="no motif"):
        read_motifs(tmp_path / "empty.meme")


def test_a_result_of_another_kind_is_refused():
    with pytest.raises(ResultError, match="mutagenesis or an attribution"):
        find_motifs(xr.Dataset({"activity": (("context", "bin"), np.zeros((1, 2)))}), MOTIFS)


def test_motifs_behind_a_gap_lie_where_they_are(planted, hits):
    """A trait's attribution has only the bases that its gene windows see."""
    gap = slice(GATA1_AT[1] - 150, GATA1_AT[1] + 150)
    kept = planted.isel(position=np.r_[: gap.start, gap.stop : planted.sizes["position"]])
    found = find_motifs(kept, MOTIFS)
    assert overlapping(found, GATA1_AT[1]).empty
    for place in (GATA1_AT[0], *GATA1_AT[2:]):
        (hit,), (expected,) = overlapping(found, place).itertuples(), overlapping(hits, place).itertuples()
        assert (hit.motif, hit.start, hit.end) == (expected.motif, expected.start, expected.end)


def test_a_control_is_drawn_from_one_stretch(planted, hits):
    kept = planted.isel(position=np.r_[:1_000, 1_300:4_000])
    with pytest.raises(ResultError, match="has gaps"):
        control_motifs(hits, kept, MOTIFS, np.random.default_rng(0))


def test_an_attribution_of_several_contexts_is_searched_one_by_one(planted):
    both = xr.concat([planted.attribution, -planted.attribution], dim="context")
    dataset = planted.assign(attribution=both.transpose("position", "context"))
    hits = find_motifs(dataset.assign_coords(context=["Ery", "Mono"]), MOTIFS)
    signs = {hit.context: np.sign(hit.score) for hit in overlapping(hits, GATA1_AT[0]).itertuples()}
    assert signs == {"Ery": 1, "Mono": -1}
    with pytest.raises(ResultError, match="for each haplotype"):
        find_motifs(planted.assign(attribution=both.rename(context="haplotype")), MOTIFS)


def test_what_the_search_compiles_is_kept_on_disk(hits):
    from numba.core.dispatcher import Dispatcher
    from tangermeme import seqlet

    used = [each for each in vars(seqlet).values() if isinstance(each, Dispatcher) and each.signatures]
    assert used
    for function in used:
        assert list(Path(function.stats.cache_path).glob(f"seqlet.{function.__name__}-*.nbi"))


def test_the_search_can_be_warmed_up_in_a_process_of_its_own():
    subprocess.run(
        [sys.executable, "-m", "phenviz.attribution.precompile_motif_search", str(MOTIFS)], check=True
    )
