"""The Risk page without a browser."""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest

from phenviz.app.risk import risk_run
from phenviz.app.risk.page import RiskPage
from phenviz.app.risk.person_view import METHODS
from phenviz.app.risk.risk_exports import FIGURES, FORMATS
from phenviz.app.risk.risk_parts import ordinal
from phenviz.app.risk.risk_state import RiskState
from phenviz.app.shell.exports import FIGURE_FORMATS
from phenviz.app.shell.runtime import Runtime
from phenviz.errors import ResultError
from phenviz.tracks.drawn_tables import drawn_tables
from phenviz.world import open_world
from tests.app.individual.person import own_vcf
from tests.app.risk.conftest import settle
from tests.app.test_uploads import piece


def test_the_page_opens_on_somebody_scored_and_says_that_the_people_are_simulated(page):
    assert page.run.status == "done" and page.state.sample == "ann"
    assert "SIMULATED" in page._banner.object and "Not for clinical use" in page._banner.object
    assert page.state.trait == "MCV" and page.trait.value == "MCV"
    assert "ann" in page.person._head.object


def test_percentiles_are_those_of_the_job_raw_and_adjusted(page):
    part = page.person.part
    group = str(part["ancestry"].values)
    for method in METHODS:
        one = part.sel({"method": method})
        row = page.person._scores.object.split("<tr>")
        (told,) = [
            line for line in row if f">{page.person._titles[method].object[3:].split('<')[0]}</th>" in line
        ]
        expected = [
            float(one["percentile"].sel(against="all")),
            float(one["percentile"].sel(against=group)),
            float(one["percentile_adjusted"]),
        ]
        assert re.findall(r"<td>(\d+\w\w)</td>", told) == [ordinal(number) for number in expected]


def test_each_score_is_drawn_among_its_reference_people_with_the_person(page):
    reference = page.run.model.reference
    own = reference.scores[reference.scores["trait"] == "MCV"]
    for method, (groups, group, person) in page.person.distributions().items():
        assert set(groups) == set(reference.ancestries) and group in groups
        assert sum(len(values) for values in groups.values()) == len(own)
        assert person == pytest.approx(float(page.person.part.sel({"method": method})["score"]))
        assert page.person._plots[method]._person.location == person
    page.state.scale = "adjusted"
    _, _, person = page.person.distributions()["prs"]
    assert person == pytest.approx(float(page.person.part.sel({"method": "prs"})["z"]))


def test_what_the_chain_adds_up_to_is_the_difference_of_the_logit(page):
    part, chain = page.person.part, page.person.chain
    links = chain.links
    whole = float(links.loc[links["column"] == "trait", "value"].iloc[0])
    assert whole == pytest.approx(float(part["gene_contribution"].sum()), rel=1e-4, abs=1e-6)
    columns = list(dict.fromkeys(chain.boxes["column"]))
    assert columns[-4:] == ["gene", "context", "trait", "person"]
    # only what is too thin to be seen is left out
    shown = links.loc[links["column"] == "context", "value"].sum()
    assert abs(shown - whole) <= 0.02 * links["value"].abs().max() * (part.sizes["context"] + 2)


def test_the_gene_and_the_cell_type_that_add_most_are_looked_at_first(page):
    part = page.person.part
    total = np.abs(part["gene_contribution"].values)
    assert page.state.gene == part["gene"].values[total.argmax()]
    adds = np.abs(part["contribution"].sel(gene=page.state.gene).values)
    assert page.state.context == part["context"].values[adds.argmax()] == page.behind._context.value


