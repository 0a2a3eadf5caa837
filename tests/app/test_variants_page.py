"""The Variants page without a browser, on the toy world with people in a VCF."""

from __future__ import annotations

import io
import threading
from concurrent.futures import Future

import numpy as np
import pandas as pd
import pytest

from phenviz.app.shell.runtime import Runtime
from phenviz.app.shell.state import VariantsState
from phenviz.app.variants.page import VariantsPage
from phenviz.app.variants.ranking import nearest_genes
from phenviz.app.variants.variant_exports import FORMATS
from phenviz.app.variants.variant_run import _read_file
from phenviz.effects import score_variants
from phenviz.errors import Cancelled, DataError, ResultError
from phenviz.genome import Locus
from phenviz.progress import Progress
from phenviz.results import load
from phenviz.variation import read_variants
from phenviz.world import open_world
from tests.effects.toys import write_people
from tests.toys import CONTEXTS

VIEW = Locus("20", 2_000, 9_000)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    from tests.toys import toy_project

    folder = tmp_path_factory.mktemp("variants_world")
    project = toy_project(folder)
    write_people(folder / "family.vcf", open_world(project).reference, 4, count=60)
    project.write_text(project.read_text() + "individuals: [family.vcf]\n")
    runtime = Runtime(open_world(project), "cpu", folder).warm().start()
    assert runtime.service_ready.result(300) is not None
    yield runtime
    runtime.stop()


@pytest.fixture
def page(runtime):
    page = VariantsPage(runtime)
    page.state.param.update(locus=VIEW, settled=VIEW)
    settle(page)
    yield page
    page.session.close()


def settle(page) -> None:
    page.session._tick()
    if page.run.work is not None:
        assert page.run.work.wait(300)
    page.runtime.common_effects().result(300)
    page.session._tick()


def known_effects(runtime, variants):
    return score_variants(variants, runtime.world.reference, runtime.world.backbone)["effect"].to_numpy()


def test_the_variants_of_the_view_are_ranked_by_their_largest_effect(page, runtime):
    table = page.run.table()
    assert table["position"].between(VIEW.start + 1, VIEW.end).all() and len(table) > 5
    expected = np.abs(known_effects(runtime, table)).max(axis=1)
    np.testing.assert_allclose(table["effect"].abs(), expected, rtol=1e-4, atol=1e-6)
    assert (np.diff(table["effect"].abs()) <= 0).all()
    assert table["quantile"].notna().all() and "allele_frequency" in table
    # where the effect is strongest, not the highest anywhere: contexts may have different units
    scored = page.run.effects["active"].transpose("variant", "context")
    for row in table.head(20).itertuples():
        assert row.active == pytest.approx(float(scored.isel(variant=row.row).sel(context=row.context)))


def test_missing_quantiles_are_explained(page, runtime, monkeypatch):
    assert page.run.report == ""
    coming: Future[None] = Future()
    monkeypatch.setattr(runtime, "_common", coming)
    assert page.run.report.startswith("Quantiles follow: common variants are being scored")
    coming.set_result(None)
    assert page.run.report == "No quantiles: this world has no individuals with common variants"
    failed: Future[None] = Future()
    failed.set_exception(ValueError("broken"))
    monkeypatch.setattr(runtime, "_common", failed)
    assert "couldn't be scored" in page.run.report and "broken" not in page.run.report


def test_table_volcano_and_map_show_the_same_variants(page):
    page.grid.search("|effect|>0.01")
    matching = page.grid.matching
    assert set(page.plots._volcano._points.data["key"]) == set(matching["key"])
    assert page.plots._map._keys == matching["key"].tolist()[:24]
    page.grid.sort_by("position", False)
    assert page.plots._map._keys == sorted(page.plots._map._keys, key=lambda key: int(key.split(":")[1]))
    assert page.state.filter == "|effect|>0.01" and page.state.sort == "position"


def test_pasted_lines_are_scored(page, runtime):
    reference = runtime.world.reference
    bases = [reference.sequence(Locus("20", at - 1, at)) for at in (5_000, 7_000)]
    other = ["C" if base == "A" else "A" for base in bases]
    page.state.origin = "pasted"
    page.source._lines.value = f"20:5000:{bases[0]}:{other[0]}\nchr20-7000-{bases[1]}-{other[1]}\n"
    page.source._start()
    settle(page)
    assert sorted(page.run.table()["position"]) == [5_000, 7_000]


