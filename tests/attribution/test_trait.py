from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from phenviz.attribution import integration_paths
from phenviz.attribution.trait import trait_integrated_gradients, trait_saliency
from phenviz.attribution.trait_genes import tokens_without_bases, trait_genes
from phenviz.errors import Cancelled, LocusError, ModelError, TargetError
from phenviz.genome import Locus
from phenviz.genome.codes import LETTERS
from phenviz.models import phenformer_tokens
from phenviz.progress import Progress
from phenviz.results import base_starts, load, save, validate
from phenviz.results.files import LOADABLE_SUFFIXES
from tests.attribution.oracles import in_double, relative_error, toy_readout
from tests.phenformer_toys import OTHER_CONTIG, SITES, GlobalToy, Slow, toy_phenformer
from tests.toys import CONTIGS, GAP, write_fasta

MODES = ("sum", "pair")
PRECISIONS = {"float32": 1e-4, "float64": 1e-6}
COMPOSITION = np.array([0.3, 0.2, 0.2, 0.3])


@pytest.fixture(autouse=True)
def short_tiles(monkeypatch):
    """Several tiles even in toy windows."""
    monkeypatch.setattr(integration_paths, "CPU_TILE_BASES", 2_048)
    monkeypatch.setattr(phenformer_tokens, "default_tile_bins", lambda backbone: 16)


