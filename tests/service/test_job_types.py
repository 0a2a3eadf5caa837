"""The real kinds of job on the toy world: equal to the plain functions, however they are cut into chunks."""

import dataclasses
import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from phenviz.attribution.coarse import mutagenesis_coarse_to_fine
from phenviz.attribution.gradients import integrated_gradients, saliency
from phenviz.attribution.mutagenesis import mutagenesis
from phenviz.attribution.targets import Target, reach_of_gene, resolve
from phenviz.errors import DataError, JobError, LocusError, ModelError, PhenvizError, TargetError
from phenviz.genome import Locus
from phenviz.models.predict import predict
from phenviz.models.readout import GeneReadout, save_readout
from phenviz.service import KINDS, ModelService, attribute, standard
from phenviz.service.job_params import find_context, find_contexts
from phenviz.world import open_world
from tests.toys import CONTEXTS, GAP

CHUNK = 2_048


@pytest.fixture(scope="module")
def world(toy_project):
    torch.manual_seed(1)
    backbone = open_world(toy_project).backbone
    channels = backbone.encode(torch.zeros(1, 4, 1024)).shape[1]
    readout = GeneReadout(channels, CONTEXTS, reach=2_048)
    readout.backbone_hash = backbone.weights_hash
    path = toy_project.with_name("readout.safetensors")
    save_readout(readout, path)
    project = toy_project.with_name("with_readout.yaml")
    project.write_text(toy_project.read_text() + "readout: readout.safetensors\n")
    return open_world(project)


@pytest.fixture
def small_cells(monkeypatch):
    for module, name in (
        (standard, "PREDICT_CHUNK"),
        (standard, "MUTAGENESIS_CHUNK"),
        (attribute, "ATTRIBUTE_CHUNK"),
    ):
        monkeypatch.setattr(module, name, CHUNK)


@pytest.fixture
def real_service(tmp_path, world, small_cells):
    with ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as service:
        yield service


def same(found, expected, rtol=1e-4, atol=1e-6):
    """Compare values, coordinates, and the attributes that every result has."""
    assert set(found.variables) == set(expected.variables)
    for name, variable in expected.variables.items():
        if variable.dtype.kind == "f":
            np.testing.assert_allclose(
                found[name].values, variable.values, rtol=rtol, atol=atol, err_msg=name
            )
        else:
            np.testing.assert_array_equal(found[name].values, variable.values, err_msg=name)
    for name, value in expected.attrs.items():
        if isinstance(value, float):
            assert found.attrs[name] == pytest.approx(value, rel=1e-4, abs=1e-3), name
        else:
            assert found.attrs[name] == value, name
    assert set(found.attrs) == set(expected.attrs)


@pytest.mark.parametrize(
    "text", ["chr20:5,001-12,345", "ALPHA", "chr20:49,000-50,021", "chr20:19,001-25,000"]
)
def test_prediction_in_cells_is_that_of_the_plain_function(real_service, world, text):
    locus = world.locus(text)
    same(real_service.predict(text), predict(locus, world.reference, world.backbone))


def test_contexts_come_in_the_models_order_by_any_of_their_names(real_service, world):
    found = real_service.predict("ALPHA", contexts=["CL:0000236", "erythroid"])
    same(found, predict(world.locus("ALPHA"), world.reference, world.backbone, contexts=["Ery", "B"]))


def test_contexts_share_their_chunks(real_service):
    real_service.predict("ALPHA", contexts=["Ery"])
    assert real_service.estimate("predict", locus="ALPHA").stored == 1


def test_cell_inside_a_gap_is_no_error_but_a_locus_inside_is(real_service):
    # cells of 128 bases: several lie within the gap of 700
    around = Locus("20", GAP[0] - 300, GAP[1] + 300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standard, "MUTAGENESIS_CHUNK", 128)
        effect = real_service.mutagenesis(around)["effect"]
    assert np.isnan(effect[300:-300]).all() and np.isfinite(effect[:300]).all()
    with pytest.raises(LocusError, match="only N"):
        real_service.predict(Locus("20", GAP[0] + 10, GAP[1] - 10))


@pytest.mark.parametrize("locus", [Locus("20", 3_990, 6_200), Locus("20", 7_000, 7_010)])
def test_mutagenesis_in_cells_is_that_of_the_plain_function(real_service, world, locus):
    same(real_service.mutagenesis(locus), mutagenesis(locus, world.reference, world.backbone))


def test_mutagenesis_of_a_gene_is_that_of_the_plain_function(real_service, world):
    locus = Locus("20", 5_000, 5_400)
    target = (world.annotation.gene("ALPHA"), world.readout)
    expected = mutagenesis(locus, world.reference, world.backbone, contexts=["Mono"], gene_target=target)
    same(real_service.mutagenesis(locus, contexts=["Mono"], gene="alpha"), expected)