def test_long_pasted_text_is_taken_whole_or_refused_but_never_cut(page, monkeypatch):
    lines, longest = page.source._lines, page.source._lines.max_length - 1
    assert longest >= 100_000 * len("chr20-12345678-ACGT-A")
    monkeypatch.setattr("phenviz.app.variants.variant_source._LONGEST", 30)
    page.state.param.update(origin="pasted", lines="rs7")
    lines.value = lines.value_input = "20:5000:A:C\n20:5000:A:CTTTTTTTTT"
    with pytest.raises(DataError, match="more than 30 characters: put them into a VCF"):
        page.source._start()
    assert page.state.lines == "rs7"


def test_semicolons_in_lines_of_a_vcf_separate_no_variants(page, runtime):
    bases = [runtime.world.reference.sequence(Locus("20", at - 1, at)) for at in (5_000, 6_000, 7_000)]
    first, second, third = ((base, "C" if base == "A" else "A") for base in bases)
    page.state.origin = "pasted"
    page.state.lines = (
        '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth; of all">\n'
        f"20\t5000\trs1;rs2\t{first[0]}\t{first[1]}\t.\tPASS\tDP=3;AN=5\tGT\t0|1\n"
        f"20:6000:{second[0]}:{second[1]};20:7000:{third[0]}:{third[1]}"
    )
    page.run.ask()
    settle(page)
    table = page.run.table().set_index("position")
    assert sorted(table.index) == [5_000, 6_000, 7_000] and table.loc[5_000, "id"] == "rs1;rs2"


def test_an_rsid_of_the_worlds_individuals_is_found(runtime, page, monkeypatch):
    ref = runtime.world.reference.sequence(Locus("20", 4_999, 5_000))
    place = ("20", 4_999, ref, "C" if ref == "A" else "A")
    known = {"rs7": place}
    monkeypatch.setattr("phenviz.variation.rsids.find_rsid", lambda path, rsid: known.get(rsid))
    page.state.param.update(origin="pasted", lines="rs7")
    page.run.ask()
    settle(page)
    assert page.run.table()["id"].tolist() == ["rs7"]
    page.state.lines = "rs7\nrs8"
    page.run.ask()
    settle(page)
    assert page.run.table()["id"].tolist() == ["rs7"] and "line 2 (rs8)" in page.run.left_out


def test_a_line_that_is_no_variant_is_named(page):
    base = page.runtime.world.reference.sequence(Locus("20", 4_999, 5_000))
    page.state.param.update(origin="pasted", lines=f"20:5000:{base}:N\nnonsense\n20:7:7:7")
    page.run.ask()
    settle(page)
    assert page.run.status == "done" and page.run.table()["position"].tolist() == [5_000]
    told = page.source._told.object
    assert "line 2 (nonsense): can&#x27;t read" in told and "line 3 (20:7:7:7)" in told
    page.state.lines = "nonsense"
    page.run.ask()
    page.run.work.wait(300)
    page.session._tick()
    assert page.run.status == "failed" and "line 1 (nonsense)" in page.run.work.error
    assert "Failed" in page.source._told.object


def test_a_file_of_the_server_is_scored_whole(page, runtime):
    page.state.origin = "file:family.vcf"
    page.run.ask()
    settle(page)
    assert len(page.run.table()) == len(
        read_variants(runtime.folder / "family.vcf", runtime.world.reference).table
    )


def test_a_file_that_is_not_offered_is_not_read(page):
    page.state.origin = "file:../../etc/passwd"
    assert page.run.status in ("empty", "done") and page.run._wanted() is None


def test_too_many_variants_are_refused_with_the_way_out(page, monkeypatch):
    monkeypatch.setattr("phenviz.app.variants.variant_run.MOST_VARIANTS", 3)
    page.run.ask()
    page.run.work.wait(300)
    assert page.run.status == "failed" and "zoom in, or give fewer" in page.run.work.error


