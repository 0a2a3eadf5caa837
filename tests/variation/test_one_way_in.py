"""The same variants, whichever way they come in and however they are written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pgenlib
import pytest
import zarr

from phenviz.effects import score_expression, score_variants
from phenviz.genome import ReferenceGenome
from phenviz.variation import iter_variants, normalise, parse_variants, read_variants
from phenviz.variation.rsids import read_pasted
from phenviz.variation.table_file import iter_table
from tests.attribution.oracles import toy_readout
from tests.variation.oracles import bgzip, needs_bcftools, run, write_vcf

KEY = ["contig", "position", "ref", "alt"]
Written = tuple[int, str, str]


@pytest.fixture(scope="module")
def repeats(tmp_path_factory):
    """A genome full of repeats, where an indel has many descriptions."""
    folder = tmp_path_factory.mktemp("repeats")
    rng = np.random.default_rng(3)
    units = ["A", "CA", "ACG", "T", "GT"]
    bases = "".join(
        str(rng.choice(units)) * int(rng.integers(1, 9)) + "".join(rng.choice(list("ACGT"), 3))
        for _ in range(600)
    )
    (folder / "repeats.fa").write_text(f">20\n{bases}\n")
    return ReferenceGenome(folder / "repeats.fa", assembly="repeats1", cache_dir=folder)


def _bases(reference):
    return "".join("ACGTN"[code] for code in reference.codes("20"))


def random_alleles(bases: str, rng: np.random.Generator, count: int) -> list[Written]:
    """Draw variants: 0-based place, REF and ALT, which differ."""
    found = []
    while len(found) < count:
        start = int(rng.integers(1, len(bases) - 30))
        ref = bases[start : start + int(rng.choice([1, 1, 2, 3, 6]))]
        alt = "".join(rng.choice(list("ACGT"), int(rng.choice([1, 1, 2, 4]))))
        if rng.random() < 0.5:
            # of the repeat's own letters, so that it can be moved
            alt = ref + ref if rng.random() < 0.5 else ref[:1]
        if ref != alt:
            found.append((start, ref, alt))
    return found


def leftmost(bases: str, start: int, ref: str, alt: str) -> Written:
    """Trim and move left, one base at a time, as the definition says."""
    while True:
        if len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
            ref, alt = ref[:-1], alt[:-1]
        elif ref[-1] == alt[-1] and start:
            start, ref, alt = start - 1, bases[start - 1] + ref[:-1], bases[start - 1] + alt[:-1]
        elif len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
            start, ref, alt = start + 1, ref[1:], alt[1:]
        else:
            return start, ref, alt


def rewritten(bases: str, one: Written, rng: np.random.Generator) -> Written:
    """Write a variant another way: moved right as far as chance has it, then padded on both sides."""
    start, ref, alt = leftmost(bases, *one)
    edited = bases[:start] + alt + bases[start + len(ref) :]
    while len(ref) != len(alt) and rng.random() < 0.8:
        after = bases[start + len(ref)]
        moved = (start + 1, ref[1:] + after, alt[1:] + after)
        if bases[: moved[0]] + moved[2] + bases[moved[0] + len(moved[1]) :] != edited:
            break
        start, ref, alt = moved
    left, right = int(rng.integers(0, min(4, start + 1))), int(rng.integers(0, 4))
    end = start + len(ref)
    before, after = bases[start - left : start], bases[end : end + right]
    letters = str.lower if rng.random() < 0.3 else str
    return start - left, letters(before + ref + after), letters(before + alt + after)


def as_table(written: list[Written]) -> pd.DataFrame:
    rows = [("chr20", start + 1, ref, alt, f"rs{number}") for number, (start, ref, alt) in enumerate(written)]
    return pd.DataFrame(rows, columns=[*KEY, "id"])


def keys(table: pd.DataFrame) -> list[tuple]:
    return sorted(table[KEY].itertuples(index=False, name=None))


def as_records(written: list[Written], rng: np.random.Generator) -> list[str]:
    """Write a VCF's records, alleles of one place and REF together now and then."""
    records: dict[tuple, list[str]] = {}
    for number, (start, ref, alt) in enumerate(sorted(written)):
        key = (start, ref, 0 if rng.random() < 0.7 else number)
        if alt not in records.setdefault(key, []):
            records[key].append(alt)
    return [
        f"20 {start + 1} rs{number} {ref} {','.join(alts)}"
        for number, ((start, ref, _), alts) in enumerate(records.items())
    ]