def test_mutagenesis_out_of_a_genes_reach_is_refused_whatever_is_stored(real_service, world, monkeypatch):
    monkeypatch.setattr("phenviz.service.standard.MUTAGENESIS_CHUNK", 512)
    gene = world.annotation.gene("ALPHA")
    end = reach_of_gene(gene, world.readout, world.reference, world.backbone).end
    partly = real_service.mutagenesis(Locus("20", end - 128, end + 1_024), contexts=["Mono"], gene="ALPHA")
    assert (partly["effect"] != 0).any() and (partly["effect"].sel(position=slice(end + 1, None)) == 0).all()
    with pytest.raises(TargetError, match=r"no base of .* reaches the expression of ALPHA"):
        real_service.mutagenesis(Locus("20", end + 600, end + 700), contexts=["Mono"], gene="ALPHA")


@pytest.mark.parametrize("gene", [None, "ALPHA"])
def test_mutagenesis_from_coarse_to_fine_is_that_of_the_plain_function(real_service, world, gene):
    locus = Locus("20", 5_000, 5_300)
    how = {"window": 4, "n_windows": 2}
    target = None if gene is None else (world.annotation.gene(gene), world.readout)
    expected = mutagenesis_coarse_to_fine(
        locus,
        world.reference,
        world.backbone,
        target=Target(gene=gene, context="Mono"),
        gene_target=target,
        **how,
    )
    job = real_service.submit("mutagenesis_coarse", locus=locus, context="monocyte", gene=gene, **how)
    same(job.result(60), expected)


def test_mutagenesis_inside_a_finished_cell_comes_from_it(real_service):
    real_service.mutagenesis(Locus("20", 2 * CHUNK, 3 * CHUNK))
    inside = Locus("20", 2 * CHUNK + 100, 2 * CHUNK + 300)
    assert real_service.estimate("mutagenesis", locus=inside).stored == 1
    assert real_service.mutagenesis(inside)["position"].values.tolist() == list(
        range(inside.start + 1, inside.end + 1)
    )


@pytest.mark.parametrize(
    "locus", [Locus("20", 3_990, 13_201), Locus("20", 0, 5_000), Locus("20", 44_000, 50_021)]
)
@pytest.mark.parametrize("baseline", ["zero", "composition"])
def test_integrated_gradients_in_cells_are_those_of_the_whole_window(real_service, world, locus, baseline):
    how = {"target": Target(context="Mono"), "n_steps": 4}
    how["baseline"] = np.float32([0.3, 0.2, 0.2, 0.3]) if baseline == "composition" else baseline
    expected = integrated_gradients(locus, world.reference, world.backbone, **how)
    same(real_service.attribute(locus, **how), expected, rtol=1e-3, atol=1e-4)


def test_single_shuffles_in_cells_are_those_of_the_whole_window(real_service, world):
    locus = Locus("20", 3_990, 8_201)
    how = {"target": Target(context="Mono"), "n_steps": 2, "baseline": "dinucleotide", "n_baselines": 3}
    expected = integrated_gradients(locus, world.reference, world.backbone, **how)
    found = real_service.attribute(locus, **how)
    same(found, expected, rtol=1e-3, atol=1e-4)
    assert (found["attribution_std"] > 0).any()


def test_automatic_steps_converge_in_every_cell(real_service):
    how = {"target": Target(context="Mono"), "n_steps": "auto"}
    found = real_service.attribute(Locus("20", 3_990, 8_201), **how)
    assert found.attrs["converged"] == 1 and found.attrs["n_steps"] >= 8


def test_saliency_in_cells_is_that_of_the_whole_window(real_service, world):
    locus = Locus("20", 3_990, 9_201)
    expected = saliency(locus, world.reference, world.backbone, target=Target(context="B"))
    same(
        real_service.attribute(locus, Target(context="B cell"), method="saliency"),
        expected,
        rtol=1e-3,
        atol=1e-4,
    )


def test_attribution_of_a_gene_is_that_of_the_plain_function(real_service, world):
    locus, target = world.locus("BETA"), Target(gene="BETA", context="Ery")
    gene = (world.annotation.gene("BETA"), world.readout)
    expected = integrated_gradients(
        locus, world.reference, world.backbone, target=target, gene_target=gene, n_steps=4
    )
    found = real_service.attribute("BETA", Target(gene="beta", context="CL:0000764"), n_steps=4)
    same(found, expected)


def test_inner_cells_of_overlapping_windows_are_shared(real_service):
    how = {"target": Target(context="Mono"), "n_steps": 2}
    real_service.attribute(Locus("20", 4_000, 14_000), **how)
    # cells of 2,048 bases: four whole ones lie in both windows
    found = real_service.estimate("attribute", locus=Locus("20", 3_000, 16_000), **how).stored
    assert found == pytest.approx(4 * CHUNK / 13_000)


