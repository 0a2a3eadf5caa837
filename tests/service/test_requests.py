from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest

from phenviz.app.shell import run_choices
from phenviz.attribution import Target
from phenviz.errors import JobError, PhenvizError
from phenviz.genome import Locus
from phenviz.service import KINDS, ModelService, explain, request_at
from phenviz.service.addresses import BASELINES
from phenviz.world import open_world

SITE = Locus("20", 6_000, 6_120)
# as they were written before requests wrote them themselves: links that people have kept
KEPT_LINKS = {
    "mutagenesis~20:6001-6120~Ery,Mono~~32~zero": ("mutagenesis", SITE, ("Ery", "Mono")),
    "mutagenesis~20:6001-6120~Ery~ALPHA~32~zero": ("mutagenesis", SITE, ("Ery",), "ALPHA"),
    "mutagenesis-coarse~20:6001-6120~B~~32~zero": ("mutagenesis-coarse", SITE, ("B",)),
    "saliency~20:6001-6120~B~~32~zero": ("saliency", SITE, ("B",)),
    "integrated-gradients~20:6001-6120~B~~16": ("integrated-gradients", SITE, ("B",), None, 16),
    "integrated-gradients~20:6001-6120~B~ALPHA~auto~10-shuffles": (
        "integrated-gradients", SITE, ("B",), "ALPHA", "auto", "10-shuffles",
    ),
    "saliency~20:6001-6120~~~32~zero~MCV": ("saliency", SITE, (), None, 32, "zero", "MCV"),
    "integrated-gradients~20:6001-6120~~~64~zero~MCV": (
        "integrated-gradients", SITE, (), None, 64, "zero", "MCV",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(toy_project):
    return open_world(toy_project)


@pytest.fixture
def service(world, tmp_path):
    with ModelService(world, "cpu", store=tmp_path / "store", costs=tmp_path / "costs.json") as service:
        yield service


def random_run(rng: np.random.Generator) -> tuple:
    start = int(rng.integers(0, 60_000))
    locus = Locus("20", start, start + int(rng.integers(1, 5_000)))
    method = rng.choice(["mutagenesis", "mutagenesis-coarse", "integrated-gradients", "saliency"])
    if method in ("integrated-gradients", "saliency") and rng.random() < 0.3:
        baseline = rng.choice(["zero", "mean-shuffle"])
        return str(method), locus, (), None, int(rng.integers(1, 200)), str(baseline), "MCV"
    contexts = tuple(str(name) for name in rng.permutation(["Ery", "Mono", "B"])[: rng.integers(1, 4)])
    gene = "ALPHA" if rng.random() < 0.5 else None
    steps = "auto" if rng.random() < 0.3 else int(rng.integers(1, 200))
    return str(method), locus, contexts, gene, steps, str(rng.choice(list(BASELINES)))


def test_any_run_is_the_same_after_the_way_through_its_address():
    rng = np.random.default_rng(11)
    for _ in range(200):
        request = explain(*random_run(rng))
        again = request_at(request.address)
        assert again == request and hash(again) == hash(request) and again.title == request.title


@pytest.mark.parametrize("link", KEPT_LINKS)
def test_a_link_that_somebody_kept_asks_for_the_same_run_as_ever(link):
    assert request_at(link) == explain(*KEPT_LINKS[link])


def test_the_form_offers_what_requests_know():
    assert run_choices.BASELINES == tuple(BASELINES)
    for method in run_choices.METHODS:
        assert explain(method, SITE, ("Ery",)).address.startswith(f"{method}~")


def test_a_page_opens_without_waiting_for_pytorch():
    code = "import sys, phenviz.app.explore.page; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_requests_are_not_equal():
    rng = np.random.default_rng(12)
    requests = [explain(*random_run(rng)) for _ in range(40)]
    for one in requests:
        for other in requests:
            same = type(one) is type(other) and all(
                getattr(one, field.name) == getattr(other, field.name) for field in fields(one)
            )
            assert (one == other) is same


def test_a_request_is_taken_as_it_is_and_is_the_job_that_its_parameters_ask_for(service):
    run = explain("integrated-gradients", SITE, ("Ery",), None, 4, "10-shuffles")
    asked = {"locus": "20:6,001-6,120", "target": Target(context="Ery"), "n_steps": 4}
    same = service.submit("attribute", **asked, baseline="dinucleotide", n_baselines=10)
    job = service.submit(run)
    assert job.key == same.key and job.request == run and job.request.title == run.title == "IG · Ery"
    assert service.estimate(run) == service.estimate("attribute", **same.request.given())
    assert job.result() is same.result() or job.result().identical(same.result())


def test_what_only_the_world_knows_is_checked_when_a_request_is_submitted(service):
    for wrong in (
        explain("mutagenesis", SITE, ("Nonsense",)),
        explain("mutagenesis", SITE, ("Ery",), "NOBODY"),
        explain("saliency", Locus("7", 0, 100), ("Ery",)),
    ):
        with pytest.raises(PhenvizError):
            service.estimate(wrong)
        with pytest.raises(PhenvizError):
            service.submit(wrong)


def test_a_checked_request_checked_again_is_the_same(world):
    rng = np.random.default_rng(13)
    for method, locus, contexts, _, *how in [random_run(rng) for _ in range(60)]:
        # this world knows neither genes' expression nor traits
        if contexts and locus.end < world.reference.length("20"):
            run = explain(method, locus, contexts, None, *how[:2])
            checked = run.read(world, run.given())
            assert checked.read(world, checked.given()) == checked


def test_what_a_request_does_not_keep_is_told(service, world):
    ref = world.reference.sequence(Locus("20", 6_049, 6_050)).upper()
    job = service.submit("variant_effects", variants=f"20:6050:{ref}:{ref}T", quantiles=False)
    with pytest.raises(JobError, match="asked for by its parameters"):
        service.submit(job.request)
    assert job.request.address is None and job.request.title == "Variant effects"


def test_a_request_that_no_form_makes_has_no_address(world):
    where = {"locus": SITE, "context": "Ery"}
    assert KINDS["mutagenesis_coarse"].of(world, **where).address
    assert KINDS["mutagenesis_coarse"].of(world, **where, n_windows=3).address is None
    target = {"locus": SITE, "target": "Ery"}
    assert KINDS["attribute"].of(world, **target, baseline=np.full(4, 0.25)).address is None
    assert KINDS["attribute"].of(world, **target, baseline="dinucleotide", n_baselines=3).address is None


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (("mutagenesis", SITE, (), None, 32, "zero", "MCV"), "isn't explained by changing single bases"),
        (("integrated-gradients", SITE, (), None, "auto", "zero", "MCV"), "aren't possible for a trait"),
        (("integrated-gradients", SITE, (), None, 8, "10-shuffles", "MCV"), "10 baselines aren't possible"),
        (("saliency", SITE, ()), "no context is ticked"),
    ],
)
def test_what_no_world_can_run_is_refused_at_once(run, says):
    with pytest.raises(JobError, match=says):
        explain(*run)
