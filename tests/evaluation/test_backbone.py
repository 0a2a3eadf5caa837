from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.backbone import Figure, HeldOutData, as_markdown, as_table, of_kmers
from evaluation.kmers import KmerRidge, kmer_counts
from phenviz.data.blood16 import BLOOD16
from phenviz.data.reporter_sequences import reverse_complement
from phenviz.genome import decode, encode


@pytest.mark.parametrize("seed", range(5))
def test_kmers_are_counted_on_both_strands_alike(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (3, 60)).astype(np.uint8)
    codes[0, rng.integers(0, 60, 2)] = 4
    counts = np.expm1(kmer_counts(codes))
    for row, table in zip(codes, counts, strict=True):
        text = decode(row)
        found: dict[str, int] = {}
        for start in range(len(text) - 5):
            word = text[start : start + 6]
            if "N" not in word:
                key = min(word, reverse_complement(word))
                found[key] = found.get(key, 0) + 1
        np.testing.assert_allclose(sorted(table[table > 0.5]), sorted(found.values()), rtol=1e-5)
        other = encode(reverse_complement(text))
        np.testing.assert_allclose(np.expm1(kmer_counts(other[None]))[0], table, atol=1e-5)


def test_a_ridge_on_kmers_finds_a_motif():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (400, 200)).astype(np.uint8)
    codes[::2, 50:56] = [2, 0, 3, 0, 0, 2]
    value = (np.arange(400) % 2 == 0).astype(float)
    ridge = KmerRidge().fit(codes[:300], value[:300])
    assert np.corrcoef(ridge.predict(codes[300:]), value[300:])[0, 1] > 0.3


def test_the_table_has_a_column_for_each_model_and_a_dash_where_one_cannot_be_asked():
    columns = {
        "a": [Figure("x", 0.5, (0.4, 0.6)), Figure("y", None)],
        "b": [Figure("x", 0.7, (0.6, 0.8)), Figure("y", -0.1, (-0.2, 0.0))],
    }
    lines = as_markdown(as_table(columns)).splitlines()
    assert lines[2] == "| x | 0.500 [0.400, 0.600] | 0.700 [0.600, 0.800] |"
    assert lines[3] == "| y | - | −0.100 [−0.200, 0.000] |"


def test_the_baseline_is_measured_where_it_has_not_learnt(monkeypatch):
    monkeypatch.setattr("evaluation.backbone.TEST", (300_000, 500_000))
    monkeypatch.setattr("evaluation.backbone.HELD_OUT", ((200_000, 250_000), (300_000, 500_000)))
    monkeypatch.setattr("evaluation.backbone.REPEATS", 10)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, 600_000).astype(np.uint8)
    summits = np.arange(5_000, 595_000, 4_000)
    rows = []
    names = [*(context.name for context in BLOOD16), "Neuron"]
    for number, summit in enumerate(summits):
        motif = [2, 0, 3, 0, 0, 2] if number % 2 else [1, 0, 2, 1, 3, 2]
        for offset in (-60, -20, 30, 80):
            codes[summit + offset : summit + offset + 6] = motif
        for name in names[:16] if number % 2 else names[16:]:
            rows.append((name, summit - 100, summit + 100, 5.0, summit))
    peaks = pd.DataFrame(rows, columns=["context", "start", "end", "fold_enrichment", "summit"])
    texts = [decode(row) for row in rng.integers(0, 4, (60, 100)).astype(np.uint8)]
    sequences = pd.DataFrame(
        {
            "sequence": texts,
            "context": "HepG2",
            "value": [text.count("GC") for text in texts],
            "split": ["training", "test"] * 30,
        }
    )
    data = HeldOutData(codes, peaks, tuple(names), sequences)
    found = {figure.measure: figure for figure in of_kmers(data)}
    assert found["blood: any summit"].value > 0.9
    assert found["Neuron: within sites"].value > 0.9
    low, high = found["Neuron: against background"].interval
    assert low <= found["Neuron: against background"].value <= high
    assert found["lentiMPRA, HepG2"].value is not None
