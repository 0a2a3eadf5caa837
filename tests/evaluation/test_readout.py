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


def test_a_readout_with_data_of_its_own_says_whose_they_are_and_what_it_is_not_told_apart_in():
    def metric(value, low, high):
        return {"value": value, "interval": [low, high], "definition": ""}

    names = ("across_genes", "across_genes_mean", "within_gene", "across_contexts", "specific")
    own = {"genes": 9, "varying_genes": 7, **{name: metric(0.6, 0.5, 0.7) for name in names}}
    far = {name: metric(0.3, 0.2, 0.4) for name in names}
    mean = {name: metric(None, None, None) for name in names} | {"within_gene": metric(0.55, 0.4, 0.65)}
    chosen = {"reach": 512, "penalty": 10.0, "passes": 0}
    scores = {"across_genes": 0.5, "across_contexts": 0.2, "specific": 0.3}
    card = {
        "units": "ln(1 + normalised expression)",
        "data": "an atlas",
        "licence": "CC BY-SA 3.0",
        "citation": "Somebody 2019",
        "config": {
            "heads": 4,
            "contexts": [{"name": "liver", "group": "gut"}, {"name": "lung", "group": "lung"}],
        },
        "training": {
            "genes": {"training": 90, "validation": 3, "test": 9},
            "held_out": {"test": [["8", 1_000, 2_000]]},
            "chosen": chosen,
            "cross_validation": [{**chosen, **scores}],
        },
        "metrics": {
            "test": {
                "readout": own | {"contexts": {"liver": 0.61, "lung": 0.4}},
                "tss_window_baseline": far,
                "training_mean": mean,
            }
        },
    }
    text = section(card, "Tissue readout")
    assert text.startswith("## Tissue readout")
    assert "Learned from an atlas. Somebody 2019. Licence of the weights: CC BY-SA 3.0." in text.replace(
        "\n", " "
    )
    assert "chr8:1,001-2,000" in text and "2 contexts (gut 1, lung 1)" in text
    assert "Not told apart from the mean over training genes: across contexts, in one gene" in text
    assert "Not told apart from the TSS-window" not in text
    assert "| gut | 1 | 0.61 | 0.61 |" in text
