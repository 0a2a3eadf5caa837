"""The job that explains a trait: equal to the plain function, and taken up where it stopped."""

import numpy as np
import pytest
from click.testing import CliRunner

from phenviz.attribution.targets import Target
from phenviz.attribution.trait import trait_integrated_gradients, trait_saliency
from phenviz.cli import main
from phenviz.errors import Cancelled, JobError, LocusError, ModelError, TargetError
from phenviz.genome import Locus
from phenviz.models.phenformer_checkpoint import save_phenformer
from phenviz.models.readout import save_readout
from phenviz.progress import NO_PROGRESS
from phenviz.results import load
from phenviz.service import ModelService, trait
from phenviz.world import open_world
from tests.attribution.oracles import toy_readout
from tests.phenformer_toys import OTHER_CONTIG, SITES, toy_phenformer
from tests.toys import CONTIGS
from tests.toys import toy_project as make_project

MCV = Target(trait="MCV")


def project_with(folder, genes=SITES):
    """Write a toy project with a gene readout and a disease model; return its path."""
    project = make_project(folder)
    backbone, readout, phenformer = open_world(project).backbone, toy_readout(), toy_phenformer(genes=genes)
    readout.backbone_hash = phenformer.backbone_hash = backbone.weights_hash
    phenformer.readout_hash = save_readout(readout, folder / "readout.safetensors")
    save_phenformer(phenformer, folder / "phenformer.safetensors", card={"training": {"cohort": "simulated"}})
    lines = "readout: readout.safetensors\nphenformer: phenformer.safetensors\n"
    project.write_text(project.read_text() + lines)
    return project


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return open_world(project_with(tmp_path_factory.mktemp("trait")))


