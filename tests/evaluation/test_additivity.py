from __future__ import annotations

import numpy as np

from evaluation.additivity import Draw, compare
from phenviz.genome.variant import Edit
from phenviz.world import open_world

START = 1_500_000


def snv(world, start: int) -> Edit:
    base = "ACGT"[int(world.reference.codes("20")[start])]
    return Edit(start, base, "G" if base != "G" else "T")


def test_one_variant_alone_adds_up_exactly_and_two_far_apart_nearly():
    world = open_world()
    near, far = snv(world, START), snv(world, START + 5_000)
    table = compare([Draw(0, (near,)), Draw(0, (near, far))], np.array([START]), world)
    alone, both = (table[table["variants"] == count] for count in (1, 2))
    np.testing.assert_allclose(alone["exact"], alone["sum"], atol=1e-6)
    # the far one is out of reach of every bin that counts
    np.testing.assert_allclose(both["exact"], alone["exact"], atol=1e-5)
    np.testing.assert_allclose(both["sum"], alone["sum"], atol=1e-5)
    assert alone["exact"].abs().max() > 1e-4