def test_tiles_of_a_running_attribution_are_final_and_abut(real_service, world):
    locus, how = Locus("20", 3_990, 13_201), {"target": Target(context="Mono"), "n_steps": 2}
    tiles = []
    job = real_service.submit("attribute", locus=locus, **how)
    job._tell = lambda at_once=False: tiles.append(job.partials)
    result = job.result(60)
    longest = max((parts for parts in tiles if len(parts) > 1), key=len)
    position = np.concatenate([tile["position"] for tile in longest])
    assert position.tolist() == list(range(locus.start + 1, locus.start + 1 + len(position)))
    attribution = np.concatenate([tile["attribution"] for tile in longest])
    np.testing.assert_allclose(attribution, result["attribution"][: len(position)], rtol=1e-5, atol=1e-6)


def test_cancelled_attribution_keeps_final_bases_and_goes_on_later(real_service, world):
    locus, how = Locus("20", 3_990, 13_201), {"target": Target(context="Mono"), "n_steps": 2}
    job = real_service.submit("attribute", locus=locus, **how)
    job._tell = lambda at_once=False: job.cancel() if len(job.partials) == 2 else None
    assert job.wait(60) and job.state == "cancelled"
    partial = job.partial_result()
    assert partial.attrs["complete"] == 0 and partial.attrs["end"] < locus.end
    assert 0 < real_service.estimate("attribute", locus=locus, **how).stored < 1
    result = real_service.attribute(locus, **how)
    kept = result.sel(position=partial["position"]) if "position" in result.indexes else None
    values = (
        result["attribution"].values[: partial.sizes["position"]] if kept is None else kept["attribution"]
    )
    np.testing.assert_allclose(partial["attribution"], values, rtol=1e-5, atol=1e-6)


def test_result_from_the_store_is_identical_to_the_computed_one(tmp_path, world, small_cells):
    results = []
    for _ in range(2):
        with ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as service:
            results.append(
                [
                    service.predict("ALPHA"),
                    service.mutagenesis("chr20:7,001-7,100"),
                    service.attribute("chr20:4,001-9,000", Target(context="Ery"), n_steps=2),
                ]
            )
    for computed, stored in zip(*results, strict=True):
        xr.testing.assert_identical(computed, stored)


@pytest.mark.parametrize(
    ("kind", "params", "error", "words"),
    [
        ("predict", {"locus": "NOGENE"}, LocusError, "NOGENE"),
        ("predict", {"locus": "chr20:10-5"}, LocusError, "reversed"),
        ("predict", {"locus": "ALPHA", "contexts": ["Liver"]}, TargetError, "Liver"),
        ("predict", {"locus": "ALPHA", "individual": "HG00096"}, JobError, "HG00096"),
        ("predict", {"locus": "ALPHA", "contexts": []}, TargetError, "no context was chosen"),
        ("predict", {"locus": None}, LocusError, "None is no locus"),
        ("mutagenesis", {"locus": "ALPHA", "gene": "NOGENE"}, LocusError, "NOGENE"),
        ("mutagenesis", {"locus": "ALPHA", "gene": "ALPHA", "contexts": []}, TargetError, "no context"),
        (
            "predict",
            {},
            JobError,
            "predict: missing a required argument: 'locus'; its parameters are locus, con",
        ),
        ("predict", {"locus": "ALPHA", "context": "B"}, JobError, "unexpected keyword argument 'context'"),
        ("attribute", {"locus": "ALPHA", "target": Target()}, TargetError, "names no context"),
        ("attribute", {"locus": "ALPHA", "target": "Liver"}, TargetError, "Liver"),
        ("attribute", {"locus": "ALPHA", "target": None}, TargetError, "None is no target"),
        ("trait", {"target": "Mono"}, TargetError, "names no trait"),
        ("attribute", {"locus": "ALPHA", "target": Target(trait="MCV")}, TargetError, "MCV"),
        (
            "attribute",
            {"locus": "ALPHA", "target": Target(context="B"), "method": "guess"},
            JobError,
            "guess",
        ),
        ("attribute", {"locus": "ALPHA", "target": "B", "n_steps": 0}, JobError, "0 steps"),
        ("attribute", {"locus": "ALPHA", "target": "B", "n_steps": 1.5}, JobError, "1.5 steps"),
        ("mutagenesis_coarse", {"locus": "ALPHA", "context": "B", "window": 1.5}, JobError, "1.5 bases"),
        (
            "attribute",
            {"locus": "ALPHA", "target": Target(context="B"), "n_baselines": 4},
            JobError,
            "4 baselines",
        ),
    ],
)
def test_request_that_makes_no_sense_is_refused_before_it_waits(real_service, kind, params, error, words):
    with pytest.raises(error, match=words):
        real_service.submit(kind, **params)