def test_a_file_with_too_many_variants_is_read_no_further(page, monkeypatch):
    monkeypatch.setattr("phenviz.app.variants.variant_run.MOST_VARIANTS", 8)
    monkeypatch.setattr("phenviz.app.variants.variant_run._CHUNK", 5)
    page.state.origin = "file:family.vcf"
    page.run.ask()
    page.run.work.wait(300)
    assert page.run.error.startswith("family.vcf holds more than 8 variants")
    assert "(10 in its first 10 records): give a file of the region" in page.run.error


def test_reading_a_file_ends_when_it_is_cancelled(runtime):
    cancel = threading.Event()
    progress = Progress(on_change=lambda _stage, _fraction: cancel.set(), cancel_event=cancel)
    with pytest.raises(Cancelled):
        _read_file(runtime.folder / "family.vcf", runtime.world.reference, progress)


def test_a_file_read_in_pieces_is_as_one_read_at_once(runtime, tmp_path, monkeypatch):
    monkeypatch.setattr("phenviz.app.variants.variant_run._CHUNK", 3)
    lines = (runtime.folder / "family.vcf").read_text().splitlines(keepends=True)
    twice = [line for line in lines for _ in range(1 if line.startswith("#") else 2)]
    path = tmp_path / "twice.vcf"
    for content in (lines, twice, [line for line in lines if line.startswith("#")]):
        path.write_text("".join(content))
        found = _read_file(path, runtime.world.reference, Progress())
        whole = read_variants(path, runtime.world.reference)
        pd.testing.assert_frame_equal(found.table, whole.table)
        for name in ("source", "read", "kept", "left_aligned", "skipped"):
            assert getattr(found.report, name) == getattr(whole.report, name), name


def test_one_variant_is_shown_with_its_effects_genes_and_carriers(page, runtime):
    key = page.grid.view.keys[0]
    page.grid.view._handle_msg({"row": key})
    assert page.state.variant == key and page.shows_one
    row = page.run.table().iloc[0]
    assert page.state.focus == row["context"]
    np.testing.assert_allclose(
        page.view._forest._points.data["x"], known_effects(runtime, page.run.table().iloc[:1])[0], rtol=1e-4
    )
    counts = page.view._count(key)
    people = runtime.world.individuals.genotypes(Locus("20", int(row["position"]) - 1, int(row["position"])))
    at = np.flatnonzero(
        (people.variants["position"] == row["position"]) & (people.variants["alt"] == row["alt"])
    )
    assert counts["allele_count"].sum() == (people.alleles[at] == 1).sum()
    assert "ALPHA" in page.view._genes.object
    page._choose("")
    assert not page.shows_one


def test_what_is_exported_is_the_filtered_table_with_every_context(page):
    page.grid.search("effect>0")
    file = page._make_file(".tsv")()
    table = pd.read_csv(io.BytesIO(file.content), sep="\t", comment="#")
    shown = page.grid.matching
    assert table["position"].tolist() == shown["position"].tolist()
    assert table["gene"].tolist() == shown["gene"].tolist() and "allele_frequency" in table
    largest = table[["effect.Ery", "effect.Mono", "effect.B"]].abs().max(axis=1)
    np.testing.assert_allclose(largest, shown["effect"].abs(), rtol=1e-4)
    assert file.content.startswith(b"# effects of variants (toy1)") and b"# model: " in file.content


@pytest.mark.parametrize("suffix", [".parquet", ".nc"])
def test_an_exported_result_reads_back_as_it_was(page, suffix, tmp_path):
    page.grid.search("effect>0")
    path = tmp_path / f"back{suffix}"
    path.write_bytes(page._make_file(suffix)().content)
    back, shown = load(path), page.grid.matching
    assert back["position"].values.tolist() == shown["position"].tolist()
    np.testing.assert_allclose(np.abs(back["effect"]).max("context"), shown["effect"].abs(), rtol=1e-4)
    assert back.attrs["model"] == page.run.effects.attrs["model"]