def test_a_press_on_a_box_looks_at_the_gene_its_variants_and_the_way_to_explore(page):
    boxes = page.person.chain.boxes
    genes = boxes.loc[boxes["column"] == "gene", "key"].tolist()
    page.person._flow._callbacks[0]("gene", genes[-1])
    assert page.state.gene == genes[-1] and page.behind._gene.value == genes[-1]
    href = re.search(r"to-explore' href='([^']+)'", page.behind._links.object).group(1).replace("&amp;", "&")
    path, _, query = href.partition("?")
    values = parse_qs(query)
    assert path == "explore" and values["target"] == ["trait"] and values["trait"] == ["MCV"]
    start, end = (int(text) for text in values["locus"][0].split(":")[1].split("-"))
    tss = int(page.person.part["tss"].sel(gene=genes[-1]))
    assert start <= tss <= end


@pytest.mark.parametrize(
    ("best", "start", "linear"), [(0, None, True), (2, None, False), (0, "other", False)]
)
def test_a_transformer_that_learnt_nothing_is_told(page, best, start, linear):
    card = page.run.model.card
    changed = card | {"run": card["run"] | {"best_epoch": best}, "config": card["config"] | {"start": start}}
    model = dataclasses.replace(page.run.model, card=changed)
    assert model.is_linear is linear
    assert ("nothing beyond the linear score" in page._banner_words(model)) is linear


def test_a_variant_of_the_list_is_marked_and_opens_in_variants(page):
    for gene in page.behind._gene.names:
        page.behind._search(gene)
        if len(table := page.behind._grid._table):
            break
    page.behind._grid._heard({"row": table["key"].iloc[0]})
    key = page.state.variant
    assert key == table["key"].iloc[0]
    assert f"mark={key}" in page.behind._links.object and f"lines={key}" in page.behind._links.object
    assert page.state.query(())["variant"] == key


def test_variants_of_a_file_of_ones_own_stay_out_of_addresses(page):
    content = own_vcf(page)
    page.choice.drop._handle_msg({"begin": "me.vcf", "size": len(content)})
    page.choice.drop._handle_msg({"piece": piece(content), "name": "me.vcf", "number": 0})
    settle(page)
    assert page.run.status == "done" and page.state.source == "upload" and page.state.sample == "me"
    page.state.variant = "20:5000:A:C"
    query = page.state.query(())
    assert not {"sample", "variant"} & set(query)
    assert "5000:A:C" not in page.behind._links.object
    assert "aren't" in page.panel._facts.object or "covered" in page.panel._facts.object


def test_curves_are_those_of_the_group_and_few_cases_are_not_shown(page):
    page.state.param.update(view="model", group="EUR")
    reference = page.run.model.reference
    roc, deciles = page.model.drawn
    expected = reference.roc[(reference.roc["trait"] == "MCV") & (reference.roc["ancestry"] == "EUR")]
    pd.testing.assert_frame_equal(roc, expected)
    table = drawn_tables(page.model._roc.layout)["roc"]
    assert len(table) == expected["score"].nunique() and len(deciles)
    kept, reference.metrics["value"] = reference.metrics["value"].copy(), np.nan
    try:
        page.model._draw()
        assert "too few" in page.model._table.object and "0.600" not in page.model._table.object
    finally:
        reference.metrics["value"] = kept