@pytest.fixture(scope="module")
def other_reference(toy_world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("other")
    path = write_fasta(folder / "other.fa", seed=7)
    return type(toy_world.reference)(path, assembly="toy1", cache_dir=folder)


@pytest.fixture(params=PRECISIONS)
def models(request, toy_world):
    """Backbone, readout, what casts a Phenformer to their precision, and the tolerance that goes with it."""
    cast = in_double if request.param == "float64" else lambda module: module
    return cast(toy_world.backbone), cast(toy_readout()), cast, PRECISIONS[request.param]


def on_contig(dataset, contig="20"):
    """Spread a result over its contig; 0 where it holds no base."""
    whole = np.zeros((*dataset.attribution.shape[:-1], CONTIGS[contig]), dtype=np.float64)
    whole[..., base_starts(dataset)] = dataset.attribution.values
    return whole


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("share", [True, False], ids=["shared", "separate"])
def test_saliency_is_that_of_one_graph_over_all_windows(toy_world, models, mode, share):
    backbone, readout, cast, tolerance = models
    phenformer = cast(toy_phenformer(mode))
    found = trait_saliency(
        toy_world.reference, backbone, phenformer, trait="mcv", readout=readout, share_tiles=share
    )
    slow = Slow(phenformer, toy_world.reference, backbone, readout)
    (expected,) = slow.attribution(0)
    assert relative_error(on_contig(found), expected[: CONTIGS["20"]]) <= tolerance
    assert found.attrs["target_value"] == pytest.approx(slow.value(0), rel=10 * tolerance)
    assert found.attribution.dtype == (np.float64 if tolerance < 1e-5 else np.float32)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("baseline", ["zero", COMPOSITION], ids=["zero", "composition"])
def test_integrated_gradients_are_those_of_one_graph_over_all_windows(toy_world, models, mode, baseline):
    backbone, readout, cast, tolerance = models
    phenformer = cast(toy_phenformer(mode))
    found = trait_integrated_gradients(
        toy_world.reference,
        backbone,
        phenformer,
        trait="PLT_COUNT",
        readout=readout,
        n_steps=3,
        baseline=baseline,
    )
    slow = Slow(phenformer, toy_world.reference, backbone, readout)
    start = 0.0 if isinstance(baseline, str) else baseline[None, :, None]
    (expected,) = slow.attribution(1, n_steps=3, baseline=start)
    assert relative_error(on_contig(found), expected[: CONTIGS["20"]]) <= tolerance
    assert found.attrs["n_steps"] == 3


def test_more_steps_bring_the_delta_to_zero(toy_world):
    backbone, readout = in_double(toy_world.backbone), in_double(toy_readout())
    deltas = []
    for steps in (2, 24):
        found = trait_integrated_gradients(
            toy_world.reference,
            backbone,
            in_double(toy_phenformer()),
            trait="MCV",
            readout=readout,
            n_steps=steps,
        )
        change = found.attrs["target_value"] - found.attrs["baseline_value"]
        # everything that the logit depends on is reported here
        assert float(found.attribution.sum()) - change == pytest.approx(
            found.attrs["convergence_delta"], abs=1e-9
        )
        deltas.append(abs(found.attrs["convergence_delta"] / change))
    assert deltas[1] < 0.01 and deltas[1] < deltas[0]


@pytest.mark.parametrize("method", ["saliency", "integrated gradients"])
def test_global_backbone_is_explained_window_by_window(toy_world, models, method):
    _, _, cast, tolerance = models
    backbone = cast(GlobalToy(toy_world.backbone))
    phenformer = cast(toy_phenformer("pair", expression_from="activity"))
    slow = Slow(phenformer, toy_world.reference, backbone, None)
    if method == "saliency":
        found = trait_saliency(toy_world.reference, backbone, phenformer, trait="MCV")
        (expected,) = slow.attribution(0)
    else:
        found = trait_integrated_gradients(toy_world.reference, backbone, phenformer, trait="MCV", n_steps=3)
        (expected,) = slow.attribution(0, n_steps=3)
    assert relative_error(on_contig(found), expected[: CONTIGS["20"]]) <= tolerance


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_steps", [None, 3], ids=["saliency", "integrated"])
def test_two_haplotypes_are_each_explained(toy_world, other_reference, mode, n_steps):
    backbone, readout = in_double(toy_world.backbone), in_double(toy_readout())
    phenformer = in_double(toy_phenformer(mode))
    haplotypes = (toy_world.reference, other_reference)
    how = {"trait": "MCV", "readout": readout, "haplotypes": haplotypes}
    if n_steps is None:
        found = trait_saliency(toy_world.reference, backbone, phenformer, **how)
    else:
        found = trait_integrated_gradients(toy_world.reference, backbone, phenformer, n_steps=n_steps, **how)
    assert found.attribution.dims == ("haplotype", "position")
    slow = Slow(phenformer, toy_world.reference, backbone, readout, haplotypes)
    expected = np.stack([part[: CONTIGS["20"]] for part in slow.attribution(0, n_steps=n_steps)])
    assert relative_error(on_contig(found), expected) <= 1e-6
    for row, sequence in enumerate(haplotypes):
        codes = sequence.fetch_codes("20", 0, CONTIGS["20"])[base_starts(found)]
        np.testing.assert_array_equal(found.reference[row], LETTERS[codes])


def test_haplotype_given_twice_gives_what_the_reference_gives(toy_world):
    phenformer, how = toy_phenformer("pair"), {"trait": "MCV", "readout": toy_readout()}
    models = (toy_world.reference, toy_world.backbone, phenformer)
    twice = trait_saliency(*models, haplotypes=(toy_world.reference, toy_world.reference), **how)
    np.testing.assert_array_equal(twice.attribution, trait_saliency(*models, **how).attribution)


@pytest.mark.parametrize("contig", ["20", "21"])
def test_windows_on_two_contigs_count_together_and_are_explained_one_by_one(toy_world, contig):
    backbone, readout = in_double(toy_world.backbone), in_double(toy_readout())
    phenformer = in_double(toy_phenformer(genes=(*SITES, OTHER_CONTIG)))
    how = {"trait": "MCV", "readout": readout}
    with pytest.raises(TargetError, match="lie on 2 contigs"):
        trait_saliency(toy_world.reference, backbone, phenformer, **how)
    locus = Locus(f"chr{contig}", 0, CONTIGS[contig])
    found = trait_integrated_gradients(
        toy_world.reference, backbone, phenformer, locus=locus, n_steps=2, **how
    )
    slow = Slow(phenformer, toy_world.reference, backbone, readout)
    expected = slow.attribution(0, n_steps=2)[slow.contigs.index(contig)][: CONTIGS[contig]]
    assert relative_error(on_contig(found, contig), expected) <= 1e-6
    assert "convergence_delta" not in found.attrs
    assert found.attrs["genes"] == (["DELTA"] if contig == "21" else [gene.name for gene in SITES])


@pytest.mark.parametrize(
    "locus", [Locus("20", 5_003, 6_001), Locus("20", 0, 2_100), Locus("20", 7_000, 49_000)], ids=str
)
def test_locus_cuts_the_result_and_changes_no_value(toy_world, locus):
    models = (toy_world.reference, in_double(toy_world.backbone), in_double(toy_phenformer()))
    how = {
        "trait": "MCV",
        "readout": in_double(toy_readout()),
    }
    whole = trait_saliency(*models, **how)
    part = trait_saliency(*models, locus=locus, **how)
    kept = (whole.position > locus.start) & (whole.position <= locus.end)
    np.testing.assert_array_equal(part.position, whole.position[kept])
    np.testing.assert_allclose(part.attribution, whole.attribution[kept], rtol=1e-9, atol=1e-12)
    assert part.attrs["target_value"] == pytest.approx(whole.attrs["target_value"])


def test_positions_ascend_and_unknown_bases_take_no_share(toy_world):
    found = trait_saliency(
        toy_world.reference, toy_world.backbone, toy_phenformer(), trait="MCV", readout=toy_readout()
    )
    assert (np.diff(found.position) > 0).all() and (np.diff(found.position) > 1).any()
    assert found.position[0] == 1 and found.position[-1] == CONTIGS["20"]
    assert (found.attribution.values[found.reference == "N"] == 0).all()
    gap = (found.position > GAP[0]) & (found.position <= GAP[1])
    assert gap.any() and (found.reference[gap] == "N").all()


def test_result_says_what_the_windows_shared(toy_world):
    models = (toy_world.reference, toy_world.backbone, toy_phenformer())
    how = {"trait": "MCV", "readout": toy_readout()}
    shared, separate = (trait_saliency(*models, share_tiles=share, **how).attrs for share in (True, False))
    assert separate["encoded_bases"] == separate["window_bases"] == len(SITES) * 4_096
    bases = {
        base
        for start, end in zip(shared["window_starts"], shared["window_ends"], strict=True)
        for base in range(start, end)
    }
    assert shared["encoded_bases"] == len(bases) < shared["window_bases"]


@pytest.mark.parametrize("share", [True, False], ids=["shared", "separate"])
def test_finished_stretches_join_to_the_result(toy_world, share):
    parts = []
    found = trait_integrated_gradients(
        toy_world.reference,
        toy_world.backbone,
        toy_phenformer(),
        trait="MCV",
        readout=toy_readout(),
        n_steps=2,
        share_tiles=share,
        progress=Progress(on_partial=parts.append),
    )
    assert len(parts) > 5
    np.testing.assert_array_equal(np.concatenate([part.position for part in parts]), found.position)
    np.testing.assert_array_equal(np.concatenate([part.attribution for part in parts]), found.attribution)


def test_progress_reaches_the_end_of_both_passes_and_cancel_stops(toy_world):
    seen = []
    models = (toy_world.reference, toy_world.backbone, toy_phenformer())
    how = {"trait": "MCV", "readout": toy_readout(), "n_steps": 2}
    trait_integrated_gradients(*models, progress=Progress(lambda *change: seen.append(change)), **how)
    for stage in ("reading gene tokens", "attributing"):
        fractions = [fraction for name, fraction in seen if name == stage]
        assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    event = threading.Event()
    progress = Progress(lambda stage, fraction: event.set() if fraction > 0.3 else None, cancel_event=event)
    with pytest.raises(Cancelled):
        trait_integrated_gradients(*models, progress=progress, **how)


@pytest.mark.parametrize("suffix", [".nc", ".zarr", ".parquet", ".bed", ".bw"])
def test_result_is_saved_like_any_attribution(toy_world, tmp_path, suffix):
    found = trait_saliency(
        toy_world.reference, toy_world.backbone, toy_phenformer(), trait="MCV", readout=toy_readout()
    )
    assert validate(found) == "attribution"
    save(found, tmp_path / f"out{suffix}")
    if suffix in LOADABLE_SUFFIXES:
        again = load(tmp_path / f"out{suffix}")
        np.testing.assert_array_equal(again.attribution, found.attribution)
        np.testing.assert_array_equal(again.position, found.position)
        assert again.attrs == found.attrs


def test_trait_locus_and_baseline_that_make_no_sense_are_refused(toy_world):
    models, readout = (toy_world.reference, toy_world.backbone, toy_phenformer()), toy_readout()
    with pytest.raises(TargetError, match="choose among MCV, PLT_COUNT"):
        trait_saliency(*models, trait="height", readout=readout)
    with pytest.raises(TargetError, match="choose a locus near"):
        trait_saliency(*models, trait="MCV", readout=readout, locus=Locus("20", 30_000, 31_000))
    with pytest.raises(LocusError, match="no contig"):
        trait_saliency(*models, trait="MCV", readout=readout, locus=Locus("X", 0, 10))
    with pytest.raises(ModelError, match=r"shape \(4,\)"):
        trait_integrated_gradients(*models, trait="MCV", readout=readout, baseline=np.zeros((4, 1)))
    with pytest.raises(ModelError, match="unknown baseline"):
        trait_integrated_gradients(*models, trait="MCV", readout=readout, baseline="ones")


def test_model_of_a_simulated_cohort_says_so_in_its_results(toy_world):
    phenformer = toy_phenformer()
    phenformer.card = {"training": {"cohort": "simulated"}}
    found = trait_saliency(
        toy_world.reference, toy_world.backbone, phenformer, trait="MCV", readout=toy_readout()
    )
    assert found.attrs["cohort"] == "simulated"


def test_models_keep_their_gradients_to_themselves(toy_world):
    phenformer, readout = toy_phenformer(), toy_readout()
    trait_saliency(toy_world.reference, toy_world.backbone, phenformer, trait="MCV", readout=readout)
    for module in (toy_world.backbone, phenformer, readout):
        assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backbone_kind", ["local", "global"])
def test_genes_and_their_contexts_add_up_to_the_change_of_the_logit(toy_world, mode, backbone_kind):
    backbone, readout = in_double(toy_world.backbone), in_double(toy_readout())
    if backbone_kind == "global":
        backbone, readout = in_double(GlobalToy(toy_world.backbone)), None
    source = "activity" if readout is None else "readout"
    genes = (*SITES, OTHER_CONTIG)
    phenformer = in_double(toy_phenformer(mode, genes=genes, expression_from=source))
    models = (toy_world.reference, backbone, phenformer)
    found = trait_genes(*models, trait="MCV", readout=readout, n_steps=200)
    change = found.attrs["target_value"] - found.attrs["baseline_value"]
    assert float(found.importance.sum()) == pytest.approx(change, rel=0.01)
    np.testing.assert_allclose(found.importance, found.embedding + found.expression.sum("context"))
    # windows without bases really are where the path begins
    slow = Slow(phenformer, toy_world.reference, backbone, readout)
    with torch.no_grad():
        empty = slow.logits(*(torch.zeros_like(bases) for bases in slow.bases()))
    assert found.attrs["baseline_value"] == pytest.approx(float(empty[0, 0]))
    assert found.attrs["target_value"] == pytest.approx(slow.value(0))
    assert found.gene.values.tolist() == [gene.name for gene in genes]


def test_saliency_of_genes_is_the_change_of_the_logit_for_a_small_step(toy_world):
    backbone, readout, phenformer = map(
        in_double, (toy_world.backbone, toy_readout(), toy_phenformer("pair"))
    )
    found = trait_genes(
        toy_world.reference, backbone, phenformer, trait="MCV", readout=readout, method="saliency"
    )
    reader = phenformer_tokens.TokenReader(phenformer, toy_world.reference, backbone, readout)
    tokens = phenformer_tokens.predict_tokens(phenformer, toy_world.reference, backbone, readout)
    toward = (tokens - tokens_without_bases(reader)) * 1e-6
    for gene in range(len(SITES)):
        step = torch.zeros_like(tokens)
        step[:, gene] = toward[:, gene]
        with torch.no_grad():
            change = phenformer((tokens + step)[None])[0, 0] - phenformer(tokens[None])[0, 0]
        assert float(found.importance[gene]) == pytest.approx(float(change) * 1e6, rel=1e-3, abs=1e-6)


def test_table_of_genes_is_saved_and_refuses_unknown_methods(toy_world, tmp_path):
    models, readout = (toy_world.reference, toy_world.backbone, toy_phenformer()), toy_readout()
    found = trait_genes(*models, trait="MCV", readout=readout, n_steps=2)
    for suffix in LOADABLE_SUFFIXES:
        save(found, tmp_path / f"genes{suffix}")
        np.testing.assert_allclose(load(tmp_path / f"genes{suffix}").expression, found.expression)
    with pytest.raises(ModelError, match="use one of integrated-gradients, saliency"):
        trait_genes(*models, trait="MCV", readout=readout, method="magic")