@pytest.mark.parametrize("one", [False, True])
def test_every_format_holds_the_list_or_the_one_variant_on_screen(page, one):
    if one:
        page.grid.view._handle_msg({"row": page.grid.view.keys[1]})
    files = {suffix: page._make_file(suffix)() for suffix in FORMATS.values()}
    assert files[".svg"].content.startswith(b"<?xml") and files[".pdf"].content.startswith(b"%PDF")
    # one line per variant, after the column names
    rows = [line for line in files[".tsv"].content.splitlines() if not line.startswith(b"#")][1:]
    assert len(rows) == (1 if one else len(page.grid.matching))
    word = b"quantile" if one else b"Effects of variants"
    assert word in files[".svg"].content


def test_a_filter_that_leaves_nothing_is_told_instead_of_an_empty_file(page):
    page.grid.search("effect>1000")
    with pytest.raises(ResultError, match="change the filter"):
        page._make_file(".tsv")()


def test_the_nearest_gene_is_the_one_with_the_fewest_bases_between(runtime):
    annotation = runtime.world.annotation
    rng = np.random.default_rng(0)
    places = pd.DataFrame(
        {"contig": rng.choice(["20", "chr21", "X"], 300), "position": rng.integers(1, 45_000, 300)}
    )
    names, distance = nearest_genes(places, annotation)
    for (contig, position), name, gap in zip(places.itertuples(index=False), names, distance, strict=True):
        genes = annotation.genes[annotation.genes["contig"] == contig.removeprefix("chr")]
        if genes.empty:
            assert name == "" and np.isnan(gap)
            continue
        slow = [
            0 if start < position <= end else min(abs(position - 1 - start), abs(position - end))
            for start, end in zip(genes["start"], genes["end"], strict=True)
        ]
        assert abs(gap) == min(slow) and slow[genes["gene_name"].tolist().index(name)] == min(slow)


def test_an_address_brings_back_the_list_and_the_variant():
    state = VariantsState(
        locus=VIEW, settled=VIEW, contexts=("Ery",), focus="Ery", origin="pasted",
        lines="20:5:A:C\nrs6116042", variant="20:5:A:C", filter="|effect|>0.1", sort="-effect",
    )  # fmt: skip
    again = VariantsState()
    assert again.take(state.query(CONTEXTS), CONTEXTS) == []
    for name in ("contexts", "focus", "origin", "lines", "variant", "filter", "sort"):
        assert getattr(again, name) == getattr(state, name), name


def test_a_reload_keeps_filter_and_sorting(runtime, monkeypatch):
    address = {"filter": "|effect|>0.01", "sort": "-position"}
    monkeypatch.setattr("phenviz.app.shell.page.arguments_of_address", lambda: address)
    page = VariantsPage(runtime)
    assert (page.state.filter, page.state.sort) == ("|effect|>0.01", "-position")
    assert (page.grid.filter, page.grid.sort) == ("|effect|>0.01", "-position")
    page.session.close()


def test_an_address_holds_of_a_vcf_line_what_describes_the_variant():
    info = ";".join(f"AF_{number}=0.5" for number in range(300))
    state = VariantsState(
        locus=VIEW, settled=VIEW, origin="pasted",
        lines=f"##source=x;y\n20\t5\trs1;rs2\tA\tC\t.\tPASS\t{info}\tGT\t0|1\nrs7;20:6:A:C\n",
    )  # fmt: skip
    again = VariantsState()
    again.take(state.query(CONTEXTS), CONTEXTS)
    assert again.lines == "20\t5\trs1;rs2\tA\tC\nrs7\n20:6:A:C"


def test_an_address_with_semicolons_between_lines_of_a_vcf_opens():
    state = VariantsState()
    state.take({"lines": "20\t5\t.\tA\tC;20\t6\trs1;rs2\tA\tC"}, CONTEXTS)
    assert state.lines == "20\t5\t.\tA\tC\n20\t6\trs1;rs2\tA\tC"


def test_variants_that_nobody_carries_are_left_out_of_a_region_and_counted(page, runtime):
    people = runtime.world.individuals
    counts = people.allele_counts(VIEW, by=None)
    counts = counts[counts["position"].between(VIEW.start + 1, VIEW.end)]
    by_nobody = int((counts["allele_count"] == 0).sum())
    assert by_nobody and len(page.run.table()) == len(counts) - by_nobody
    assert page.run.left_out.startswith(f"{by_nobody} variants of the file left out that none")
    assert page.run.left_out in page.source._told.object
