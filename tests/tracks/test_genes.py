import numpy as np
import pytest

from phenviz.genome import Locus
from phenviz.tracks.genes import ROWS, pack_genes
from tests.tracks.toys import browser, track


@pytest.mark.parametrize("seed", range(60))
def test_named_genes_and_their_names_never_overlap(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 120))
    starts = np.sort(rng.uniform(0, 1_000, n))
    ends = starts + rng.exponential(60, n)
    room = rng.uniform(5, 80, n)
    packed = pack_genes(starts, ends, room)
    right = np.maximum(ends, starts + room)
    assert ((packed.rows >= 0) & (packed.rows < ROWS)).all()
    for row in range(ROWS):
        inside = np.flatnonzero((packed.rows == row) & packed.named)
        inside = inside[np.argsort(starts[inside])]
        assert (starts[inside][1:] >= right[inside][:-1]).all()


def test_genes_without_a_name_share_the_lowest_row_alone():
    starts = np.linspace(0, 10, 50)
    packed = pack_genes(starts, starts + 100, np.full(50, 100.0))
    assert (packed.rows[~packed.named] == ROWS - 1).all()
    assert (packed.rows[packed.named] < ROWS - 1).all()
    assert packed.named.sum() == ROWS - 1


def test_few_genes_all_get_names():
    starts = np.array([0.0, 10.0, 20.0])
    assert pack_genes(starts, starts + 100, np.full(3, 5.0)).named.all()


def test_the_name_of_a_gene_that_begins_off_screen_stays_in_sight_within_the_gene():
    shown = browser()
    table = track(shown, "genes")._annotation.genes
    gene = table.loc[(table["end"] - table["start"]).idxmax()]
    shown.set_locus(Locus("20", int(gene["start"]) + 5_000, int(gene["start"]) + 9_000))
    names = track(shown, "genes")._names.data
    place = next(
        x for x, text in zip(names["x"], names["text"], strict=True) if str(gene["gene_name"]) in text.split()
    )
    assert gene["start"] + 5_000 <= place <= gene["end"]


@pytest.mark.parametrize(("bases", "seen"), [(4_000, True), (20, False)])
@pytest.mark.parametrize("side", ["left", "right"])
def test_no_name_is_cut_at_a_border(side, bases, seen):
    shown = browser()
    genes = track(shown, "genes")._annotation.genes
    gene = genes[genes["gene_name"] == "GENE8"].iloc[0]
    # so many bases of the gene are in sight, at one side of the window
    start = int(gene["end"]) - bases if side == "left" else int(gene["start"]) + bases - 20_000
    shown.set_locus(Locus("20", start, start + 20_000))
    texts = track(shown, "genes")._names.data["text"]
    assert any("GENE8" in text.split() for text in texts) is seen


def test_a_crowded_view_says_how_many_names_are_left_out():
    shown = browser(Locus("20", 0, 1_000_000))
    named = len(track(shown, "genes")._names.data["text"])
    assert track(shown, "genes").texts.note == f"{60 - named} more without room for a name; zoom in"
