"""A model that learnt from simulated people says so in reports of what it explains."""

from __future__ import annotations

from phenviz.app.reports.exports import _bases_in
from phenviz.app.reports.locus_report import LocusResults, locus_report
from phenviz.attribution import Target
from phenviz.figures.report import render_report
from phenviz.genome import Locus
from phenviz.service import ModelService
from phenviz.world import open_world
from tests.app.reports.parsed import check_report
from tests.risk_toys import risk_project

VIEW = Locus("20", 5_000, 9_000)


def test_what_a_trait_of_simulated_people_depends_on_is_labelled(tmp_path):
    (tmp_path / "world").mkdir()
    with ModelService(open_world(risk_project(tmp_path / "world")), "cpu", store=tmp_path / "s") as service:
        trait = service.world.traits[0]
        whole = service.attribute(None, Target(trait=trait), method="saliency")
        bases = _bases_in(whole, VIEW)
        found = LocusResults(VIEW, service.predict(VIEW), bases, focus="Ery")
        report = check_report(render_report(locus_report(service.world, found, "http://localhost:5006/", {})))
    assert "SIMULATED:" in report.text
    assert f"Bases that matter most in {trait}" in "".join(report.tables)
    file = report.file("attribution.tsv").set_index("position")["attribution"]
    own = whole["attribution"].sel(position=file.index.values).values
    assert abs(file.values - own).max() <= 1e-5 * abs(own).max()
    assert file.index.min() > VIEW.start and file.index.max() <= VIEW.end
