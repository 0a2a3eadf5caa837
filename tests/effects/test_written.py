"""A person is the same person, however the file writes their variants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from phenviz.effects import predict_cohort, predict_expression, predict_haplotypes, score_variants
from phenviz.effects.summed import sum_of_variants
from phenviz.genome import Annotation, Locus, ReferenceGenome, encode, variant
from phenviz.variation import open_individuals
from phenviz.variation.edits import CanonicalEdits
from tests.attribution.oracles import toy_readout
from tests.effects.oracles import Edit, canonical
from tests.variation.test_one_way_in import leftmost, random_alleles, rewritten

PEOPLE = ("ann", "bob")
Written = tuple[int, str, str]
# haplotypes, in the order of the calls, and what each of them has at a place
Site = dict[int, list[Written]]


@pytest.fixture(scope="module")
def repeats(tmp_path_factory) -> ReferenceGenome:
    """A contig of which every other bit is a repeat, many longer than what a bin sees."""
    folder = tmp_path_factory.mktemp("written")
    rng = np.random.default_rng(6)
    bits = [
        "".join(rng.choice(list("ACGT"), int(rng.integers(1, 6)))) * int(np.exp(rng.uniform(0, 5.5)))
        + "".join(rng.choice(list("ACGT"), int(rng.integers(2, 90))))
        for _ in range(350)
    ]
    (folder / "repeats.fa").write_text(f">20\n{''.join(bits)}\n")
    return ReferenceGenome(folder / "repeats.fa", assembly="written1", cache_dir=folder)


@pytest.fixture(scope="module")
def bases(repeats) -> str:
    return "".join("ACGTN"[code] for code in repeats.codes("20"))


def rightmost(bases: str, start: int, ref: str, alt: str) -> Written:
    start, ref, alt = leftmost(bases, start, ref, alt)
    while len(ref) != len(alt) and min(len(ref), len(alt)) == 1 and start + len(ref) < len(bases):
        after = bases[start + len(ref)]
        if (ref[1:] or alt[1:])[0] != after or ref[0] != alt[0]:
            break
        start, ref, alt = start + 1, ref[1:] + after, alt[1:] + after
    return start, ref, alt


def draw(bases: str, rng: np.random.Generator, start: int) -> Site:
    """Draw what four haplotypes have at one place: one or two alleles, or two variants side by side."""
    near = [(at + start, ref, alt) for at, ref, alt in random_alleles(bases[start : start + 90], rng, 2)]
    other = bases[start : start + 2].translate(str.maketrans("ACGT", "CGTA"))
    pair = [(start, bases[start], other[0]), (start + 1, bases[start + 1], other[1])]
    if rng.random() < 0.5:
        pair[1] = (start + 1, bases[start + 1], bases[start + 1] + "GT")
    choices = [([], near[:1]), ([], near[:1], near[1:]), ([], pair)][rng.integers(3)]
    return {haplotype: choices[int(rng.integers(len(choices)))] for haplotype in range(4)}


def plainly(bases: str, site: Site) -> list[tuple[int, str]]:
    """Write a record for each allele: left-aligned and trimmed."""
    return [written(one, who) for one, who in carriers(bases, site).items()]


def anyhow(bases: str, site: Site, rng: np.random.Generator) -> list[tuple[int, str]]:
    """Write the same, right-aligned, padded and joined as chance has it."""
    records = carriers(bases, site)
    start = min((one[0] for one in records), default=0)
    end = max((one[0] + len(one[1]) for one in records), default=0)
    alts = [bases[start : one[0]] + one[2] + bases[one[0] + len(one[1]) : end] for one in records]
    if any(len(alleles) == 2 for alleles in site.values()):
        # side by side on one haplotype: as one record
        (first, who), (second, _) = records.items()
        alt = first[2] + second[2]
        return [written((start, bases[start:end], alt), who)]
    if len(records) == 2 and rng.random() < 0.5:
        calls = [next((n for n, who in enumerate(records.values(), 1) if h in who), 0) for h in range(4)]
        return [(start, line(start, bases[start:end], ",".join(alts), calls))]
    return [written(either(bases, one, rng), who) for one, who in records.items()]


def carriers(bases: str, site: Site) -> dict[Written, set[int]]:
    found: dict[Written, set[int]] = {}
    for haplotype, alleles in site.items():
        for one in alleles:
            found.setdefault(one if len(alleles) == 2 else leftmost(bases, *one), set()).add(haplotype)
    return found


def either(bases: str, one: Written, rng: np.random.Generator) -> Written:
    one = rightmost(bases, *one) if rng.random() < 0.6 else one
    left, right = int(rng.integers(0, 4)), int(rng.integers(0, 4))
    start, ref, alt = one
    before, after = bases[start - left : start], bases[start + len(ref) : start + len(ref) + right]
    return start - left, before + ref + after, before + alt + after


def written(one: Written, who: set[int]) -> tuple[int, str]:
    return one[0], line(*one, [int(haplotype in who) for haplotype in range(4)])


def line(start: int, ref: str, alt: str, calls: list[int]) -> str:
    fields = ["20", start + 1, ".", ref, alt, ".", "PASS", ".", "GT"]
    return "\t".join(map(str, [*fields, f"{calls[0]}|{calls[1]}", f"{calls[2]}|{calls[3]}"]))


def write(folder: Path, name: str, lines: list[tuple[int, str]]) -> Path:
    head = ["##fileformat=VCFv4.2", "##contig=<ID=20>"]
    head += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    head.append("\t".join([*"#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split(), *PEOPLE]))
    path = folder / f"{name}.vcf"
    path.write_text("\n".join([*head, *(text for _, text in sorted(lines))]) + "\n")
    return path


@dataclass
class Forms:
    """The same two people in two files."""

    plain: object
    other: object
    places: list[int]


@pytest.fixture(scope="module", params=range(4))
def forms(request, repeats, bases, tmp_path_factory) -> Forms:
    rng, folder = np.random.default_rng(request.param), tmp_path_factory.mktemp("forms")
    plain, other, places, start = [], [], [], 400
    while start < len(bases) - 2_000:
        site = draw(bases, rng, start)
        alleles = [one for own in site.values() for one in own]
        far = [rightmost(bases, *one) for one in alleles]
        first = min((leftmost(bases, *one)[0] for one in alleles), default=start)
        end = max((at + len(ref) for at, ref, _ in far), default=start + 2)
        # what is moved must not meet what is before it
        if first > (places[-1] if places else 0) + 12:
            plain += plainly(bases, site)
            other += anyhow(bases, site, rng)
            places += [first, end]
        start = max(end, start) + int(rng.choice([14, 40, 200]))
    paths = write(folder, "plain", plain), write(folder, "other", other)
    assert paths[0].read_text() != paths[1].read_text()
    return Forms(*(open_individuals(path, repeats) for path in paths), places)


def test_tracks_and_counts_are_the_same_however_variants_are_written(forms, repeats, bases, toy_world):
    rng = np.random.default_rng(1)
    backbone, moved = toy_world.backbone, []
    for edge in rng.choice(forms.places, 8):
        start = int(np.clip(edge + rng.integers(-500, 500), 0, len(bases) - 2))
        locus = Locus("20", start, min(start + int(rng.choice([1, 400, 6_000])), len(bases)))
        cohorts = [predict_cohort(one, locus, repeats, backbone) for one in (forms.plain, forms.other)]
        np.testing.assert_array_equal(*(cohort["activity"] for cohort in cohorts))
        assert cohorts[0].attrs == cohorts[1].attrs
        for sample in PEOPLE:
            people = [one.individual(sample) for one in (forms.plain, forms.other)]
            exact = [predict_haplotypes(one, locus, repeats, backbone) for one in people]
            np.testing.assert_array_equal(*(one["activity"] for one in exact))
            assert exact[0].attrs == exact[1].attrs
            summed = [sum_of_variants(*both, repeats, backbone) for both in zip(exact, people, strict=True)]
            np.testing.assert_array_equal(*(one["activity"] for one in summed))
            moved.append(np.ptp(exact[0]["activity"].values, axis=0).max())
    assert np.median(moved) > 1e-3


def test_expression_is_the_same_however_variants_are_written(forms, repeats, bases, toy_world):
    rng = np.random.default_rng(2)
    tss = rng.integers(3_000, len(bases) - 3_000, 6)
    rows = [
        ("20", at, at + 1, "+", f"G{n}", f"I{n}", np.array([at]), np.array([at + 1]))
        for n, at in enumerate(tss)
    ]
    columns = ["contig", "start", "end", "strand", "gene_name", "gene_id", "exon_starts", "exon_ends"]
    model = (Annotation(pd.DataFrame(rows, columns=columns)), repeats, toy_world.backbone, toy_readout())
    found = [predict_expression(one, [row[4] for row in rows], *model) for one in (forms.plain, forms.other)]
    assert found[0].identical(found[1])
    assert found[0]["variants"].values.any()


def test_loci_that_overlap_agree_on_variants_that_move_far(forms, repeats, bases, toy_world):
    whole = predict_cohort(forms.other, Locus("20", 0, len(bases)), repeats, toy_world.backbone)["activity"]
    for edge in np.random.default_rng(3).choice(forms.places, 10):
        start = int(np.clip(edge - 300, 0, len(bases) - 2))
        locus = Locus("20", start, min(start + 500, len(bases)))
        own = predict_cohort(forms.other, locus, repeats, toy_world.backbone)["activity"]
        shared = whole.sel(bin_start=own["bin_start"])
        np.testing.assert_allclose(own, shared, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_one_variant_changes_a_persons_bins_by_what_it_is_scored(repeats, bases, toy_world, tmp_path, seed):
    rng, size = np.random.default_rng(seed), toy_world.backbone.bin_size
    for number, one in enumerate(random_alleles(bases[5_000:-5_000], rng, 5)):
        start, ref, alt = rewritten(bases, (one[0] + 5_000, *one[1:]), rng)
        ref, alt = ref.upper(), alt.upper()
        path = write(tmp_path, str(number), [(start, line(start, ref, alt, [0, 1, 0, 0]))])
        person = open_individuals(path, repeats).individual("ann")
        table = pd.DataFrame([("20", start + 1, ref, alt)], columns=["contig", "position", "ref", "alt"])
        scored = score_variants(table, repeats, toy_world.backbone)
        first = leftmost(bases, start, ref, alt)[0] // size - 2
        mask = Locus("20", first * size, (first + 4) * size)
        found = predict_haplotypes(person, mask, repeats, toy_world.backbone)["activity"].sum("bin")
        change = np.log2(1 + found.sel(haplotype="2")) - np.log2(1 + found.sel(haplotype="reference"))
        np.testing.assert_allclose(change, scored["effect"].values[0], rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("seed", range(300))
def test_edits_are_brought_into_one_form_that_makes_the_same_sequence(seed):
    rng = np.random.default_rng(seed)
    letters = "AC" if seed % 2 else "A"
    sequence = "".join(rng.choice(list("ACGT"), 3)) + "".join(rng.choice(list(letters), 40))
    edits, at = [], int(rng.integers(1, 6))
    while at < len(sequence) - 6:
        ref = sequence[at : at + int(rng.choice([0, 1, 2, 4]))]
        alt = "".join(rng.choice(list(letters + "G"), int(rng.choice([0, 1, 2, 4]))))
        edits.append((at, ref, alt))
        at += len(ref) + int(rng.choice([0, 1, 5]))
    found = CanonicalEdits(encode(sequence)).of([variant.Edit(*edit) for edit in edits])
    assert [Edit(*edit) for edit, _ in found] == canonical(sequence, [Edit(*edit) for edit in edits])
    assert edited(sequence, [edit for edit, _ in found]) == edited(sequence, edits)
    again = CanonicalEdits(encode(sequence)).of([edit for edit, _ in found])
    assert [edit for edit, _ in again] == [edit for edit, _ in found]
    assert {number for _, numbers in found for number in numbers} <= set(range(len(edits)))


def edited(sequence: str, edits: list[Written]) -> str:
    for start, ref, alt in reversed(edits):
        assert sequence[start : start + len(ref)] == ref
        sequence = sequence[:start] + alt + sequence[start + len(ref) :]
    return sequence
