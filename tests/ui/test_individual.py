"""A person's genome in a real browser on the real world."""

from __future__ import annotations

import gzip
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from phenviz.data.embedded_world import embedded_project

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

VIEW = "individual?locus=chr20:3768001-3786000"


def wait_until_done(page) -> None:
    page.locator("[data-testid=person-status][data-state=done]").wait_for(state="attached")


def some_vcf(path: Path, sample: str = "HG00099") -> Path:
    """Write one embedded individual's variants of a few kilobases under another name."""
    source = embedded_project().individuals[0]
    lines = []
    with gzip.open(source, "rt") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#CHROM"):
                column = fields.index(sample)
                lines.append("\t".join([*fields[:9], "my_own_genome"]))
            elif line.startswith("#"):
                lines.append(line.rstrip("\n"))
            elif 3_768_000 < int(fields[1]) < 3_786_000:
                lines.append("\t".join([*fields[:9], fields[column]]))
            elif int(fields[1]) > 3_786_000:
                break
    path.write_text("\n".join(lines) + "\n")
    return path


def uploads() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("phenviz-upload-*"))


def test_somebody_is_shown_with_variants_ranked_by_effect(open_page):
    page = open_page(VIEW + "&sample=HG00099")
    wait_until_done(page)
    rows = page.get_by_test_id("person-variants").locator("tbody tr")
    expect(rows).to_have_count(31)
    effects = [
        abs(float(text.replace("\N{MINUS SIGN}", "-")))
        for text in rows.locator("td.effect").all_inner_texts()
    ]
    assert effects == sorted(effects, reverse=True) and effects[0] > 0.1
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('haplotypes') != null")


def test_a_click_on_a_variant_zooms_there_and_draws_both_logos(open_page):
    page = open_page(VIEW + "&sample=HG00099")
    wait_until_done(page)
    page.get_by_test_id("person-variants").locator("tbody tr[data-key^='20:3778676']").click()
    page.get_by_test_id("logos").wait_for()
    expect(page.get_by_test_id("view-length")).to_have_text("2 kb")
    page.wait_for_function(
        "() => ['logo-ref', 'logo-alt'].every(name => Bokeh.documents[0].get_model_by_name(name) != null)"
    )
    page.wait_for_url(re.compile("variant=20:3778676"))
    page.reload()
    page.get_by_test_id("logos").wait_for()


@pytest.mark.parametrize("key", ["click", "Enter"])
def test_the_row_that_is_pressed_is_the_variant_that_is_opened(open_page, key):
    page = open_page(VIEW + "&sample=HG00099")
    wait_until_done(page)
    table = page.get_by_test_id("person-variants")
    expect(table.locator("td.effect").first).not_to_have_text("")
    row = table.locator("tbody tr").nth(1)
    position = row.locator("td").first.inner_text()
    row.click() if key == "click" else row.press(key)
    page.wait_for_url(re.compile(f"variant=20:{position.replace(',', '')}:"))
    chosen = table.locator("tr.chosen")
    expect(chosen.locator("td").first).to_have_text(position)
    expect(chosen).to_be_focused()


def test_figure_and_data_on_screen_are_exported(open_page):
    page = open_page(VIEW + "&sample=HG00099")
    wait_until_done(page)
    # effects come after the genotypes, and the table with them
    expect(page.get_by_test_id("person-variants").locator("td.effect").first).not_to_have_text("")
    for item, begin in (
        ("SVG", b"<?xml"),
        ("PDF", b"%PDF"),
        ("FASTA", b">HG00099|haplotype_1|"),
        ("TSV", b"#"),
    ):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=re.compile(f"^{item}(?!, expression)")).click()
        assert download.value.path().read_bytes().startswith(begin)
        assert download.value.suggested_filename.startswith("phenviz_HG00099_chr20_3768001-3786000")