def pgen_of(vcf, path):
    lines = [line.split("\t") for line in vcf.read_text().splitlines() if not line.startswith("#")]
    most = max(1 + len(line[4].split(",")) for line in lines)
    writer = pgenlib.PgenWriter(
        bytes(path), 1, variant_ct=len(lines), nonref_flags=False, allele_ct_limit=most
    )
    for line in lines:
        writer.append_alleles(np.zeros(2, np.int32), allele_ct=1 + len(line[4].split(",")))
    writer.close()
    sites = "".join("\t".join(line[:5]) + "\n" for line in lines)
    path.with_suffix(".pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + sites)
    path.with_suffix(".psam").write_text("#IID\nS1\n")
    return path


def zarr_of(vcf, path):
    lines = [line.split("\t") for line in vcf.read_text().splitlines() if not line.startswith("#")]
    alleles = [[line[3], *line[4].split(",")] for line in lines]
    width = max(map(len, alleles))
    store = zarr.open_group(path, mode="w", zarr_format=2)
    store["contig_id"] = np.array(["20"], dtype="U8")
    store["variant_contig"] = np.zeros(len(lines), dtype=np.int8)
    store["variant_position"] = np.array([int(line[1]) for line in lines], dtype=np.int32)
    store["variant_allele"] = np.array([row + [""] * (width - len(row)) for row in alleles], dtype="U64")
    store["variant_id"] = np.array([line[2] for line in lines], dtype="U16")
    return path


@needs_bcftools
@pytest.mark.parametrize("seed", range(4))
def test_every_entrance_gives_the_same_variants_in_every_form(repeats, tmp_path, monkeypatch, seed):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))
    rng, bases = np.random.default_rng(seed), _bases(repeats)
    alleles = random_alleles(bases, rng, 120)
    places = {leftmost(bases, *one) for one in alleles}
    expected = sorted(("20", start + 1, ref, alt) for start, ref, alt in places)
    # each variant twice, in two forms and any order
    written = [rewritten(bases, one, rng) for one in [*alleles, *alleles]]
    written = [written[place] for place in rng.permutation(len(written))]
    table, vcf = as_table(written), write_vcf(tmp_path / "calls.vcf", as_records(written, rng))

    assert {*keys(normalise(table, repeats))} == {*expected}
    pasted = "\n".join(f"{row.contig}:{row.position}:{row.ref}:{row.alt}" for row in table.itertuples())
    assert keys(parse_variants(pasted, repeats)) == expected
    table.to_csv(tmp_path / "table.tsv", sep="\t", index=False)
    chunks = [normalise(chunk, repeats) for chunk in iter_table(tmp_path / "table.tsv", 50)]
    assert {*keys(pd.concat(chunks))} == {*expected}

    run("bcftools", "view", "-Ob", "-o", tmp_path / "calls.bcf", vcf)
    files = [
        vcf, bgzip(vcf), tmp_path / "calls.bcf", pgen_of(vcf, tmp_path / "set.pgen"),
        zarr_of(vcf, tmp_path / "calls.vcz"),
    ]  # fmt: skip
    for path in files:
        assert keys(read_variants(path, repeats).table) == expected, path
        assert {*keys(pd.concat([one.table for one in iter_variants(path, repeats, chunk=40)]))} == {
            *expected
        }
        names = "\n".join({line.split("\t")[2] for line in vcf.read_text().splitlines() if line[0] != "#"})
        assert keys(read_pasted(names, [path], repeats).table) == expected, path


@pytest.mark.parametrize("seed", range(3))
def test_a_variant_has_the_same_effects_however_it_is_written(toy_world, repeats, seed):
    rng, bases = np.random.default_rng(seed), _bases(repeats)
    alleles = random_alleles(bases, rng, 60)
    plain = as_table([leftmost(bases, *one) for one in alleles])
    other = as_table([rewritten(bases, one, rng) for one in alleles])
    expected = score_variants(plain, repeats, toy_world.backbone)
    found = score_variants(other, repeats, toy_world.backbone)
    np.testing.assert_allclose(found["effect"], expected["effect"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["active"], expected["active"], rtol=1e-5)
    # told as the table has it
    assert found["position"].values.tolist() == other["position"].tolist()
    assert found["ref"].values.tolist() == other["ref"].str.upper().tolist()


def test_expression_is_the_same_however_a_variant_is_written(toy_world, tmp_path):
    rng = np.random.default_rng(1)
    bases = "".join("ACGTN"[code] for code in toy_world.reference.codes("20"))
    alleles = [one for one in random_alleles(bases[:9_000], rng, 60) if "N" not in one[1] + one[2]]
    plain = as_table([leftmost(bases, *one) for one in alleles])
    other = as_table([rewritten(bases, one, rng) for one in alleles])
    parts = (toy_world.annotation, toy_world.reference, toy_world.backbone, toy_readout())
    expected, found = (score_expression(table, *parts) for table in (plain, other))
    np.testing.assert_allclose(
        found["expression_effect"], expected["expression_effect"], rtol=1e-4, atol=1e-6
    )
    assert found["distance"].values.tolist() == expected["distance"].values.tolist()


def test_several_alternates_of_a_row_are_a_row_each(toy_world, repeats):
    bases = _bases(repeats)
    other = [base for base in "ACGT" if base != bases[500]]
    rows = [("20", 501, bases[500], ",".join(other), "x"), ("20", 601, bases[600], "<DEL>", "y")]
    scores = score_variants(pd.DataFrame(rows, columns=[*KEY, "id"]), repeats, toy_world.backbone)
    assert scores["alt"].values.tolist() == [*other, "<DEL>"]
    assert scores["id"].values.tolist() == ["x", "x", "x", "y"]
    assert scores["status"].values.tolist() == ["scored"] * 3 + ["unsupported allele"]