def test_groups_of_cases_are_on_a_map_with_what_each_has_more_often(page):
    page.state.view = "subtypes"
    found, view = page.run.model.reference.subtypes, page.subtypes
    assert page._shown is view and page._figure.value == "subtypes"
    drawn = drawn_tables(view._map.layout)["subtypes"]
    expected = found.people[found.people["trait"] == "MCV"]
    assert drawn["group"].tolist() == expected["group"].tolist()
    assert drawn["first"].tolist() == expected["x"].tolist() and view._chart.visible
    assert "fall into 2 groups" in view._said.object and "0.90" in view._said.object
    assert "50%, OR 4.00 (1.10 to ∞), q 0.03" in view._table.object
    assert "too few" in view._table.object and "Group 2 (20)" in view._table.object
    page.state.trait = "PLT_COUNT"
    assert "Not looked for: fewer than 40 cases" in view._said.object
    assert not view._chart.visible and view._table.object == ""
    with pytest.raises(ResultError, match="no cases of this trait"):
        page._make_file(".svg")()
    page.state.trait = "MCV"
    assert "groups of cases" in page._make_file(".svg")().content.decode()
    kept = page.run.model.reference
    try:
        page.run.model.__dict__["reference"] = dataclasses.replace(kept, subtypes=None)
        view._draw()
        assert "cohort evaluate" in view._said.object and not view._chart.visible
    finally:
        page.run.model.__dict__["reference"] = kept
    page.state.view = "person"
    assert page._figure.value == "scores"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_draw_and_tables_hold_what_is_drawn(page, theme):
    page.state.theme = theme
    chain = drawn_tables(page.person._flow.layout)["risk-chain"]
    assert len(chain) == len(page.person.chain.boxes)
    cells = drawn_tables(page.behind._map.layout)["risk-contributions"]
    assert len(cells) == page.behind.leading.values.size


def test_the_address_restores_trait_person_gene_and_view(page):
    page.state.param.update(trait="PLT_COUNT", view="model", scale="adjusted", group="EUR", gene="BETA")
    query = page.state.query(page.runtime.world.contexts)
    there = RiskState()
    assert there.take(query, page.runtime.world.contexts) == []
    for name in ("trait", "view", "scale", "group", "gene", "source", "sample"):
        assert getattr(there, name) == getattr(page.state, name), name


def test_an_unknown_trait_is_refused_in_place_and_one_of_an_address_is_told(page, monkeypatch):
    page._search("no such trait")
    assert "no trait" in page.trait.message and page.state.trait == "MCV"
    page._search("plt_count")
    assert page.state.trait == "PLT_COUNT"
    said = []
    monkeypatch.setattr(page.session, "say", said.append)
    page.state.trait = "GONE"
    assert page.state.trait == "MCV" and "GONE" in said[0]


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_says_what_it_was_trained_on(page, figure):
    page._figure.value = figure
    file = page._make_file(".svg")()
    text = file.content.decode()
    assert "SIMULATED" in file.name and "SIMULATED" in text
    assert "simulated people" in text and "Not for clinical use" in text


@pytest.mark.parametrize("suffix", [one for one in FORMATS.values() if one not in FIGURE_FORMATS.values()])
def test_every_file_of_data_says_that_the_people_are_simulated(page, suffix):
    file = page._make_file(suffix)()
    assert "SIMULATED" in file.name and len(file.content) > 100


def test_a_costly_run_waits_to_be_asked_for_and_can_be_cancelled(page, monkeypatch):
    monkeypatch.setattr(risk_run, "_AT_ONCE_SECONDS", -1.0)
    page.choice.hear({"sample": "bob"})
    settle(page)
    assert page.run.status == "waiting" and "Press “Score”" in page.panel._told.object
    assert page.person.part is None and "ann" not in page.person._head.object
    with pytest.raises(ResultError, match="scored"):
        page._make_file(".nc")
    page.run.start()
    page.run.cancel()
    settle(page)
    assert page.run.status in ("cancelled", "done")
    page.run.start()
    settle(page)
    assert page.run.status == "done" and "bob" in page.person._head.object


def test_a_world_without_a_risk_model_says_how_to_get_one(toy_project):
    runtime = Runtime(open_world(toy_project), "cpu")
    page = RiskPage(runtime)
    try:
        settle(page)
        assert "no risk model" in page._empty.object and "phenviz cohort" in page._empty.object
        assert page.run.status == "no model"
    finally:
        page.session.close()
        runtime.stop()


def test_ordinals_read_as_people_say_them():
    written = {0.2: "0th", 1: "1st", 2: "2nd", 3.4: "3rd", 11: "11th", 12: "12th", 71: "71st", 99.6: "100th"}
    assert {number: ordinal(number) for number in written} == written
    assert ordinal(float("nan")) == "not known"
