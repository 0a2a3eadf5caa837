from __future__ import annotations

from evaluation.readout import section


def test_the_section_says_what_was_chosen_and_reached():
    metric = {"value": 0.5, "interval": [0.4, 0.6], "definition": ""}
    names = ("across_genes", "across_genes_mean", "across_contexts", "specific")
    scores = {"genes": 9, "varying_genes": 7, **dict.fromkeys(names, metric)}
    tried = [
        {
            "reach": 512,
            "penalty": 10.0,
            "passes": passes,
            "across_genes": 0.5,
            "across_contexts": 0.2,
            "specific": s,
        }
        for passes, s in ((0, 0.3), (8, 0.2))
    ]
    card = {
        "config": {"heads": 4},
        "training": {
            "genes": {"training": 90, "validation": 3, "test": 9},
            "held_out": {"test": [1_000, 2_000]},
            "chosen": {"reach": 512, "penalty": 10.0, "passes": 0},
            "cross_validation": tried,
        },
        "metrics": {"test": {"readout": scores, "tss_window_baseline": scores}},
    }
    text = section(card)
    assert "within 512 bp of the TSS" in text
    assert "0.70, against 0.80" in text and "was not kept" in text
    assert "0.50 [0.40, 0.60]" in text
    assert "chr20:1,001-2,000" in text