def test_people_are_found_by_name_and_the_address_keeps_them(open_page):
    page = open_page(VIEW)
    page.get_by_test_id("person-search").fill("hg00103")
    page.get_by_test_id("person-HG00103").click()
    page.wait_for_url(re.compile("sample=HG00103"))
    wait_until_done(page)
    page.reload()
    expect(page.get_by_test_id("person-HG00103")).to_have_attribute("aria-pressed", "true")


def test_both_ways_of_predicting_are_compared(open_page):
    page = open_page(VIEW + "&sample=HG00099&mode=sum")
    wait_until_done(page)
    agreement = float(page.get_by_test_id("agreement").inner_text().replace("\N{MINUS SIGN}", "-"))
    assert -1 <= agreement <= 1


def test_a_vcf_of_ones_own_stays_here_and_is_gone_with_the_tab(open_page, tmp_path, dashboard):
    before = uploads()
    page = open_page(VIEW)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_test_id("source").select_option("upload")
    page.get_by_test_id("vcf-file").set_input_files(some_vcf(tmp_path / "mine.vcf"))
    page.get_by_test_id("person-my_own_genome").wait_for()
    wait_until_done(page)
    expect(page.get_by_test_id("person-variants").locator("tbody tr")).to_have_count(31)
    (folder,) = uploads() - before
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == ["mine.vcf"]
    page.wait_for_timeout(1_000)
    assert "my_own_genome" not in page.url
    assert all(url.startswith((dashboard, "data:", "blob:")) for url in asked)
    page.close()
    for _ in range(600):
        if not folder.exists():
            break
        time.sleep(0.2)
    assert not folder.exists()


def test_a_file_that_is_no_vcf_is_answered_in_words(open_page, tmp_path):
    (tmp_path / "holiday.vcf").write_bytes(b"\x89PNG not a genome")
    page = open_page(VIEW)
    page.get_by_test_id("source").select_option("upload")
    page.get_by_test_id("vcf-file").set_input_files(tmp_path / "holiday.vcf")
    expect(page.get_by_test_id("vcf-note")).to_contain_text("doesn't begin like a VCF")


def test_a_narrow_window_and_the_dark_theme_leave_the_tracks_their_space(open_page):
    page = open_page(VIEW + "&sample=HG00099&theme=dark", width=1024, height=768)
    wait_until_done(page)
    page.locator(".mui-dark").first.wait_for()
    page.wait_for_function("() => Bokeh.documents[0].get_model_by_name('ruler').inner_width > 600")


def test_a_table_of_measured_expression_is_compared_and_leads_to_the_variant_behind(open_page, tmp_path):
    with gzip.open(embedded_project().individuals[0], "rt") as file:
        samples = next(line for line in file if line.startswith("#CHROM")).split()[9:69]
    numbers = np.random.default_rng(0).normal(5, 1, len(samples))
    # the last name is written otherwise than in the genotypes
    written = [*samples[:-1], samples[-1].lower() + ".bam"]
    rows = [f"{name}\t{value:.3f}" for name, value in zip(written, numbers, strict=True)]
    (tmp_path / "mine.tsv").write_text("sample\tITPA\n" + "\n".join(rows) + "\n")
    page = open_page(f"individual?locus=chr20:3185001-3195000&sample={samples[0]}&below=measured")
    wait_until_done(page)
    said = page.get_by_test_id("measured")
    page.get_by_role("combobox", name="Measured in").click()
    page.get_by_role("menuitem", name="A table of your own").click()
    page.locator("input[type=file]").last.set_input_files(tmp_path / "mine.tsv")
    expect(said).to_contain_text("1 names aren't written as in the genotypes")
    page.get_by_role("button", name="Use these names").click()
    page.get_by_role("button", name="Compare genes in view").click()
    for method in ("model", "top-variant", "elastic-net"):
        expect(page.get_by_test_id(f"measured-{method}")).to_be_visible(timeout=480_000)
    expect(page.get_by_text(f"{samples[0]} is marked.")).to_be_visible()
    assert page.get_by_test_id("driver").get_attribute("href").startswith("explore?")
    page.get_by_test_id("driver").click()
    page.get_by_test_id("view-length").wait_for()
    assert "mark=20" in page.url
