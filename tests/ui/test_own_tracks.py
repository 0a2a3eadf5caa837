"""Files of the user's own, dropped on the Explore page."""

from __future__ import annotations

import pybigtools
import pytest

from phenviz.world import open_world
from tests.ui.test_explore import SITE

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.ui

_DRAWN = """() => Object.fromEntries(Bokeh.documents[0].roots().flatMap(root => [...root.references()])
  .filter(model => model.name?.startsWith?.("own-") && Bokeh.index.find_one(model)?.el.isConnected)
  .map(model => [model.name, Bokeh.index.find_one(model).el.getBoundingClientRect().height]))"""


def test_a_bed_and_a_bigwig_are_dropped_and_seen(open_page, tmp_path):
    length = open_world().reference.contigs["20"]
    sites = "".join(f"chr20\t{start}\t{start + 60}\n" for start in range(0, length - 60, 90))
    (tmp_path / "my sites.bed").write_text(sites)
    steps = [("chr20", n, n + 100, n / 100 % 7 - 1) for n in range(0, length - 100, 100)]
    pybigtools.open(str(tmp_path / "signal.bw"), "w").write({"chr20": length}, iter(steps))
    page = open_page(SITE)
    drop = page.get_by_test_id("vcf-file")
    drop.set_input_files(tmp_path / "my sites.bed")
    expect(page.get_by_role("button", name="Remove my sites.bed")).to_be_visible(timeout=480_000)
    drop.set_input_files(tmp_path / "signal.bw")
    expect(page.get_by_role("button", name="Remove signal.bw")).to_be_visible(timeout=60_000)
    page.wait_for_function(f"() => Object.values(({_DRAWN})()).filter(height => height > 20).length === 2")
    page.get_by_role("button", name="Move signal.bw up").click()
    expect(page.get_by_role("button", name="Move signal.bw up")).to_be_disabled()
    page.reload()
    expect(page.get_by_role("button", name="Move signal.bw up")).to_be_disabled()
    expect(page.get_by_text("gone")).to_have_count(0)
    # what a server that was started anew has never seen; set before the page's own scripts can write there
    page.add_init_script("""sessionStorage.setItem("phenviz-own-tracks", '["signal.bw", "lost.bed"]')""")
    page.reload()
    expect(page.get_by_test_id("vcf-note")).to_contain_text("Your track lost.bed is gone: choose it again")
