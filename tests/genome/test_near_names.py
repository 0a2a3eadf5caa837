"""What was typed wrongly is answered with what difflib would find among all names."""

from __future__ import annotations

import difflib

import numpy as np
import pytest

import phenviz
from phenviz.genome.near_names import CUTOFF, NearNames


def slowly(names, typed, count):
    symbols = {name.upper(): name for name in names if name}
    wanted = typed.strip().upper()
    begins = sorted((key for key in symbols if wanted and key.startswith(wanted)), key=len)
    close = difflib.get_close_matches(wanted, list(symbols), n=count, cutoff=CUTOFF)
    return [symbols[key] for key in dict.fromkeys([*begins, *close])][:count]


@pytest.fixture(scope="module")
def genes():
    return [str(name) for name in phenviz.open_world().annotation.genes["gene_name"]]


@pytest.mark.parametrize("seed", range(40))
def test_real_symbols_with_slips_of_the_finger(genes, seed):
    random = np.random.default_rng(seed)
    letters = list(genes[random.integers(len(genes))])
    for _ in range(random.integers(1, 4)):
        place = random.integers(len(letters) + 1)
        letters[place : place + random.integers(2)] = random.choice(list("abcXYZ019-."), random.integers(3))
    typed, count = "".join(letters), int(random.integers(1, 5))
    assert NearNames(genes).near(typed, count) == slowly(genes, typed, count)


@pytest.mark.parametrize("seed", range(20))
def test_names_of_few_letters_where_many_are_as_near(seed):
    random = np.random.default_rng(seed)
    names = ["".join(random.choice(list("AB1é"), random.integers(7))) for _ in range(300)]
    near = NearNames(names)
    for typed in ("A", "ab1", " BB11 ", "éé1", "AB1AB1AB1", "x", ""):
        assert near.near(typed, 3) == slowly(names, typed, 3)


def test_the_annotation_offers_them(genes):
    annotation = phenviz.open_world().annotation
    for typed in ("HNF4", "sirpb9", "CEPBP"):
        assert annotation.nearest_names(typed) == slowly(genes, typed, 3)


def test_no_names_are_near_to_nothing():
    assert NearNames([]).near("HNF4A", 3) == [] and NearNames(["", ""]).near("A", 3) == []