@pytest.fixture
def make_service(tmp_path, monkeypatch):
    monkeypatch.setattr(trait, "TRAIT_CHUNK", 2_048)
    made = []

    def make(world):
        made.append(ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json"))
        return made[-1]

    yield make
    for service in made:
        service.close()


def same(found, expected):
    np.testing.assert_array_equal(found.position, expected.position)
    np.testing.assert_array_equal(found.reference, expected.reference)
    np.testing.assert_allclose(found.attribution, expected.attribution, rtol=1e-3, atol=1e-6)
    assert set(found.attrs) == set(expected.attrs)
    for name, value in expected.attrs.items():
        if name == "encoded_bases" or not isinstance(value, float):
            assert found.attrs[name] == value, name
        else:
            assert found.attrs[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize("locus", [None, Locus("20", 5_003, 6_001), "chr20:40,001-50,021"], ids=str)
@pytest.mark.parametrize("method", ["saliency", "integrated-gradients"])
def test_job_gives_what_the_plain_function_gives(make_service, world, locus, method):
    how = {"method": method} if method == "saliency" else {"method": method, "n_steps": 2}
    found = make_service(world).attribute(locus, MCV, **how)
    models = (world.reference, world.backbone, world.phenformer)
    where = world.locus(locus) if isinstance(locus, str) else locus
    if method == "saliency":
        expected = trait_saliency(*models, trait="MCV", readout=world.readout, locus=where)
    else:
        expected = trait_integrated_gradients(
            *models, trait="MCV", readout=world.readout, locus=where, n_steps=2
        )
    same(found, expected)
    assert found.attrs["cohort"] == "simulated"


@pytest.mark.parametrize("contig", ["20", "21"])
def test_windows_on_two_contigs_are_explained_one_contig_at_a_time(make_service, tmp_path, contig):
    world = open_world(project_with(tmp_path, (*SITES, OTHER_CONTIG)))
    service = make_service(world)
    with pytest.raises(TargetError, match="lie on 2 contigs"):
        service.attribute(None, MCV, method="saliency")
    locus = Locus(contig, 0, CONTIGS[contig])
    expected = trait_saliency(
        world.reference, world.backbone, world.phenformer, trait="MCV", readout=world.readout, locus=locus
    )
    same(service.attribute(locus, MCV, method="saliency"), expected)


def test_cancelled_job_goes_on_where_it_stopped_in_another_process(make_service, world):
    service = make_service(world)
    job = service.submit("trait", target=MCV, n_steps=2)
    job.subscribe(lambda job: job.cancel() if job.progress > 0.6 else None)
    with pytest.raises(Cancelled):
        job.result(60)
    service.close()
    again = make_service(world)
    stored = again.estimate("trait", target=MCV, n_steps=2).stored
    assert 0.5 < stored < 1
    same(
        again.attribute(None, MCV, n_steps=2),
        trait_integrated_gradients(
            world.reference, world.backbone, world.phenformer, trait="MCV", readout=world.readout, n_steps=2
        ),
    )
    assert make_service(world).estimate("trait", target=MCV, n_steps=2).stored == 1


def test_job_stopped_anywhere_gives_final_values_of_what_was_finished(make_service, world):
    service = make_service(world)
    whole = service.attribute(None, MCV, method="saliency")
    request = trait.TraitRequest.of(world, MCV, method="saliency")
    chunks = request.chunks(world)
    backend = service._runner._backend
    parts = [chunk.trim(chunk.compute(backend, NO_PROGRESS)) for chunk in chunks]
    first = next(number for number, part in enumerate(parts) if "attribution" in part)
    assert request.join(parts[:first]).sizes["position"] == 0
    settled = []
    for count in range(first + 1, len(parts) + 1):
        joined = request.join(parts[:count])
        np.testing.assert_array_equal(joined.position, whole.position[: joined.sizes["position"]])
        np.testing.assert_allclose(
            joined.attribution, whole.attribution[: joined.sizes["position"]], rtol=1e-5, atol=1e-8
        )
        if (chunk := request.settle(parts[:count])) is not None:
            settled.append(chunk)
    np.testing.assert_array_equal(np.concatenate([chunk.position for chunk in settled]), whole.position)


def test_traits_share_the_tokens_and_loci_their_cells(make_service, world):
    service = make_service(world)
    service.attribute(Locus("20", 4_100, 8_100), MCV, method="saliency")
    tokens = service.estimate("trait", target=Target(trait="PLT_COUNT"), method="saliency").stored
    assert tokens == pytest.approx(trait._FORWARD_UNITS / (1 + trait._FORWARD_UNITS), abs=0.01)
    inside = service.estimate("trait", target=MCV, locus=Locus("20", 5_000, 6_000), method="saliency")
    assert inside.stored == 1


def test_requests_that_make_no_sense_are_refused(make_service, world, toy_project):
    service = make_service(world)
    with pytest.raises(TargetError, match="choose among MCV"):
        service.attribute(None, Target(trait="height"))
    with pytest.raises(TargetError, match="leave gene and context out"):
        service.attribute(None, Target(trait="MCV", context="Ery"))
    with pytest.raises(TargetError, match="names no trait"):
        service.submit("trait", target=Target(context="Ery"))
    with pytest.raises(JobError, match="method"):
        service.attribute(None, MCV, method="magic")
    with pytest.raises(JobError, match="0 steps"):
        service.attribute(None, MCV, n_steps=0)
    with pytest.raises(LocusError, match="no gene"):
        service.attribute("NOGENE", MCV)
    with pytest.raises(TargetError, match="choose a locus near"):
        service.attribute(Locus("20", 30_000, 31_000), MCV)
    with pytest.raises(ModelError, match="set 'phenformer'"):
        make_service(open_world(toy_project)).attribute(None, MCV)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(trait, "TRAIT_CHUNK", 2_048)
    return lambda *arguments: CliRunner().invoke(main, ["attribute", *map(str, arguments)])


def test_command_explains_a_trait_by_all_windows_or_by_a_locus(run, world, tmp_path):
    how = ("--trait", "mcv", "--method", "saliency", "--world", world.project.path, "--device", "cpu")
    whole, part = tmp_path / "whole.zarr", tmp_path / "part.parquet"
    for arguments in ((*how, "-o", whole), ("chr20:5,001-6,000", *how, "-o", part)):
        done = run(*arguments)
        assert done.exit_code == 0, done.output
    expected = trait_saliency(
        world.reference, world.backbone, world.phenformer, trait="MCV", readout=world.readout
    )
    np.testing.assert_allclose(load(whole).attribution, expected.attribution, rtol=1e-3, atol=1e-6)
    assert load(part).position.values.tolist() == list(range(5_001, 6_001))


def test_command_integrates_with_its_defaults_as_the_function_does(run, world, tmp_path):
    out = tmp_path / "part.nc"
    how = ("--trait", "MCV", "--world", world.project.path, "--device", "cpu", "-o", out)
    done = run("chr20:5,001-6,000", *how)
    assert done.exit_code == 0, done.output
    expected = trait_integrated_gradients(
        world.reference, world.backbone, world.phenformer, trait="MCV", readout=world.readout, n_steps=32
    )
    found = load(out)
    inside = expected.attribution.sel(position=found.position)
    np.testing.assert_allclose(found.attribution, inside, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--steps", "auto"], "give a number"), (["--baselines", "3"], "3 baselines")]
)
def test_command_refuses_in_words_what_a_trait_cannot_have(run, world, tmp_path, arguments, words):
    done = run("--trait", "MCV", "--world", world.project.path, "-o", tmp_path / "out.nc", *arguments)
    assert done.exit_code == 1 and words in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--trait", "MCV", "--context", "Ery"], "leave --context and --gene out"),
        (["chr20:1-100"], "say what is explained"),
        (["--context", "Ery"], "Missing argument 'LOCUS'"),
    ],
)
def test_command_without_a_clear_target_is_wrong_usage(run, tmp_path, arguments, words):
    done = run(*arguments, "-o", tmp_path / "out.nc")
    assert done.exit_code == 2 and words in done.output
