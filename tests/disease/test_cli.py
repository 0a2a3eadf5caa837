from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from phenviz import results
from phenviz.cli import main
from phenviz.world import open_world
from tests.toys import draw_few


@pytest.fixture
def table(toy_project, tmp_path, monkeypatch):
    draw_few(monkeypatch, 120, 20)
    reference = open_world(toy_project).reference
    rows = []
    for number, position in enumerate(range(2_000, 18_000, 800)):
        base = int(reference.fetch_codes("20", position - 1, position)[0])
        rows.append((f"T{number % 2}", "chr20", position, "ACGT"[base], "ACGT"[(base + 1) % 4], 0.3))
    path = tmp_path / "mine.tsv"
    columns = ["trait", "chr", "pos", "ref", "alt", "pip"]
    pd.DataFrame(rows, columns=columns).to_csv(path, sep="\t", index=False)
    return path


def _run(*arguments):
    return CliRunner().invoke(main, ["hypotheses", *map(str, arguments)])


def test_a_table_becomes_a_result_a_tidy_table_and_a_figure(table, toy_project, tmp_path):
    how = ("--table", table, "--world", toy_project, "--permutations", 200, "--seed", 3)
    parquet, tsv, svg = (tmp_path / f"h.{kind}" for kind in ("parquet", "tsv", "svg"))
    ran = _run(*how, "-o", parquet)
    assert ran.exit_code == 0, ran.output
    dataset = results.load(parquet)
    assert dataset["p_value"].dims == ("trait", "context", "method") and dataset.attrs["seed"] == 3
    assert {"trait", "context", "method", "effect", "se", "p_value", "q_value"} <= set(
        pd.read_parquet(parquet)
    )
    assert np.isfinite(dataset["p_value"]).all()
    assert _run(*how, "--trait", "T1", "--context", "Ery", "-o", tsv).exit_code == 0
    assert pd.read_csv(tsv, sep="\t")[["trait", "context"]].to_numpy().tolist() == [["T1", "Ery"]]
    for figure in ("heatmap", "bars", "forest"):
        assert _run(*how, "--figure", figure, "-o", svg).exit_code == 0
        assert "T1" in svg.read_text()


def test_what_is_wrong_is_said_in_one_line(table, toy_project, tmp_path):
    where = ("--world", toy_project, "-o", tmp_path / "h.nc")
    for arguments, says, code in (
        (("--table", tmp_path / "none.tsv"), "doesn't exist", 1),
        (("--table", table, "--method", "magic"), "no method 'magic'", 1),
        (("--table", table, "--trait", "X"), "no trait 'X'", 1),
        ((), "give --pack NAME or --table FILE", 2),
        (("--pack", "nonsense"), "no data pack 'nonsense'", 1),
    ):
        ran = _run(*arguments, *where)
        assert ran.exit_code == code and says in ran.output and "Traceback" not in ran.output