def test_a_target_may_be_the_name_of_a_context(real_service):
    locus, named = Locus("20", 5_003, 5_200), Target(context="Mono")
    expected = real_service.attribute(locus, named, n_steps=2)
    xr.testing.assert_identical(real_service.attribute(locus, "monocyte", n_steps=2), expected)


def test_gene_in_a_world_without_readout_is_an_error_that_says_so(tmp_path, toy_project):
    with (
        ModelService(open_world(toy_project), "cpu", store=tmp_path) as service,
        pytest.raises(ModelError, match="ALPHA needs a gene readout"),
    ):
        service.mutagenesis("ALPHA", gene="ALPHA")


def test_estimate_grows_with_the_locus(real_service):
    estimates = [
        real_service.estimate("attribute", locus=Locus("20", 300, end), target=Target(context="B"))
        for end in (5_000, 10_000, 40_000)
    ]
    assert [e.seconds for e in estimates] == sorted(e.seconds for e in estimates)
    assert [e.bytes for e in estimates] == sorted(e.bytes for e in estimates)
    assert dataclasses.asdict(estimates[0]).keys() == {"seconds", "bytes", "stored"}


def test_times_from_a_baseline_without_bases_teach_nothing_of_others(real_service):
    def flavour(baseline):
        where = {"locus": Locus("20", 300, 900), "target": Target(context="B")}
        return attribute.AttributeRequest.of(real_service.world, **where, baseline=baseline).flavour

    assert flavour("zero") == "integrated-gradients"
    assert flavour("dinucleotide") == flavour(np.full(4, 0.25)) == "integrated-gradients from bases"


def test_missing_model_is_told_when_a_job_is_asked_for(tmp_path, toy_project):
    project = toy_project.with_name("no_model.yaml")
    lines = [line for line in toy_project.read_text().splitlines() if not line.startswith("checkpoint")]
    project.write_text("\n".join(lines))
    with (
        ModelService(open_world(project), "cpu", store=tmp_path) as service,
        pytest.raises((ModelError, DataError)),
    ):
        service.predict("ALPHA")


def test_contexts_of_a_gene_come_once_each_and_by_group(real_service, world):
    asked = ["Ery", world.contexts[0].curie, "erythroid"]
    found = real_service.mutagenesis("chr20:14,001-14,020", contexts=asked, gene="BETA")
    assert found["context"].values.tolist() == ["Ery"]


def test_what_fits_several_contexts_explains_none_of_them():
    world = open_world()
    for asked in ("lymphoid", "CL:0000557"):
        assert len(find_contexts(world, asked)) > 1
        with pytest.raises(TargetError, match="explained at a time: choose one of"):
            find_context(world, asked)
        with pytest.raises(TargetError, match="fits several contexts"):
            resolve(Target(context=asked), world.backbone, None)
        gene = (world.annotation.gene("HNF4A"), world.readout)
        with pytest.raises(TargetError, match="fits several contexts"):
            resolve(Target(gene="HNF4A", context=asked), world.backbone, gene)
    assert find_context(world, "monocyte") == "Mono"


def test_positions_from_tables_are_as_good_as_plain_numbers(real_service):
    found = real_service.predict(Locus("20", np.int64(5_000), np.int64(5_256)))
    assert found.attrs["start"] == 5_000


def test_windows_of_a_global_backbone_depend_on_what_was_asked_for(world):
    """The same bases within a longer locus lie elsewhere in their window: numbers of another request."""
    inside = Locus("20", 1_000, 1_200)

    def wider(receptive_field):
        backbone = SimpleNamespace(bin_size=128, receptive_field=receptive_field)
        some = SimpleNamespace(backbone=backbone, reference=world.reference)
        return standard.MutagenesisRequest(inside, ("B",)).chunks(some)[0].wider

    assert wider(1_074) and not wider(None)


@pytest.mark.parametrize("kind", list(KINDS.kinds))
def test_parameters_of_a_wrong_type_give_an_error_that_names_them(kind, world):
    wrong = (
        "chr20:6,050 A>T",
        3.5,
        -1,
        b"x",
        None,
        object(),
        [object()],
        [],
        {"a": 1},
        ["ALPHA"],
        "Ery",
        True,
    )
    names = list(inspect.signature(KINDS[kind].of).parameters)[1:]
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(60):
        given = {name: wrong[rng.integers(len(wrong))] for name in names}
        try:
            KINDS[kind].read(world, given)
        except PhenvizError as error:
            refused += bool(str(error))
    assert refused > 30


def test_a_number_for_the_variants_of_token_effects_is_refused_in_words(world):
    with pytest.raises(PhenvizError, match=r"token_effects: variants is a float.*it takes variants: "):
        KINDS["token_effects"].read(world, {"variants": 3.5, "genes": ["ALPHA"]})
