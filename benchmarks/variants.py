"""Variant effects: variants per second, against tangermeme and plain loops on the same model."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from tangermeme.variant_effect import substitution_effect

from benchmarks.measure import agreeing, in_a_process, in_turns, paired_ratio, seconds
from benchmarks.report import Section
from benchmarks.world import open_bench
from phenviz.effects import score_variants
from phenviz.genome import encode, one_hot
from phenviz.models.backbone import halo

OURS = "PhenViz"
FULL_WINDOW = 196_608
SEED = 20_260
BATCH = 64
_LETTERS = np.array(list("ACGT"))


def random_snvs(count: int, seed: int = SEED) -> pd.DataFrame:
    """Draw single-base variants at random places of the whole chromosome, sorted."""
    bench = open_bench()
    codes = bench.reference.codes("20")
    rng = np.random.default_rng(seed)
    drawn = np.unique(rng.integers(0, len(codes), size=2 * count))
    known = np.sort(rng.choice(drawn[codes[drawn] < 4], size=count, replace=False))
    alternates = (codes[known] + rng.integers(1, 4, size=count)) % 4
    return pd.DataFrame(
        {"contig": "20", "position": known + 1, "ref": _LETTERS[codes[known]], "alt": _LETTERS[alternates]}
    )


def run(repeats: int, quick: bool) -> Section:
    count, short, few = (4_000, 64, 1) if quick else (100_000, 512, 2)
    variants = random_snvs(count)
    if quick:
        # as dense as all of them would be
        variants = random_snvs(100_000).iloc[:count]
    # spread over all of them, so that the slower ones meet the same kind of places
    some, two = (variants.iloc[:: count // number].iloc[:number] for number in (short, few))
    kept: dict[str, pd.DataFrame] = {}

    def rate(
        name: str, table: pd.DataFrame, score: Callable[[pd.DataFrame], np.ndarray]
    ) -> Callable[[], float]:
        def measure() -> float:
            def timed() -> None:
                kept[name] = pd.DataFrame(score(table), index=table.index)

            return len(table) / seconds(timed)

        return measure

    series = in_turns(
        {
            OURS: rate(OURS, variants, phenviz_scores),
            "plain crops": rate("plain crops", some, crop_scores),
            "tangermeme, crops": rate("tangermeme, crops", some, tangermeme_scores),
            "one at a time, 196,608 bp": rate("one at a time, 196,608 bp", two, window_scores),
        },
        repeats,
    )
    rows = []
    for name, values in series.items():
        faster = "" if name == OURS else paired_ratio(series[OURS], values)
        ours = kept[OURS].loc[kept[name].index]
        difference = float((kept[name] - ours).abs().max(axis=None))
        rows.append([name, values.spread(), faster, agreeing(difference, 1e-4)])
    found = in_a_process(run="phenviz_variants", length=count)
    notes = [
        f"{count:,} single-base variants at random places of the chromosome, {kept[OURS].shape[1]} contexts: "
        f"{count / series[OURS].median:.1f} s, {found['peak'] / 1e6:,.0f} MB above the loaded model (the "
        f"result takes {2 * kept[OURS].size * 4 / 1e6:,.0f} MB). The slower ones do {short} and {few}. "
        "The difference is the largest one in log2 fold change, on the variants both did.",
        f"A plain crop holds all that the mask of a variant sees, {crop_length():,} bases, and is predicted "
        f"for both alleles in batches of {BATCH}; tangermeme's substitution_effect gets the same crops.",
    ]
    header = ["", "variants per second: median (range)", "PhenViz is faster by", "difference"]
    return Section(f"Effects of {count:,} variants", header, rows, notes)


def phenviz_scores(variants: pd.DataFrame) -> np.ndarray:
    bench = open_bench()
    return score_variants(variants, bench.reference, bench.backbone)["effect"].values


def crop_length() -> int:
    backbone = open_bench().backbone
    return 4 * backbone.bin_size + 2 * halo(backbone)


def crop_scores(variants: pd.DataFrame) -> np.ndarray:
    """Predict a crop of each allele, in batches."""
    return _scores(variants, crop_length(), BATCH)


def window_scores(variants: pd.DataFrame) -> np.ndarray:
    """Predict a window of Enformer's length for each allele of one variant after another."""
    return _scores(variants, FULL_WINDOW, 1)


def tangermeme_scores(variants: pd.DataFrame) -> np.ndarray:
    """Give tangermeme the same crops and one substitution each."""
    backbone = open_bench().backbone
    before, places = _crops(variants, crop_length())
    alternates = encode("".join(variants["alt"]))
    rows = np.stack([np.arange(len(variants)), places, alternates], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = substitution_effect(
            backbone, torch.from_numpy(before), torch.from_numpy(rows), batch_size=BATCH, device="cpu"
        )
    sums = [activity[:, :, _mask(crop_length())].sum(-1) for activity in (found.y_before, found.y_after)]
    return (torch.log2(1 + sums[1]) - torch.log2(1 + sums[0])).numpy()


def _scores(variants: pd.DataFrame, length: int, batch: int) -> np.ndarray:
    backbone, mask = open_bench().backbone, _mask(length)
    effects = np.empty((len(variants), len(backbone.contexts)), dtype=np.float32)
    for start in range(0, len(variants), batch):
        part = variants.iloc[start : start + batch]
        before, places = _crops(part, length)
        after = before.copy()
        after[np.arange(len(part)), :, places] = 0
        after[np.arange(len(part)), encode("".join(part["alt"])), places] = 1
        with torch.inference_mode():
            sums = [backbone(torch.from_numpy(one))[:, :, mask].sum(-1) for one in (before, after)]
        effects[start : start + batch] = (torch.log2(1 + sums[1]) - torch.log2(1 + sums[0])).numpy()
    return effects


def _mask(length: int) -> slice:
    first = (length // open_bench().backbone.bin_size - 4) // 2
    return slice(first, first + 4)


def _crops(variants: pd.DataFrame, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the reference around each variant, (variants, 4, length), and the variant's place in it."""
    bench = open_bench()
    size = bench.backbone.bin_size
    positions = variants["position"].to_numpy() - 1
    starts = (positions // size - 2 - _mask(length).start) * size
    codes = np.stack([bench.reference.fetch_codes("20", start, start + length) for start in starts.tolist()])
    return one_hot(codes), positions - starts
