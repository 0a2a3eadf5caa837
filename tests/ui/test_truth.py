"""What a page says about a person is true: where genotypes are known, whose they are, and what is gone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ui.conftest import _free_port, _wait_for
from tests.ui.test_individual import some_vcf, wait_until_done

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)
pytestmark = pytest.mark.ui

VIEW = "individual?locus=chr20:3768001-3786000"
OUTSIDE = "individual?locus=chr20:42984340-43061485"
HEAD = (
    "##fileformat=VCFv4.2\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tme\n"
)


def wait_until_not_covered(page) -> None:
    page.locator("[data-testid=person-status][data-state='not covered']").wait_for(state="attached")


def upload(page, path: Path) -> None:
    page.get_by_test_id("source").select_option("upload")
    page.get_by_test_id("vcf-file").set_input_files(path)


def go_to(page, text: str) -> None:
    box = page.get_by_test_id("locus")
    box.fill(text)
    box.press("Enter")


def test_outside_of_what_a_file_covers_nobody_carries_nothing(open_page, tmp_path):
    page = open_page(OUTSIDE + "&source=world&sample=HG00105")
    wait_until_not_covered(page)
    said = "cover chr20:1,000,226-3,999,849: of chr20:42,984,340-43,061,485 nothing is known"
    expect(page.get_by_test_id("coverage")).to_contain_text(said)
    expect(page.get_by_test_id("person-variants")).to_contain_text(said)
    expect(page.get_by_test_id("person-status")).not_to_contain_text("Done")
    expect(page.get_by_text("No variant is carried")).to_have_count(0)
    # partly outside: what is known is shown, and what isn't is told
    go_to(page, "chr20:990,001-1,020,000")
    wait_until_done(page)
    expect(page.get_by_test_id("coverage")).to_contain_text("of chr20:990,001-1,000,225 nothing is known")
    # a right click, which raised an error in a menu that isn't there
    for y in (200, 320, 440):
        page.mouse.click(700, y, button="right")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Tracks as a table").click()
    expect(page.get_by_test_id("figure-table").first).to_be_visible()
    expect(page.locator("[data-testid=figure-table]", has_text="carried by")).to_contain_text("haplotype 1")
    page.get_by_role("button", name="Hide the table of tracks").click()
    # inside there is nothing to tell
    go_to(page, "chr20:3,768,001-3,786,000")
    expect(page.get_by_test_id("coverage")).to_have_count(0)
    wait_until_done(page)
    for name, records, said in (
        ("one.vcf", "1\t1000\t.\tA\tC\t.\t.\t.\tGT\t0|1\n", "genotypes of one.vcf cover chr1 only"),
        ("head.vcf", "", "head.vcf holds no genotypes"),
    ):
        (tmp_path / name).write_text(HEAD + records)
        upload(page, tmp_path / name)
        expect(page.get_by_test_id("coverage")).to_contain_text(re.compile(said, re.IGNORECASE))
        wait_until_not_covered(page)
        expect(page.get_by_text("No variant is carried")).to_have_count(0)


def test_an_uploaded_genome_stays_that_of_its_tab_and_is_nobody_elses(
    open_page, browser, dashboard, tmp_path
):
    page = open_page(VIEW)
    mine = some_vcf(tmp_path / "Müller (1) [v2].vcf")
    upload(page, mine)
    me = page.get_by_test_id("person-my_own_genome")
    expect(me).to_have_attribute("aria-pressed", "true")
    page.wait_for_url(re.compile("genome=upload"))
    page.reload()
    expect(me).to_have_attribute("aria-pressed", "true")
    wait_until_done(page)
    expect(page.get_by_test_id("person-variants").locator("tbody tr")).to_have_count(31)
    # to another page that knows the file, too, and back
    page.get_by_role("link", name="Variants", exact=True).click()
    page.get_by_test_id("variants-status").wait_for()
    page.locator(".MuiSelect-select", has_text="the region in view").click()
    page.locator("li", has_text=mine.name).click()
    page.get_by_role("button", name="Score variants").click()
    written = sum(not line.startswith("#") for line in mine.read_text().splitlines())
    expect(page.get_by_test_id("variants-count")).to_contain_text(f"{written} of {written}")
    page.wait_for_url(re.compile("origin=upload"))
    page.reload()
    expect(page.get_by_test_id("variants-count")).to_contain_text(f"{written} of {written}")
    page.get_by_role("link", name="Individual", exact=True).click()
    expect(me).to_have_attribute("aria-pressed", "true")
    assert "my_own_genome" not in page.url and "ller" not in page.url
    # another browser that is given the address
    other = browser.new_context()
    try:
        guest = other.new_page()
        guest.set_default_timeout(90_000)
        guest.goto(page.url)
        note = guest.get_by_test_id("person-note")
        expect(note).to_contain_text("Your upload is gone, choose it again", timeout=480_000)
        expect(guest.locator("[data-testid=person-status][data-state=empty]")).to_contain_text("gone")
        assert not guest.locator("[aria-pressed=true][data-testid^=person-]").count()
        guest.goto(f"{dashboard}variants?origin=upload")
        status = guest.get_by_test_id("variants-status")
        expect(status).to_contain_text("Your upload is gone", timeout=480_000)
    finally:
        other.close()


def test_somebody_whom_nobody_knows_is_not_somebody_else_and_who_is_chosen_stays(open_page):
    page = open_page(VIEW + "&source=world&sample=HG0009")
    expect(page.get_by_test_id("person-note")).to_contain_text(
        "this world has no person 'HG0009': did you mean HG00096"
    )
    expect(page.locator("[data-testid=person-status][data-state=empty]")).to_contain_text(
        "no person 'HG0009'"
    )
    expect(page.get_by_test_id("person-HG00096")).to_have_attribute("aria-pressed", "false")
    page.reload()
    expect(page.get_by_test_id("person-note")).to_contain_text("no person 'HG0009'")
    page.get_by_test_id("person-HG00105").click()
    wait_until_done(page)
    expect(page.get_by_test_id("person-note")).to_be_hidden()
    page.wait_for_url(re.compile("sample=HG00105"))
    page.get_by_role("link", name="Explore", exact=True).click()
    page.get_by_test_id("cost").wait_for()
    page.get_by_role("link", name="Individual", exact=True).click()
    expect(page.get_by_test_id("person-HG00105")).to_have_attribute("aria-pressed", "true")


@contextmanager
def served(project: Path, folder: Path):
    """Serve a small world from a process of its own whose temporary folder is this one."""
    port, log = _free_port(), folder / "server.log"
    code = (
        "from phenviz.app.shell.serve import serve; from phenviz.world import open_world\n"
        f"serve(open_world({str(project)!r}), port={port}, show=False)"
    )
    environment = os.environ | {"TMPDIR": str(folder), "PHENVIZ_CACHE": str(folder / "cache")}
    with log.open("w") as output:
        server = subprocess.Popen([sys.executable, "-c", code], stdout=output, stderr=output, env=environment)
    try:
        address = f"http://localhost:{port}/"
        _wait_for(address, server, log)
        yield address, server
    finally:
        server.kill()
        server.wait(30)


def uploaded(browser, address: str, folder: Path, known: set[Path]) -> Path:
    """Hand a genome over, and leave the tab open; where the server keeps it."""
    page = browser.new_page()
    page.set_default_timeout(90_000)
    page.goto(address + "individual")
    mine = folder / "mine.vcf"
    mine.write_text(HEAD + "20\t5000\t.\tA\tC\t.\t.\t.\tGT\t0|1\n")
    upload(page, mine)
    page.get_by_test_id("person-me").wait_for()
    (kept,) = set(folder.glob("phenviz-upload-*")) - known
    assert [path.name for path in kept.iterdir()] == ["mine.vcf"]
    return kept


def test_a_server_that_ends_forgets_uploads_and_the_next_one_those_of_a_killed_one(
    browser, toy_project, tmp_path
):
    with served(toy_project, tmp_path) as (address, server):
        first = uploaded(browser, address, tmp_path, set())
        server.kill()
        server.wait(30)
    # nothing could be done about that
    assert first.exists()
    with served(toy_project, tmp_path) as (address, server):
        assert not first.exists()
        second = uploaded(browser, address, tmp_path, set())
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == -signal.SIGTERM
        assert time.monotonic() - began < 10
    assert not second.exists()
    assert not list(tmp_path.glob("phenviz-upload-*"))
