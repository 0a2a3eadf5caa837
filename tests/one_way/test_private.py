"""Nothing about a person stays: not beside the output of a command, nor behind a verb or a page."""

from __future__ import annotations

import gc
import tempfile
import time
import weakref
from pathlib import Path

import pytest
from click.testing import CliRunner

from phenviz.app.individual.page import IndividualPage
from phenviz.cli import main
from phenviz.genome import Locus
from phenviz.service import ModelService
from phenviz.service.shared_task import Work
from phenviz.world import open_world
from tests.one_way.ways import (
    INSERTED,
    PERSON,
    SITE,
    VARIANT,
    VIEW,
    commands,
    look_at_a_person,
    score_variants_of_a_person,
    write_person,
    write_table,
)


def found_in(*folders: Path) -> list[str]:
    """Return the files that name the person, one of the variants or the inserted bases."""
    marks = [mark.encode() for mark in (PERSON, VARIANT, INSERTED, INSERTED.lower(), PERSON.lower())]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(mark in path.read_bytes() for mark in marks)]


_WORKS: weakref.WeakSet[Work] = weakref.WeakSet()


@pytest.fixture(autouse=True)
def works_are_known(monkeypatch):
    """Know all works by weak references: looking at all objects breaks tuples that other threads make."""
    make = Work.__init__

    def init(work, *arguments, **options):
        make(work, *arguments, **options)
        _WORKS.add(work)

    monkeypatch.setattr(Work, "__init__", init)


def private_works() -> int:
    """Count what is in memory of works about people."""
    gc.collect()
    return sum(work.private for work in list(_WORKS))


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_no_command_leaves_anything_about_a_person_beside_its_output(project, cache, scratch, tmp_path):
    vcf, out = write_person(project, tmp_path), tmp_path / "out"
    out.mkdir()
    asked = commands(vcf, out, write_table(project, tmp_path))
    for name in (
        "predict-vcf",
        "variants",
        "variants-gene",
        "personal",
        "expression",
        "risk",
        "report-person",
    ):
        done = CliRunner().invoke(main, [*map(str, asked[name]), "--world", str(project)])
        assert done.exit_code == 0, (name, done.output)
    assert found_in(out)
    assert found_in(cache, scratch) == [] and list((cache / "results").rglob("*.nc")) == []


def test_no_verb_of_a_notebook_leaves_anything_about_a_person(project, cache, scratch, tmp_path):
    vcf, world = write_person(project, tmp_path), open_world(project)
    with ModelService(world, "cpu") as service:
        service.personal(SITE, PERSON, individuals=vcf)
        service.personal(SITE, PERSON, individuals=vcf, mode="sum")
        service.expression("ALPHA", PERSON, individuals=vcf)
        service.risk(PERSON, individuals=vcf)
        service.variant_effects(vcf)
        ref = world.reference.sequence(Locus("20", 6_049, 6_050)).upper()
        service.both_alleles("20", 6_050, ref, ref + INSERTED, private=True)
        assert len(service.store) == 0
    assert found_in(cache, scratch) == []
    assert private_works() == 0


def test_nothing_about_a_person_outlives_the_page(project, cache, scratch, runtime):
    pages = [look_at_a_person(runtime), score_variants_of_a_person(runtime)]
    other = IndividualPage(runtime)
    other.state.param.update(locus=VIEW, settled=VIEW)
    for page in pages:
        page.session.close()
    service = runtime.service
    assert found_in(cache, scratch) == [] and len(service.store) == 0
    gone = {page.run._jobs._holder for page in pages}
    assert not gone & {job.holder for job in service._jobs.values()} and not gone & service._sessions.keys()
    # what is still being read or computed for a page goes with it, too
    other.session.close()
    assert not [job for job in service._jobs.values() if job.private] and not service._sessions
    del pages, page
    end = time.monotonic() + 30
    while (left := private_works()) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == 0
