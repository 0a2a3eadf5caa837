"""The Disease page without a browser, on the toy world and its simulated traits."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from phenviz.app.disease import evidence_view as disease_evidence
from phenviz.app.disease.disease_evidence import locus_table, variant_table
from phenviz.app.disease.disease_exports import FIGURES, FORMATS, disease_file
from phenviz.app.disease.disease_parts import arranged, interval_words, method_part, thresholds
from phenviz.app.disease.disease_state import DiseaseState
from phenviz.app.disease.page import DiseasePage
from phenviz.app.shell.runtime import Runtime
from phenviz.errors import ResultError
from phenviz.genome import Locus
from phenviz.service.disease import join_methods
from phenviz.world import open_world
from tests.app.waiting import wait
from tests.toys import CONTEXTS, draw_few, toy_project

NAMES = [context.name for context in CONTEXTS]
METHODS = ("variant", "control-shuffled")


@pytest.fixture(scope="module", autouse=True)
def small_background():
    with pytest.MonkeyPatch.context() as patch:
        draw_few(patch, 800, 150)
        yield


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    runtime = Runtime(open_world(toy_project(tmp_path_factory.mktemp("disease_page"))), "cpu").warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime, tmp_path):
    page = DiseasePage(runtime)
    page.tables._folder = tmp_path / "tables"
    page.state.param.update(methods=METHODS, permutations="1000")
    settle(page)
    yield page
    page.session.close()


def settle(page):
    def over():
        jobs = [run.job for run in (page.run, page.evidence) if run.job is not None]
        return jobs and all(job.over for job in jobs)

    wait(page, over)


def test_one_method_is_recommended_and_the_chosen_ones_are_explained(page):
    offered = page.source._methods.options
    assert [name for title, name in offered.items() if "recommended" in title] == ["sequence"]
    page.state.methods = ("sequence", "overlap")
    said = page.source._explained.object
    assert "The one to begin with" in said and "overlap with observed peaks" in said
    page.state.methods = METHODS


def test_a_method_that_a_source_cannot_feed_is_left_out_and_the_page_says_why(page):
    page.state.methods = ("variant", "s-ldsc")
    page.run.run()
    settle(page)
    assert page.run.status == "done", page.run.error
    assert "Nothing was tested by s-ldsc: it needs the summary statistics" in page._few_loci.object
    page.state.methods = METHODS


def test_what_fails_while_a_run_is_looked_up_is_told_and_can_be_tried_again(page, monkeypatch):
    """As when two threads imported the same package: the page stood there with "Press Test" for ever."""
    service = page.runtime.service

    def broken(*_words, **_how):
        raise ImportError("cannot import name 'half' from 'a_package'")

    with monkeypatch.context() as patch:
        patch.setattr(service, "estimate", broken)
        page.state.permutations = "10000"
        wait(page, lambda: page.run.status == "failed")
        assert "ImportError" in page.source._told.object
        page.state.permutations = "1000"
        wait(page, lambda: page.run.asked["permutations"] == 1000)
    page.run.run()
    settle(page)
    assert page.run.status == "done", page.run.error


def test_without_packs_the_page_opens_on_simulated_traits_and_says_so(page):
    assert page.state.source == "simulated" and page.run.status == "done"
    assert "SIMULATED" in page._banner.object
    dataset = page.run.dataset
    assert list(dataset["method"].values) == list(METHODS)
    assert all(str(name).startswith("SIMULATED") for name in dataset["trait"].values)
    assert page.state.trait in dataset["trait"].values and page.state.method == "variant"


def test_a_page_opens_on_what_the_package_brings_along_until_something_else_is_asked_for(
    page, runtime, monkeypatch
):
    for module in ("phenviz.data.packs", "phenviz.app.disease.disease_run", "phenviz.app.disease.page"):
        monkeypatch.setattr(f"{module}.has_pack", lambda _name: False)
    brought = page.run.dataset.assign_attrs(permutations=10_000, source="data pack ukbb-blood-finemap")
    monkeypatch.setitem(vars(runtime), "embedded_hypotheses", brought)
    opened = DiseasePage(runtime)
    try:
        opened.session._tick()
        assert opened.state.source == "ukbb-blood-finemap" and opened.run.from_package
        assert opened.run.dataset["method"].values.tolist() == [*METHODS] == [*opened.state.methods]
        assert opened.state.trait in brought["trait"].values and "comes with PhenViz" in opened._banner.object
        assert opened.run.status == "missing" and opened.run.job is None
        opened.state.evidence = opened.state.focus
        opened.session._tick()
        # of the server's command line nobody at a screen knows anything
        assert opened.evidence.status == "failed" and "fetch them on the left" in opened.evidence.error
        opened.state.param.update(permutations="1000", evidence="")
        opened.session._tick()
        assert not opened.run.from_package and "comes with PhenViz" not in opened._banner.object
        opened.state.permutations = "10000"
        opened.session._tick()
        assert opened.run.from_package and opened._shown is opened.map
        opened.state.prior = "effect"
        opened.session._tick()
        # what was brought along has posteriors as given
        assert not opened.run.from_package and opened._shown is opened._empty
        opened.state.prior = "flat"
        opened.session._tick()
        assert opened.run.from_package and opened._shown is opened.map
        opened.state.source = "simulated"
        opened.session._tick()
        assert not opened.run.from_package and opened.run.status != "missing"
        opened.run.cancel()
    finally:
        opened.session.close()


def test_a_page_opens_on_the_public_traits_that_were_asked_for_last(page, runtime, monkeypatch):
    # those of the fixture are made up
    assert runtime.last_hypotheses == {}
    last = {
        "source": "pics-39-traits",
        "method": METHODS,
        "permutations": 1_000,
        "seed": 0,
        "prior": "effect",
    }
    monkeypatch.setattr(runtime, "last_hypotheses", last)
    state, _problems = page._read({})
    assert (state.source, state.methods, state.permutations) == ("pics-39-traits", METHODS, "1000")
    assert state.prior == "effect"
    state, _problems = page._read({"permutations": "100000"})
    assert (state.source, state.permutations) == ("simulated", "100000")
    state, _problems = page._read({"source": "simulated"})
    assert (state.source, state.permutations) == ("simulated", "10000")


def test_a_planted_context_has_a_small_p_value(page):
    part = method_part(page.run.dataset, "variant")
    planted = [name for name in part["trait"].values if not name.endswith("nothing")]
    assert len(planted) == 2
    for name in planted:
        context = name.removeprefix("SIMULATED-")
        assert float(part["p_value"].sel(trait=name, context=context)) < 0.05


def test_the_map_shows_every_test_with_its_stars(page):
    part = method_part(page.run.dataset, "variant")
    cells = page.map._map._cells.data
    np.testing.assert_array_equal(np.asarray(cells["z"]), part["z"].values.ravel())
    for star, q in zip(cells["star"], part["q_value"].values.ravel(), strict=True):
        assert len(star) == sum(q < level for level in (0.05, 0.01, 0.001))


@pytest.mark.parametrize("order", ["traits", "contexts", "both"])
def test_rows_and_columns_fall_in_the_order_that_is_asked_for(page, order):
    trait, context = page.state.trait, page.state.focus
    part = arranged(method_part(page.run.dataset, "variant"), order, trait, context)
    if order in ("traits", "both"):
        assert (np.diff(part["z"].sel(context=context).values) <= 0).all()
    if order in ("contexts", "both"):
        assert (np.diff(part["z"].sel(trait=trait).values) <= 0).all()


def test_a_click_in_a_cell_opens_what_is_behind_it(page):
    trait = page.run.dataset["trait"].values[0]
    page.map._pick(trait, "B")
    assert (page.state.trait, page.state.focus, page.state.evidence) == (trait, "B", "B")
    settle(page)
    assert page.evidence.status == "done"
    assert page.behind.loci.view.keys and page.behind.variants.view.keys
    page.behind._choose_locus(page.behind.loci.view.keys[0])
    locus = int(page.behind.loci.view.keys[0])
    table = variant_table(page.evidence.dataset, "B")
    assert page.behind.variants.view.keys == table.loc[table["locus"] == locus, "key"].tolist()


def test_parts_of_loci_add_up_to_the_effect(page):
    page.state.evidence = page.state.focus
    settle(page)
    evidence = page.evidence.dataset
    effect = page.run.dataset["effect"].sel({"method": "variant", "trait": page.state.trait})
    np.testing.assert_allclose(
        evidence["excess"].sum("locus"), effect.sel(context=evidence["context"].values), rtol=1e-6
    )
    table = locus_table(evidence, "Ery")
    assert (np.diff(table["excess"]) <= 0).all()
    assert table["posterior"].sum() == pytest.approx(float(evidence["variant_posterior"].sum()))


@pytest.fixture
def reweighted(page):
    page.state.param.update(methods=("variant", "control-track-variance"), prior="effect")
    page.run.run()
    settle(page)
    assert page.run.status == "done", page.run.error
    yield page
    page.state.param.update(methods=METHODS, prior="flat")


def test_with_the_prior_all_that_is_on_screen_and_exported_is_reweighted_and_says_so(reweighted):
    page, dataset = reweighted, reweighted.run.dataset
    assert dataset.attrs["prior"] == "effect" and page.state.query(CONTEXTS)["prior"] == "effect"
    told = page._few_loci.object
    assert "REWEIGHTED" in told and "effect in variant. As given in control-track-variance" in told
    assert "posteriors weighed by predicted effect" in page.map._about_map.object
    for suffix, words in ((".svg", "prior effect"), (".txt", "A functional prior"), (".tsv", "effect")):
        assert words in page._make_file(suffix)().content.decode()
    page._figure.value = "qq"
    drawn = page._make_file(".svg")().content.decode()
    assert "variant, prior effect" in drawn and "track-variance, prior" not in drawn
    page.state.evidence = page.state.focus
    settle(page)
    evidence, one = page.evidence.dataset, {"method": "variant", "trait": page.state.trait}
    np.testing.assert_allclose(
        evidence["excess"].sum("locus"),
        dataset["effect"].sel(one).sel(context=evidence["context"].values),
        rtol=1e-6,
    )
    shown = page.behind.variants.view
    assert ["posterior_given", "As given", "number"] in shown.columns and shown.rows
    assert "posteriors weighed by predicted effect" in page.behind._title.object
    page._figure.value = "leave-one-out"
    assert b"prior effect" in page._make_file(".svg")().content


def test_of_a_method_that_keeps_posteriors_as_given_loci_and_variants_have_them_too(reweighted):
    page = reweighted
    page.state.param.update(method="control-track-variance", evidence=page.state.focus)
    settle(page)
    assert page.evidence.asked["prior"] == "flat"
    assert ["posterior_given", "As given", "number"] not in page.behind.variants.view.columns
    assert "posteriors as given" in page.map._about_map.object


def test_where_no_chosen_method_follows_the_prior_posteriors_are_as_given_and_the_page_says_so(page):
    page.state.param.update(methods=("overlap",), prior="effect")
    assert page.run.wanted()["prior"] == "flat" and page.state.query(CONTEXTS)["prior"] == "effect"
    assert "The null of overlap can" in page.source._weighed.object
    page.state.methods = ("variant", "overlap")
    assert page.run.wanted()["prior"] == "effect"
    assert "As given in overlap" in page.source._weighed.object
    page.state.param.update(methods=METHODS, prior="flat")
    assert page.source._weighed.object == ""


def test_loci_of_another_trait_at_the_same_place_in_memory_are_not_left_on_screen(page, monkeypatch):
    # evidence may come to lie where some lay that was let go
    monkeypatch.setattr(disease_evidence, "id", lambda _: 7, raising=False)
    for trait in page.run.dataset["trait"].values[:2]:
        page.state.param.update(trait=trait, focus="B", evidence="B")
        settle(page)
        table = locus_table(page.evidence.dataset, "B")
        assert page.behind.loci.view.keys == table["key"].astype(str).tolist()
        assert page.behind.loci.matching["lead"].tolist() == table["lead"].tolist()


def test_the_method_of_a_link_is_kept_while_others_finish_before_it(page, monkeypatch):
    whole, wanted = page.run.dataset, METHODS[1]
    part = whole.sel({"method": [METHODS[0]]}).assign_attrs(complete=0)
    status = ["running"]
    monkeypatch.setattr(type(page.run), "status", property(lambda _run: status[0]))
    page.run.dataset = part
    page.state.param.update(method=wanted, trait="")
    assert (page.state.method, page.state.trait) == (wanted, "")
    assert "still to come" in page._shown.object
    assert len(page._make_file(".svg")().content) > 1_000
    page.state.view = "methods"
    assert page._shown is page.methods
    page.state.view = "map"
    page.run.dataset = whole
    page.run.changed += 1
    assert page.state.method == wanted and page._shown is page.map
    status[0], page.run.dataset = "cancelled", part
    page.run.changed += 1
    assert page.state.method == METHODS[0]


def test_links_lead_to_the_locus_with_the_context_ticked(page):
    page.state.param.update(contexts=("Mono",), evidence="B", focus="B")
    settle(page)
    text = page.behind._links.object
    assert "explore?locus=chr20:" in text and "variants?locus=chr20:" in text
    assert "contexts=Mono,B" in text and "focus=B" in text and "origin=pasted" in text
    key = page.behind.variants.view.keys[0]
    page.behind._choose_variant(key)
    assert page.state.variant == key and f"variant={key}" in page.behind._links.object


def test_an_address_brings_everything_back():
    state = DiseaseState(
        locus=Locus("20", 0, 100), settled=Locus("20", 0, 100), contexts=tuple(NAMES),
        source="own:" + "a" * 16, prior="effect",
        methods=("accessibility", "control-shuffled"), permutations="1000", method="accessibility",
        trait="MCV",
        view="qq", order="both", evidence="Ery", variant="20:5:A:C",
    )  # fmt: skip
    again = DiseaseState()
    assert again.take(state.query(CONTEXTS), CONTEXTS) == []
    for name in (
        "source",
        "methods",
        "permutations",
        "prior",
        "method",
        "trait",
        "view",
        "order",
        "evidence",
        "variant",
    ):
        assert getattr(again, name) == getattr(state, name)


def test_an_address_with_nonsense_still_opens():
    state = DiseaseState()
    query = {"methods": "variant,banana", "permutations": "7", "view": "moon", "prior": "good"}
    problems = state.take(query, CONTEXTS)
    assert (
        len(problems) == 4 and state.prior == "flat" and state.methods == ("variant",) and state.view == "map"
    )


def test_thresholds_are_those_of_bonferroni_and_benjamini_hochberg(page):
    dataset = page.run.dataset
    bonferroni, bh = thresholds(dataset, "variant")
    p, q = (dataset[name].sel({"method": "variant"}).values.ravel() for name in ("p_value", "q_value"))
    assert bonferroni == pytest.approx(0.05 / len(p))
    assert bh == max(p[q <= 0.05])
    assert ((p <= bh) == (q <= 0.05)).all()


def test_methods_put_side_by_side_are_what_each_gives_alone(page):
    dataset = page.run.dataset
    parts = [dataset.sel({"method": [name]}) for name in METHODS]
    fewer = parts[1].isel(context=[2, 0])
    joined = join_methods([parts[0], fewer])
    assert joined["context"].values.tolist() == parts[0]["context"].values.tolist()
    np.testing.assert_array_equal(joined["z"].sel({"method": METHODS[0]}), parts[0]["z"].isel(method=0))
    other = joined["z"].sel({"method": METHODS[1]})
    assert np.isnan(other.isel(context=1)).all()
    np.testing.assert_array_equal(other.sel(context=fewer["context"]), fewer["z"].isel(method=0))


@pytest.mark.parametrize("figure", list(FIGURES))
@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_every_figure_is_exported_and_says_that_it_is_simulated(page, figure, suffix):
    page.state.evidence = page.state.focus
    settle(page)
    assert page._figure.value == "leave-one-out"
    page._figure.value = figure
    file = page._make_file(suffix)()
    assert "SIMULATED" in file.name and len(file.content) > 1_000
    if suffix == ".svg":
        assert b"SIMULATED" in file.content


def test_tables_hold_one_row_a_test_and_say_that_they_are_simulated(page):
    dataset = page.run.dataset
    for suffix, read in ((".tsv", lambda b: pd.read_csv(b, sep="\t")), (".parquet", pd.read_parquet)):
        table = read(io.BytesIO(page._make_file(suffix)().content))
        assert len(table) == int(np.isfinite(dataset["p_value"]).sum())
        assert table["simulated"].all()
    assert "SIMULATED" in page._make_file(".txt")().content.decode()
    assert set(FORMATS.values()) >= {".svg", ".pdf", ".png", ".tsv", ".parquet", ".nc", ".txt"}


def test_a_figure_of_loci_needs_a_cell_to_be_opened_first(page):
    with pytest.raises(ResultError, match="stands behind"):
        disease_file(
            page.run.dataset, ".svg", figure="leave-one-out", method="variant", trait="", context="Ery"
        )


def own_table(runtime, folder, rows=6):
    reference = runtime.world.reference
    rng = np.random.default_rng(3)
    lines = ["chromosome\tposition\tref\talt\tpip"]
    for position in rng.choice(np.arange(1_000, 18_000), rows, replace=False):
        ref = reference.sequence(Locus("20", int(position) - 1, int(position)))
        lines.append(f"20\t{position}\t{ref}\t{'C' if ref == 'A' else 'A'}\t0.5")
    lines.append("20\t5000000\tA\tC\t0.5")
    path = folder / "my_trait.tsv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_of_ones_own_is_checked_kept_tested_and_named_in_the_address(page, runtime, tmp_path):
    page._take_file(own_table(runtime, tmp_path))
    wait(page, lambda: page._report.object)
    assert page.state.source.startswith("own:")
    assert "6 of 7 rows kept" in page._report.object
    assert (
        page._reading.visible and "recognised as a table with columns of known names" in page._reading.object
    )
    assert "<td>pip</td><td>posterior</td>" in page._reading.object and "line 2: 20:" in page._reading.object
    assert page.run.status in ("waiting", "queued", "running", "done")
    page.run.run()
    settle(page)
    assert page.run.dataset["trait"].values.tolist() == ["my_trait"] and page._banner.object == ""
    assert not page._reading.visible
    address = page.state.query(CONTEXTS)
    assert page.tables.find(address["source"].removeprefix("own:")).path.name == "my_trait.tsv"
    page.source._remove()
    assert page.state.source == "simulated" and page.tables.find(address["source"][4:]) is None


def test_traits_without_a_variant_here_are_named_beside_the_others(page, runtime, tmp_path):
    path = own_table(runtime, tmp_path)
    head, *lines = path.read_text().splitlines()
    lines = [f"trait\t{head}", *(f"here\t{line}" for line in lines), "away\t7\t5\tA\tC\t0.5"]
    path.write_text("\n".join(lines) + "\n")
    kept = page.tables.keep(path, runtime.world.reference)
    page.state.source = f"own:{kept.key}"
    page.run.run()
    settle(page)
    assert page.run.dataset["trait"].values.tolist() == ["here"]
    assert "no usable variant on chr20: away." in page._banner.object


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("7\t5\tA\tC\t0.5", "none of the 1 rows of bad.tsv is a variant on chr20"),
        ("20\t5\tA\tC\t1.5", "bad.tsv, line 2, column 'posterior': it is 1.5"),
    ],
)
def test_a_table_that_cannot_be_tested_is_refused_with_the_reason_and_not_kept(page, tmp_path, line, says):
    path = tmp_path / "bad.tsv"
    path.write_text(f"chromosome\tposition\tref\talt\tpip\n{line}\n")
    page._take_file(path)
    wait(page, lambda: page.drop.failed)
    assert says in page.drop.note and str(tmp_path) not in page.drop.note
    assert not page.tables.folder.is_dir() or not list(page.tables.folder.iterdir())


def test_each_method_says_how_often_it_errs_and_where_its_intervals_come_from(page):
    said = page.map._about_map.object
    assert "of null traits at p 0.05" in said and "bootstrap of loci" in page.map._about_trait.object
    assert "normal approximation" in interval_words("gchromvar")
